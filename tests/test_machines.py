"""Where rlkit runs: beside programs that look around first, and where nothing can be written."""

import subprocess
import sys

import pytest
from numba.core import caching

from rlkit.machine_code import machine_code


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_ids_are_registered_after_a_look_for_gymnasium() -> None:
    look = "import importlib.util, rlkit; assert importlib.util.find_spec('gymnasium'); import gymnasium; "
    assert run(look + "print(gymnasium.make('rlkit/Exam-v0').spec.id)") == "rlkit/Exam-v0"


def test_the_import_hook_leaves() -> None:
    count = "import sys, rlkit; before = len(sys.meta_path); import gymnasium; "
    assert run(count + "print(before - len(sys.meta_path))") == "1"


def doubled(x: int) -> int:
    return 2 * x


def test_loops_are_compiled_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (caching.CompileResultCacheImpl, caching.CacheImpl):
        monkeypatch.setattr(kind, "_locator_classes", [])
    compiled = machine_code(nogil=True)(doubled)
    assert compiled(21) == 42
    assert compiled.nopython_signatures
    assert not compiled.stats.cache_path
