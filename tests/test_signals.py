"""What asks a program to stop, and what it leaves behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pseudo_terminal import rest, started

from rlkit.signals import stop_signals

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"  # the cursor


def test_the_first_signal_is_kept_and_the_second_stops() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals(gently=True) as received:
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert received == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as received:
            signal.raise_signal(signal.SIGHUP)
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_forked_child_can_be_terminated() -> None:
    with stop_signals(gently=True) as received:
        child = os.fork()
        if child == 0:
            try:
                signal.raise_signal(signal.SIGTERM)
            except KeyboardInterrupt:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert received == []


def test_a_signal_in_code_compiled_from_text_leaves_the_exit_status(tmp_path: Path) -> None:
    lines = [
        "import signal, sys",
        "from rlkit.signals import stop_signals",
        "with stop_signals():",
        "    try:",
        "        exec('signal.raise_signal(signal.SIGTERM)')",
        "    except KeyboardInterrupt:",
        "        pass",
        "sys.exit(143)",
    ]
    (tmp_path / "program.py").write_text("\n".join(lines))
    assert subprocess.run([sys.executable, "-m", "program"], cwd=tmp_path).returncode == 143


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_there_is_a_command_leaves_the_exit_status(signum: int) -> None:
    """Typer looks after those that come while a command runs, not while it makes its commands."""
    lines = [
        "import signal, sys, typer.main",
        "from rlkit.cli import main",
        f"signal.signal({int(signum)}, signal.SIG_DFL)  # what the tests run under may ignore it",
        f"typer.main.get_command = lambda _: signal.raise_signal({int(signum)})",
        "sys.argv = ['rlkit', 'envs']",
        "main()",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], stderr=subprocess.PIPE)
    assert (done.returncode, b"Traceback" in done.stderr) == (128 + signum, False)


@pytest.mark.parametrize("shown", [HIDE, b"steps/s"], ids=["before it learns", "while it learns"])
def test_a_terminated_training_shows_the_cursor_again(shown: bytes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rlkit", "train", "exam", "--steps", "50000000", "--out", "run"]
    process, terminal = started(command, tmp_path, {"COLUMNS": "100"})
    seen = b""
    while shown not in seen:
        seen += os.read(terminal, 65536)
    process.terminate()
    seen += rest(terminal)
    assert process.wait() == 128 + signal.SIGTERM
    assert seen.rindex(SHOW) > seen.rindex(HIDE)
    assert b"Traceback" not in seen
