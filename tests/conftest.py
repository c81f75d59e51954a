"""One thread a worker, as workers take all cores; and the command line, for the tests that run it."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def rlkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Run a command line in an empty folder; returns exit status, stdout and stderr."""
    from rlkit import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["rlkit", *args])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out = capsys.readouterr()
        return stop.value.code, out.out, out.err

    return run
