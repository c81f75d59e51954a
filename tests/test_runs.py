"""Run folders: who writes to them, what a kill, an error or a full disk leaves, and what is said of edits."""

import errno
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from gymnasium import spaces
from saved_agents import dies_at, forge, tensors_of, whole

import rlkit.run.train
from rlkit import storage
from rlkit.agents import PPO, ConfigError, LoadError, StepsError
from rlkit.experience.rollout import Rollouts
from rlkit.run import checkpoint, log
from rlkit.run.checkpoint import RunError
from rlkit.run.train import resume, train

FORK = multiprocessing.get_context("fork")
SMALL: dict[str, object] = {"hidden": (8,), "num_envs": 4, "rollout_steps": 16}
EXAM: dict[str, Any] = {"steps": 128, "overrides": SMALL, "checkpoint_every": 128}


def steps_of(run: Path) -> list[int]:
    """Of the checkpoints that are there."""
    return [int(path.name.removeprefix("step-")) for path in storage.checkpoints(run)]


# Who writes


def test_a_run_is_written_by_one_process_which_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("rlkit/Exam-v0", **EXAM, out=run)
    before, began = (run / log.METRICS).read_text(), FORK.Event()

    def hold() -> None:
        with checkpoint.alone(run):
            began.set()
            signal.pause()

    holder = FORK.Process(target=hold)
    holder.start()
    began.wait()
    try:
        for again in (lambda: resume(run, steps=256), lambda: train("rlkit/Exam-v0", **EXAM, out=run)):
            with pytest.raises(RunError, match=f"run is in use by process {holder.pid} on .* since "):
                again()
    finally:
        holder.kill()
        holder.join()
    assert (run / log.METRICS).read_text() == before
    assert resume(run, steps=256).steps == 256, "the lock goes with its process"


def test_a_run_is_written_by_one_training_of_a_process(tmp_path: Path) -> None:
    with checkpoint.alone(tmp_path):
        with pytest.raises(RunError, match="in use by this process"), checkpoint.alone(tmp_path):
            pass
        link = tmp_path.parent / f"{tmp_path.name}-link"
        link.symlink_to(tmp_path)
        with pytest.raises(RunError, match="in use by this process"), checkpoint.alone(link):
            pass
    with checkpoint.alone(tmp_path):
        pass


# Which checkpoints are kept


