"""Agents on disk: a folder of one safetensors and one JSON file, read without code.

agent.json names the file of tensors by its checksum and is put in place last, in one step: a reader finds the
old agent or the new one, never a part, and a save that is killed leaves the old one.
"""

import errno
import hashlib
import json
import os
import re
import secrets
import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rlkit.settings import MOST

from .errors import DAMAGE, DamagedError, LoadError, UnsupportedError, one_line
from .trees import flat, nested

try:
    import fcntl
except ImportError:  # on Windows, where who saves to one folder must take turns
    fcntl = None  # type: ignore[assignment]

FORMAT = 3
META = "agent.json"
MAX_META = 2**26  # bytes
CHECKPOINTS = "checkpoints"  # in a run folder
CHECKPOINT = re.compile(r"step-\d{12}")
TENSORS = re.compile(r"tensors-[0-9a-f]{16}\.safetensors")
STAGED = re.compile(r"\.staged-[0-9a-f]{16}(\.\w+)?")


class Tensors(Mapping[str, Tensor]):
    """The tensors of a file, each read when it is asked for; the file may be removed meanwhile."""

    def __init__(self, file: Path) -> None:
        opened: Any = safe_open(file, framework="pt")
        self._file = opened
        self._names: set[str] = set(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        tensor: Tensor = self._file.get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Saved(NamedTuple):
    """A saved agent: the folder it was read from, its JSON and its tensors."""

    path: Path
    meta: dict[str, Any]
    tensors: Mapping[str, Tensor]

    def state(self, part: str) -> dict[str, Any]:
        """A part of the state that was written, read from the disk now; DamagedError where it is no tree."""
        own = {name: self.tensors[name] for name in self.tensors if name.startswith(f"{part}/")}
        try:
            found: dict[str, Any] = nested(flat({part: self.meta["state"][part]}) | own).get(part, {})
        except DAMAGE as error:
            raise DamagedError(f"{self.path} is damaged: {one_line(error)}") from None
        return found


def split(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A tree's tensors and arrays by name, and the tree of the rest, with all of its parts."""
    leaves = flat(state)
    tensors = {name: torch.as_tensor(x) for name, x in leaves.items() if isinstance(x, Tensor | np.ndarray)}
    rest = nested({name: x for name, x in leaves.items() if name not in tensors})
    return tensors, {part: {} for part in state} | rest


def write(path: Path, meta: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write JSON and a tree of tensors, arrays and JSON values to a folder, replacing an older agent.

    FileExistsError if it holds anything else.
    """
    tensors, rest = split(state)
    path.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        if not (path / META).exists() and not all(_is_ours(file) for file in path.iterdir()):
            raise FileExistsError(f"{path} exists and is not a saved agent; it is left as it is")
        try:
            _write(path, tensors, {**meta, "state": rest})
        finally:
            _clean(path)


def _write(path: Path, tensors: Mapping[str, Tensor], meta: dict[str, Any]) -> None:
    with staged(path / META) as file:
        try:
            save_file(apart(tensors), file)
        except SafetensorError as error:
            raise OSError(errno.EIO, f"cannot be written: {one_line(error)}", str(path)) from None
        file.chmod(path.stat().st_mode & 0o666)  # as any new file, not safetensors' 600
        size, digest = file.stat().st_size, _digest(file)
        put(file, path / _tensors_name(digest))
    meta = {"format": FORMAT, **meta, "tensors": {"sha256": digest, "bytes": size}}
    text = json.dumps({**meta, "sha256": _digest_of(meta)}, indent=1) + "\n"
    if len(text) > MAX_META:
        raise UnsupportedError(f"the agent cannot be saved: its {META} would have {len(text):,} bytes")
    replace_text(path / META, text)


def replace_text(file: Path, text: str) -> None:
    """Write a file in one step: a kill, or a full disk, leaves the old one."""
    with staged(file) as unfinished:
        unfinished.write_text(text)
        put(unfinished, file)


def put(complete: Path, file: Path) -> None:
    """Move a file that is complete to its place; both survive a loss of power."""
    _sync(complete)
    complete.replace(file)
    _sync(file.parent)


def remove(path: Path) -> None:
    """Remove a saved agent, and its folder if nothing else is in it."""
    (path / META).unlink(missing_ok=True)  # first: what is half removed is no saved agent
    _clean(path)


@contextmanager
def staged(file: Path) -> Iterator[Path]:
    """Where to write what is then put in place of a file; it goes if it is not; errors name the file."""
    unfinished = file.parent / f".staged-{secrets.token_hex(8)}{file.suffix}"
    try:
        yield unfinished
    except OSError as error:
        error.filename = str(file)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else saves to this folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):  # on a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)  # also for processes that were forked meanwhile
        os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clean(path: Path) -> None:
    """Remove the tensors that agent.json does not name, and what a killed save left there."""
    try:
        named = _tensors_name(json.loads((path / META).read_text())["tensors"]["sha256"])
    except (OSError, ValueError, LookupError, TypeError):
        named = ""
    for file in path.iterdir():
        if _is_ours(file) and file.name != named:
            file.unlink(missing_ok=True)
    with suppress(OSError):  # if nothing is left
        path.rmdir()


def _is_ours(file: Path) -> bool:
    return bool(TENSORS.fullmatch(file.name) or STAGED.fullmatch(file.name))


def _tensors_name(digest: str) -> str:
    return f"tensors-{digest[:16]}.safetensors"


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _digest_of(meta: object) -> str:
    return hashlib.sha256(json.dumps(meta).encode()).hexdigest()


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, those copied that share memory with one before: networks can share layers."""
    found: dict[str, Tensor] = {}
    used = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if memory in used else tensor
        used.add(memory)
    return found


def checkpoints(run_dir: Path) -> list[Path]:
    """The checkpoints of a run folder that were written in full, the oldest first."""
    found = (run_dir / CHECKPOINTS).glob("step-*")
    return sorted(path for path in found if CHECKPOINT.fullmatch(path.name) and (path / META).exists())


def read(path: Path) -> Saved:
    """The saved agent in a folder, or the newest good one in a run folder; LoadError says what is wrong.

    A warning names the checkpoints that are damaged.
    """
    if not (path / META).exists() and (path / CHECKPOINTS).is_dir():
        return _read_newest(path)
    before = None
    while True:
        meta = _read_meta(path)
        try:
            return Saved(path, meta, _read_tensors(path, meta["tensors"]))
        except FileNotFoundError as error:
            if meta == before:  # else it was replaced between the two
                raise DamagedError(f"{path} is damaged: {error.filename} is missing") from None
            before = meta


def _read_newest(run_dir: Path) -> Saved:
    found = checkpoints(run_dir)
    errors: list[DamagedError] = []
    for path in reversed(found):
        try:
            saved = read(path)
        except DamagedError as error:
            if not (path / META).exists():  # it went since it was found: there is a newer one
                return _read_newest(run_dir)
            errors.append(error)
            continue
        for damage in errors:
            warnings.warn(f"{damage}; the checkpoint before it is used, {path.name}", stacklevel=2)
        return saved
    if errors:
        raise errors[0]
    raise LoadError(f"{run_dir} holds no checkpoint (looked in {run_dir / CHECKPOINTS})")


def _read_tensors(path: Path, known: dict[str, Any]) -> Tensors:
    file = path / _tensors_name(known["sha256"])
    try:
        if not TENSORS.fullmatch(file.name):
            raise DamagedError(f"{path / META} is damaged: it names the file {_short(file.name)}")
        if (size := file.stat().st_size) != known["bytes"]:
            raise DamagedError(f"{file} is damaged: it has {size} bytes, not {known['bytes']}")
        if _digest(file) != known["sha256"]:
            raise DamagedError(f"{file} is damaged: its checksum is not the one in {META}")
        return Tensors(file)
    except SafetensorError as error:
        raise DamagedError(f"{file} is damaged: {one_line(error)}") from None
    except (OSError, RuntimeError) as error:  # torch opens the file a second time
        if not file.exists():
            raise FileNotFoundError(errno.ENOENT, "it went", str(file)) from None
        raise LoadError(f"{file} cannot be read: {one_line(error)}") from None


def read_json(file: Path) -> Any:
    """What a file of JSON holds; ValueError or RecursionError if it is damaged, far too large or a pipe."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no regular file")
    with file.open("rb") as handle:
        text = handle.read(MAX_META + 1)
    if len(text) > MAX_META:
        raise ValueError(f"it has more than {MAX_META:,} bytes")
    return json.loads(text)


def _read_meta(path: Path) -> dict[str, Any]:
    """The JSON of a saved agent, each field of it of the right type; DamagedError names one that is not."""
    file = path / META
    try:
        meta = read_json(file)
        digest = meta.pop("sha256", None) if isinstance(meta, dict) else None
        right = digest == _digest_of(meta)
    except FileNotFoundError:
        if not path.exists():
            raise LoadError(f"there is no folder {path}") from None
        raise LoadError(f"{path} holds no checkpoint and is no saved agent: {META} is missing") from None
    except OSError as error:
        raise LoadError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{file} is damaged: {one_line(error)}") from None
    if not isinstance(meta, dict):
        raise DamagedError(f"{file} is damaged: it must hold an object, not {_short(meta)}")
    if (version := meta.get("format")) != FORMAT:
        raise DamagedError(f"{file} has the format {_short(version)}; this version of rlkit reads {FORMAT}")
    if not right:
        raise DamagedError(f"{file} is damaged: its checksum does not fit")
    _check_fields(file, meta, FIELDS)
    _check_fields(file, meta["tensors"], {"sha256": str, "bytes": int})
    state = meta["state"]
    _check_fields(file, state, {"loop": dict, "learner": dict})
    _check_fields(file, state["loop"], {"steps": int, "horizon": int, "early_stopping": dict})
    if "experience" in state:
        _check_fields(file, state, {"experience": dict})
        _check_fields(file, state["experience"], {"num_envs": int, "episodes": int, "finished": list})
    return meta


# The fields that every agent.json has. Numbers count something: none is below 0.
FIELDS: dict[str, type | UnionType] = {
    "agent": str,
    "env_id": str | None,
    "env_kwargs": dict,
    "config": dict,
    "seed": int,
    "observation_space": dict,
    "action_space": dict,
    "state": dict,
    "tensors": dict,
}
SHOWN: dict[type | UnionType, str] = {
    str: "text",
    str | None: "text or null",
    dict: "an object",
    list: "a list",
}


def _check_fields(file: Path, meta: dict[str, Any], fields: dict[str, type | UnionType]) -> None:
    for name, kind in fields.items():
        if name not in meta:
            raise DamagedError(f"{file} is damaged: it has no {name!r}")
        value = meta[name]
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits or (isinstance(value, int) and not 0 <= value <= MOST):
            expected = SHOWN.get(kind, "a whole number of at least 0")
            raise DamagedError(f"{file} is damaged: {name} must be {expected}, not {_short(value)}")


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."
