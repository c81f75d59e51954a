"""Checkpoints of a run: the newest are kept, each written before an older one goes; and who writes them."""

import json
import os
import platform
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rlkit import storage
from rlkit.agents import Agent, LoadError
from rlkit.errors import RlkitError
from rlkit.experience.source import import_trusted
from rlkit.registry import RegistryError, check_imported, find
from rlkit.storage import CHECKPOINT, CHECKPOINTS, META

try:
    import fcntl
except ImportError:  # on Windows, where nobody is told that a run is in use
    fcntl = None  # type: ignore[assignment]

KEEP = 2  # checkpoints: the newest, and one to go back to if that is damaged
LOCK, CONFIG, METRICS, BOARD = ".lock", "config.json", "metrics.jsonl", "tensorboard"
_held: set[Path] = set()  # run folders, in this process


class RunError(RlkitError):
    """A run folder cannot be used: it holds another run, or none, or somebody writes to it."""


def save(run_dir: Path, agent: Agent, *, keep: int = KEEP, new_episodes: bool = False) -> Path:
    """Write a checkpoint of the agent's present step, and remove all but the newest `keep`.

    One of a later step is removed as well: the run has gone back behind it. With `new_episodes` it
    resumes in new episodes.
    """
    path = run_dir / CHECKPOINTS / f"step-{agent.steps:012d}"
    agent.save(path, new_episodes=new_episodes)
    kept = [other for other in storage.checkpoints(run_dir) if other <= path][-keep:]
    for other in path.parent.iterdir():
        if CHECKPOINT.fullmatch(other.name) and other.is_dir() and other not in kept:
            storage.remove(other)
    return path


def latest(run_dir: Path) -> Path:
    """The newest checkpoint of a run; LoadError if it has none."""
    found = storage.checkpoints(run_dir)
    if not found:
        raise LoadError(f"{run_dir} holds no checkpoint (looked in {run_dir / CHECKPOINTS})")
    return found[-1]


def load(
    path: str | Path,
    *,
    env_kwargs: Mapping[str, Any] | None = None,
    device: str = "auto",
    trust_env: str | Sequence[str] = (),
) -> Agent:
    """The agent in a run folder, or in a folder that `Agent.save` wrote, whatever its algorithm."""
    saved = storage.read(Path(path))
    name = saved.meta["agent"]
    import_trusted(trust_env)
    try:
        check_imported([name])
        algorithm: type[Agent] = find("agent", name)
    except RegistryError as error:
        raise LoadError(f"{saved.path / META}: {error}") from None
    return algorithm.load(saved, env_kwargs=env_kwargs, device=device, trust_env=trust_env)


@contextmanager
def alone(run_dir: Path) -> Iterator[None]:
    """Write to a run that nobody else writes to; RunError says who does.

    The lock goes with the process that holds it, however that ends. RunError too for a link in the folder.
    """
    folder = run_dir.resolve()
    file = folder / LOCK
    _check_own(folder)
    if folder in _held:
        raise RunError(f"{run_dir} is in use by this process")
    handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        if fcntl is not None:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise RunError(f"{run_dir} is in use by {_holder(file)}") from None
            except OSError:  # a file system without locks
                pass
        _held.add(folder)
        holder = {"pid": os.getpid(), "host": platform.node(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        with suppress(OSError):  # a full disk: what is written next says so
            os.truncate(handle, 0)
            os.write(handle, json.dumps(holder).encode())
        yield
    finally:
        _held.discard(folder)
        os.close(handle)


def _check_own(folder: Path) -> None:
    """RunError for a link or a device where a run is written: writing there would change something else."""
    written = [folder / name for name in (LOCK, CONFIG, METRICS, BOARD, CHECKPOINTS)]
    kept = [path for path in (folder / CHECKPOINTS).glob("step-*") if CHECKPOINT.fullmatch(path.name)]
    inside = [path for root in (*kept, folder / BOARD) if root.is_dir() for path in root.iterdir()]
    for path in (*written, *kept, *inside):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        own = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not own and not stat.S_ISDIR(found.st_mode):
            raise RunError(f"{path} is a link or a device; a run is written to files and folders of its own")


def _holder(file: Path) -> str:
    with suppress(OSError, ValueError, LookupError, TypeError):
        holder = json.loads(file.read_bytes())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    return "another process"