@pytest.mark.parametrize("keep", [1, 3])
def test_the_newest_checkpoints_are_kept(keep: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("rlkit/Exam-v0", steps=640, overrides=SMALL, out=run, keep=keep, checkpoint_every=128)
    assert steps_of(run) == [384, 512, 640][-keep:]
    resume(run, steps=896)
    assert steps_of(run) == [640, 768, 896][-keep:], "a resumed run keeps its own"
    resume(run, steps=1_152, keep=2, checkpoint_every=64)
    assert steps_of(run) == [1_088, 1_152]


def test_numbers_of_checkpoints_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep must be at least 1, not 0"):
        train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run", keep=0)
    with pytest.raises(ConfigError, match="checkpoint_every must be at least 1, not -5"):
        train("rlkit/Exam-v0", **EXAM | {"checkpoint_every": -5}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_others_keep_beside_checkpoints_stays(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("rlkit/Exam-v0", **EXAM, out=run)
    theirs = ["my-best-step-4096", "step-4096", "step-000000004096.old", "old-step-000000000064", "notes"]
    for name in theirs:
        (run / "checkpoints" / name).mkdir()
        (run / "checkpoints" / name / "agent.json").write_text("{}")
    (run / "checkpoints" / "step-000000000000" / "note.txt").write_text("mine")
    resume(run, steps=256)
    left = {path.name for path in (run / "checkpoints").iterdir()}
    assert left >= {*theirs, "step-000000000000", "step-000000000256"}
    assert [path.name for path in (run / "checkpoints" / "step-000000000000").iterdir()] == ["note.txt"]
    assert steps_of(run) == [128, 256]


def test_a_damaged_checkpoint_is_gone_back_behind(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 256, "overrides": SMALL, "checkpoint_every": 128}
    train("rlkit/Exam-v0", **settings, out=tmp_path / "whole")
    train("rlkit/Exam-v0", **settings, out=tmp_path / "run")
    newest = checkpoint.latest(tmp_path / "run")
    data = bytearray(tensors_of(newest).read_bytes())
    data[-1] ^= 1
    tensors_of(newest).write_bytes(data)
    with pytest.warns(
        UserWarning, match=r"step-000000000256/tensors.* the checkpoint before it is used, .*128"
    ):
        resume(tmp_path / "run")
    assert whole(newest) == whole(checkpoint.latest(tmp_path / "whole"))
    assert [r["step"] for r in log.read(tmp_path / "run")] == [64, 128, 192, 256]


def test_checkpoints_of_another_run_are_not_written_over(tmp_path: Path) -> None:
    train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run")
    (tmp_path / "run" / "config.json").unlink()
    with pytest.raises(RunError, match="already holds a run"):
        train("rlkit/Exam-v0", steps=64, overrides=SMALL, out=tmp_path / "run")
    assert steps_of(tmp_path / "run") == [0, 128]


# What a kill leaves


def killed_at(call: int, task: Any) -> bool:
    """Whether a task was killed before the `call`-th change of a file."""

    def run() -> None:
        dies_at(call)
        task()

    process = FORK.Process(target=run)
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_a_run_that_is_killed_at_its_start_can_be_resumed_or_begun(tmp_path: Path) -> None:
    """Never is it said to be a run, and then to have no checkpoint."""
    ways = set()
    for call in range(200):
        out = tmp_path / f"{call}"
        begin = lambda out=out: train("rlkit/Exam-v0", **EXAM, out=out)  # noqa: E731
        if not killed_at(call, begin):
            break
        if (out / "config.json").exists():
            ways.add("resumed")
            if checkpoint.load(out).steps < EXAM["steps"]:
                resume(out)
        else:
            ways.add("begun")
            begin()
        assert checkpoint.load(out).steps == 128
    assert ways == {"resumed", "begun"}


def test_metrics_survive_a_kill_while_they_are_written_anew(tmp_path: Path) -> None:
    with log.MetricsLog(tmp_path, step=0) as metrics:
        for step in (10, 20, 30):
            metrics.write({"step": step})
    before = (tmp_path / log.METRICS).read_text()
    call = 0
    while killed_at(call, lambda: log.MetricsLog(tmp_path, step=20)):
        assert [r["step"] for r in log.read(tmp_path)] in ([10, 20], [10, 20, 30])
        (tmp_path / log.METRICS).write_text(before)
        call += 1
    assert call >= 3


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"step": true}', b"\0"])
def test_a_damaged_line_of_metrics_is_left_out_and_said(line: bytes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("rlkit/Exam-v0", **EXAM, out=run)
    lines = (run / log.METRICS).read_bytes().splitlines()
    (run / log.METRICS).write_bytes(b"\n".join([lines[0], line, *lines[1:], b""]))
    with pytest.warns(UserWarning, match=r"metrics\.jsonl, line 2: no record .* the line is left out"):
        resume(run, steps=256)
    assert [r["step"] for r in log.read(run)] == [64, 128, 192, 256]


# What an error leaves


class Breaks(gymnasium.Env[int, int]):
    """Raises at its 300th step, if it is told to."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)
    taken, broken = 0, True

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        Breaks.taken += 1
        if Breaks.broken and Breaks.taken == 300:
            raise OSError("the simulator\nis gone")
        return 1, 1.0, action == 0, False, {}


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(gymnasium.registry, "Breaks-v0", None)
    monkeypatch.delitem(gymnasium.registry, "Breaks-v0")
    gymnasium.register("Breaks-v0", Breaks)
    monkeypatch.setattr(Breaks, "taken", 0)
    monkeypatch.setattr(Breaks, "broken", True)
    return "Breaks-v0"


def test_a_full_disk_is_named_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*checkpoints/step-0*/agent.json'"):
        train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run")


@pytest.mark.filterwarnings("ignore:.*no state of Breaks-v0")
@pytest.mark.parametrize(("agent", "kept"), [("ppo", 256), ("q_learning", 292)])
def test_what_was_learned_before_an_error_is_kept_and_named(
    agent: str, kept: int, breaks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rlkit.run.train, "WORK", 1e9)  # no checkpoint in between
    run, overrides = tmp_path / "run", SMALL if agent == "ppo" else {"num_envs": 4}
    with pytest.raises(
        Exception, match=r"is gone.*the last good checkpoint is .*step-0*\d+; resume with: "
    ) as e:
        train(breaks, agent=agent, steps=1_024, overrides=overrides, out=run)
    assert "\n" not in str(e.value)
    assert isinstance(e.value, rlkit.errors.RlkitError)
    assert checkpoint.load(run).steps == steps_of(run)[-1] >= kept
    monkeypatch.setattr(Breaks, "broken", False)
    assert resume(run).steps == 1_024


@pytest.mark.parametrize("error", [MemoryError("no memory"), RuntimeError("a worker died"), KeyError("x")])
def test_any_error_is_one_of_rlkit_that_says_how_to_resume(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterate = Rollouts.iterate

    def fails(rollouts: Rollouts, budget: int) -> dict[str, float]:
        if rollouts.clock.steps >= 128:
            raise error
        return iterate(rollouts, budget)

    monkeypatch.setattr(Rollouts, "iterate", fails)
    monkeypatch.setattr(rlkit.run.train, "WORK", 1e9)
    with pytest.raises(
        RunError, match=r"stopped after step 128: .*step-0*128; resume with: rlkit train --res"
    ) as e:
        train("rlkit/Exam-v0", steps=640, overrides=SMALL, out=tmp_path / "run")
    assert e.value.__cause__ is error
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="no state of (rlkit/)?Exam-v0; its episodes start over at step 128"):
        assert resume(tmp_path / "run").steps == 640


def test_a_full_disk_names_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = storage.save_file

    def full(tensors: Any, file: Path) -> None:
        if len(steps_of(tmp_path / "run")) == 2:
            raise storage.SafetensorError("No space left on device")
        write(tensors, file)

    monkeypatch.setattr(storage, "save_file", full)
    with pytest.raises(
        RunError, match=r"after step 128: .*No space left on device; .* is .*step-0*64; resume"
    ):
        train("rlkit/Exam-v0", steps=640, overrides=SMALL, out=tmp_path / "run", checkpoint_every=64)
    monkeypatch.undo()
    assert resume(tmp_path / "run").steps == 640


def test_a_disk_that_is_full_at_the_start_leaves_nothing_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: Any, file: Path) -> None:
        raise storage.SafetensorError("No space left on device")

    monkeypatch.setattr(storage, "save_file", full)
    with pytest.raises(OSError, match="cannot be written: No space left on device"):
        train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run")
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run").steps == 128


# What is said of edits


def test_edits_of_the_configuration_are_said(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train("rlkit/Exam-v0", **EXAM, out=run)
    config = json.loads((run / "config.json").read_text())
    config["config"]["gamma"] = 0.5
    (run / "config.json").write_text(json.dumps(config | {"seed": 7}))
    with pytest.warns(UserWarning, match="was edited; a resumed run keeps the seed, gamma of its checkpoint"):
        assert resume(run, steps=192).config.gamma == 0.99
    resume(run, steps=256)  # without a warning


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b'{"steps": true}'])
def test_a_configuration_that_is_damaged_is_named(content: bytes, tmp_path: Path) -> None:
    train("rlkit/Exam-v0", **EXAM, out=tmp_path / "run")
    (tmp_path / "run" / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"no run that can be resumed: .*config\.json"):
        resume(tmp_path / "run")


def test_a_configuration_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    os.truncate(tmp_path / "config.json", 10 << 30)
    with pytest.raises(RunError, match="more than 67,108,864 bytes"):
        resume(tmp_path)


def test_steps_that_no_checkpoint_can_count_are_refused() -> None:
    with pytest.raises(StepsError, match="steps must be at most"):
        train("rlkit/Exam-v0", steps=2**64)


@pytest.mark.parametrize("find", [checkpoint.load, checkpoint.latest])
def test_a_run_without_checkpoints_says_so(find: Any, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="holds no checkpoint"):
        find(tmp_path)


def test_an_agent_of_another_version_is_named(tmp_path: Path) -> None:
    PPO("rlkit/Exam-v0", hidden=(8,)).save(tmp_path / "saved")
    forge(tmp_path / "saved", lambda meta: meta.update(agent="dreamer"))
    with pytest.raises(LoadError, match=r"no agent 'dreamer'; the agents are a2c, .*, sac"):
        checkpoint.load(tmp_path / "saved")
