"""What is on disk is an agent in full, the old one or the new one, or an error says what is wrong with it."""

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_agents import dies_at, forge, tensors_of

from rlkit import storage
from rlkit.agents import LoadError
from rlkit.errors import DamagedError, UnsupportedError
from rlkit.storage import META

FORK = multiprocessing.get_context("fork")


def write(path: Path, number: int, tensors: int = 3) -> None:
    """A saved agent all of whose parts are a number."""
    meta = {
        **{"agent": "ppo", "env_id": None, "env_kwargs": {}, "config": {}},
        **{"observation_space": {}, "action_space": {}, "seed": 0},
    }
    loop = {"steps": number, "horizon": 0, "early_stopping": {"waited": 0}}
    learner = {f"t{i}": torch.full((50,), number) for i in range(tensors)}
    storage.write(path, meta, {"loop": loop, "learner": learner})


def number_in(path: Path) -> int:
    """The number, which must be the same in all parts."""
    saved = storage.read(path)
    steps = saved.meta["state"]["loop"]["steps"]
    found = {
        steps,
        *(int(x) for name in saved.tensors for x in saved.tensors[name]),
    }
    (number,) = found
    return int(number)


@pytest.mark.parametrize("before", [None, 1])
def test_a_save_that_is_killed_anywhere_leaves_the_old_or_the_new(before: int | None, tmp_path: Path) -> None:
    path, found = tmp_path / "saved", set()
    for call in range(100):
        if before is not None:
            write(path, before)

        def save(call: int = call) -> None:
            dies_at(call)
            write(path, 2)

        process = FORK.Process(target=save)
        process.start()
        process.join()
        found.add(number_in(path) if (path / META).exists() else None)
        assert (path / META).exists() or before is None
        write(path, 3)
        assert sorted(file.name for file in path.iterdir()) == [META, tensors_of(path).name], "leftovers go"
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        storage.remove(path)
    else:
        pytest.fail("it never came to an end")
    assert call > 8
    assert found == {before, 2}


def test_who_reads_while_somebody_saves_gets_one_save(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    write(path, 0)

    def save_for_ever() -> None:
        number = 0
        while True:
            number += 1
            write(path, number)

    processes = [FORK.Process(target=save_for_ever, daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        seen: set[Any] = set()
        while len(seen) < 30:
            seen.add(number_in(path))
    finally:
        for process in processes:
            process.kill()
            process.join()


def test_every_changed_bit_is_noticed(tmp_path: Path) -> None:
    path, rng = tmp_path / "saved", random.Random(0)
    write(path, 1)
    for file in (path / META, tensors_of(path)):
        right = file.read_bytes()
        for _ in range(300):
            place = rng.randrange(len(right))
            wrong = bytearray(right)
            wrong[place] ^= 1 << rng.randrange(8)
            file.write_bytes(wrong)
            if file.name == META and not right[place : place + 1].strip():
                continue  # white space between the fields of JSON may become other white space
            with pytest.raises(DamagedError):
                storage.read(path)
        file.write_bytes(right)
    assert number_in(path) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: tensors_of(path).unlink(), r"tensors-.* is missing"),
        (lambda path: os.truncate(tensors_of(path), 10), "it has 10 bytes, not"),
        (lambda path: os.truncate(tensors_of(path), 10 << 30), "it has 10737418240 bytes"),
        (lambda path: os.truncate(path / META, 10 << 30), "more than 67,108,864 bytes"),
        (lambda path: (path / META).write_text("[" * 100_000), "recursion"),
        (lambda path: (path / META).write_text('{"a":' * 900 + "1" + "}" * 900), "format"),
        (lambda path: (path / META).write_text("{}"), "the format null; this version of rlkit reads 3"),
        (lambda path: forge(path, lambda meta: meta.update(format=99)), "the format 99"),
        (
            lambda path: forge(path, lambda meta: meta["tensors"].update(sha256="../../../secrets")),
            "names the",
        ),
        (lambda path: forge(path, lambda meta: meta["tensors"].pop("bytes")), "it has no 'bytes'"),
    ],
)
def test_damage_is_named_without_reading_it_all(
    damage: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    write(tmp_path / "saved", 1)
    damage(tmp_path / "saved")
    with pytest.raises(DamagedError, match=message) as caught:
        storage.read(tmp_path / "saved")
    assert str(tmp_path / "saved") in str(caught.value)


def test_what_is_written_is_synchronised_before_it_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a loss of power could leave the new name with old or no contents."""
    events: list[tuple[str, int]] = []
    sync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        sync(handle)
        events.append(("sync", os.fstat(handle).st_ino))

    def note_replace(source: Path, target: Path) -> None:
        events.append(("replace", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    path = tmp_path / "saved"
    write(path, 1)
    tensors, meta, folder = (file.stat().st_ino for file in (tensors_of(path), path / META, path))
    assert events == [
        *(("sync", tensors), ("replace", tensors), ("sync", folder)),
        *(("sync", meta), ("replace", meta), ("sync", folder)),
    ]


def test_a_full_disk_leaves_the_old_agent_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "saved"
    write(path, 1)
    before = sorted(file.name for file in path.iterdir())

    def full(tensors: Any, file: Path) -> None:
        file.write_bytes(b"a part")
        raise storage.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(storage, "save_file", full)
    for target in (path, tmp_path / "another"):
        with pytest.raises(OSError, match=r"cannot be written: .*No space left on device"):
            write(target, 2)
    assert number_in(path) == 1
    assert sorted(file.name for file in path.iterdir()) == before
    assert not (tmp_path / "another").exists()


def test_what_would_be_too_large_to_read_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "saved"
    write(path, 1)
    with monkeypatch.context() as small:
        small.setattr(storage, "MAX_META", 100)
        with pytest.raises(UnsupportedError, match=f"cannot be saved: its {META} would have"):
            write(path, 2)
    assert number_in(path) == 1


def test_a_folder_of_anything_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(FileExistsError, match="is not a saved agent; it is left as it is"):
        write(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_tensors_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "saved", 7)
    saved = storage.read(tmp_path / "saved")
    write(tmp_path / "saved", 8)
    assert saved.tensors["learner/t1"].tolist() == [7] * 50, "also after the file is gone"
    with pytest.raises(KeyError):
        saved.tensors["t9"]
    assert len(saved.tensors) == 3


def test_the_newest_good_checkpoint_is_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    paths = [run / "checkpoints" / f"step-{number:012d}" for number in (1, 2, 3)]
    for number, path in enumerate(paths, 1):
        write(path, number)
    (run / "checkpoints" / "step-000000000009").mkdir()  # of a first save that was killed
    assert number_in(run) == 3
    tensors_of(paths[2]).write_bytes(b"")
    with pytest.warns(
        UserWarning, match=r"step-000000000003/tensors.*; the checkpoint before it is used, .*2$"
    ):
        assert number_in(run) == 2
    (paths[1] / META).write_text("{")
    with pytest.warns(UserWarning, match="checkpoint before it") as caught:
        assert number_in(run) == 1
    assert len(caught) == 2
    (paths[0] / META).write_text("{")
    with pytest.raises(LoadError, match=r"step-000000000003/tensors.* damaged"):
        storage.read(run)
