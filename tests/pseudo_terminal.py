"""Programs that think a person is looking at them."""

import os
import subprocess
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")  # Windows has none


def started(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """The program, on a terminal of its own, and the file to read what it shows from."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **env}
    )
    os.close(theirs)
    return process, ours


def rest(terminal: int) -> bytes:
    """All that is shown from now on."""
    seen = b""
    try:
        while part := os.read(terminal, 65536):
            seen += part
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return seen
