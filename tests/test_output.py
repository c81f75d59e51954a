"""Where output goes: encodings that lack characters, and readers that leave."""

import codecs
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from pseudo_terminal import rest, started

from rlkit.plain import LOOKALIKES
from rlkit.run import checkpoint

RLKIT = [sys.executable, "-m", "rlkit"]
MAP = [*RLKIT, "solve", "rlkit/GridWorld-v0"]
TRAIN = [*RLKIT, "train", "exam", "--out", "run", "--steps"]
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shown(command: list[str], env: dict[str, str], encoding: str) -> str:
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode(encoding)


@cache
def in_utf8() -> str:
    return shown(MAP, {"PYTHONIOENCODING": "utf-8"}, "utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_has_a_lookalike_as_wide(encoding: str) -> None:
    expected = in_utf8().splitlines()
    found = shown(MAP, {"PYTHONIOENCODING": encoding}, encoding).splitlines()
    maps = [next(line for line in lines if "   G" in line) for lines in (expected, found)]
    assert maps[0].count("→") == maps[1].count(">") == 3
    assert [len(line) for line in maps] == [len(maps[0])] * 2


def test_a_training_in_the_c_locale_ends_well(tmp_path: Path) -> None:
    process, terminal = started([*TRAIN, "2000"], tmp_path, {**C_LOCALE, "COLUMNS": "100", "LINES": "40"})
    seen = rest(terminal)
    assert process.wait() == 0
    assert seen.isascii()
    assert b"*" in seen, "the curve"


def test_a_folder_with_letters_that_the_locale_lacks_is_refused_and_gone(tmp_path: Path) -> None:
    command = [*RLKIT, "train", "exam", "--steps", "200", "--out", "ü"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env={**os.environ, **C_LOCALE})
    assert done.returncode == 2
    assert done.stderr.startswith(b"rlkit: ?? has letters that this locale lacks")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u2800\u28ff", "a *"),
        ("né²ᵀ", "ne2T"),
        ("\u4e2d", "?"),
        ("".join(LOOKALIKES), "".join(LOOKALIKES.values())),
    ],
)
def test_lookalikes(text: str, expected: str) -> None:
    assert codecs.encode(text, "ascii", errors="lookalikes") == expected.encode()
    assert len(expected) == len(text)


def test_a_training_whose_reader_leaves_is_saved(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*TRAIN, "50000000"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    while "steps/s" not in process.stdout.readline():
        pass
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE
    saved = checkpoint.latest(tmp_path / "run")
    assert said.startswith(
        f"rlkit: stopped and saved at step {int(saved.name.removeprefix('step-'))}; resume"
    )
    assert int(saved.name.removeprefix("step-")) > 0


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_nobody_reads_an_answer(form: list[str]) -> None:
    gone, ours = os.pipe()
    os.close(gone)
    done = subprocess.run([*RLKIT, "envs", *form], stdout=ours, stderr=subprocess.PIPE, text=True)
    os.close(ours)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("streams", [[1], [2], [1, 2]], ids=str)
def test_closed_streams_lose_what_goes_there_alone(streams: list[int], tmp_path: Path) -> None:
    def close() -> None:
        for stream in streams:
            os.close(stream)

    done = subprocess.run([*TRAIN, "200"], cwd=tmp_path, capture_output=True, preexec_fn=close)
    assert done.returncode == 0
    assert checkpoint.latest(tmp_path / "run").name == f"step-{200:012d}"
    assert (b"optimum" in done.stdout) == (1 not in streams)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_does_not_fit_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(MAP, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "rlkit: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_training_that_cannot_be_shown_is_saved(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*TRAIN, "2000"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, "rlkit: No space left on device\n"), "of the grade"
    assert checkpoint.latest(tmp_path / "run").name == f"step-{2000:012d}"


@pytest.mark.parametrize("size", ["", "0", "-5", "\u00b2", "9" * 5000])
def test_a_terminal_as_wide_as_nothing_is_not_believed(size: str) -> None:
    usual = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    found, expected = (
        subprocess.run([*RLKIT, "envs"], env=usual | sizes, capture_output=True, text=True)
        for sizes in ({"COLUMNS": size, "LINES": size}, {})
    )
    assert (found.stdout, found.stderr) == (expected.stdout, "")


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nope"])
def test_pictures_do_not_depend_on_the_backend_of_a_notebook(backend: str, tmp_path: Path) -> None:
    command = [*RLKIT, "solve", "exam", "--plot", "x.png"]
    env = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_error_that_nobody_can_read_is_still_one_of_input() -> None:
    with open("/dev/full", "w") as full:
        assert subprocess.run([*RLKIT, "solve", "nosuch"], stderr=full).returncode == 2


def test_play_without_any_stream_is_bad_input() -> None:
    def close() -> None:
        for stream in range(3):
            os.close(stream)

    assert subprocess.run([*RLKIT, "play", "exam"], preexec_fn=close).returncode == 2


def test_gymnasiums_warnings_are_called_warnings_once(tmp_path: Path) -> None:
    lines = ["import gymnasium", "gymnasium.logger.warn('odd')"]
    (tmp_path / "odd.py").write_text("\n".join(lines))
    done = subprocess.run([*RLKIT, "check", "odd:Odd-v0"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.startswith("rlkit: warning: odd\n")


def test_help_goes_to_stdout_with_json_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rlkit", "solve", "--json", "--help"], stdout=subprocess.PIPE
    )
    assert b"Usage" in done.stdout
