"""rlkit's own formats, which keep every field of a model exactly: JSON to read, NPZ to load fast."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rlkit.core.files.text import fail, open_reader, open_writer, read_text
from rlkit.core.mdp import MDP
from rlkit.core.validation import ModelError

FORMAT, VERSION = "rlkit-mdp", 1
ARRAYS: Mapping[str, type[np.generic]] = {
    "state_ptr": np.int64,
    "choice_ptr": np.int64,
    "successor": np.int64,
    "probability": np.float64,
    "reward": np.float64,
    "action": np.int64,
    "initial": np.float64,
    "transition_reward": np.float64,
}
DEFLATE_LIMIT = 1032  # no deflate stream grows by more than this


def write_json(mdp: MDP, path: Path) -> None:
    """Write every field of a model as JSON, one field a line."""
    fields: dict[str, Any] = _head(mdp)
    fields |= {"labels": {name: np.asarray(states).tolist() for name, states in mdp.labels.items()}}
    fields |= {name: array.tolist() for name, array in _arrays(mdp).items()}
    with open_writer(path) as stream:
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
        stream.write(b"{\n")
        for i, line in enumerate(lines):
            stream.write((",\n" if i else "").encode() + line.encode())
        stream.write(b"\n}\n")


def read_json(path: Path) -> MDP:
    """Read what `write_json` wrote; raises `ModelError` with file and line, or file and field."""
    text = read_text(path).rstrip()
    try:
        fields = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise fail(path, error.lineno, f"no JSON: {error.msg}") from None
    except _DuplicateField as error:
        raise fail(path, None, f"field {error} stands twice") from None
    except (RecursionError, ValueError) as error:
        raise fail(path, None, f"no JSON that can be read: {error}") from None
    if not isinstance(fields, dict):
        raise fail(path, 1, "expected a JSON object")
    arrays = {name: fields.get(name) for name in ARRAYS}
    return _build(path, fields, arrays, fields.get("labels"))


def write_npz(mdp: MDP, path: Path) -> None:
    """Write every field of a model as arrays; names, which have no fixed length, as a JSON header."""
    head = _head(mdp) | {"labels": list(mdp.labels)}
    labels = {f"label_{i}": np.asarray(x, np.int64) for i, x in enumerate(mdp.labels.values())}
    header = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, header=header, **_arrays(mdp), **labels)
    with open_writer(path) as stream:
        stream.write(buffer.getbuffer())


def read_npz(path: Path) -> MDP:
    """Read what `write_npz` wrote, without unpickling anything; raises `ModelError` with file and field."""
    try:
        with open_reader(path) as stream:
            members = _members(io.BytesIO(stream.read()), path)
        head = json.loads(bytes(members.pop("header", np.empty(0, np.uint8))).decode("utf-8"))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise fail(path, None, f"the archive is damaged: {error}") from error
    except ValueError as error:
        raise fail(path, None, f"no archive of rlkit: {error}") from error
    if not isinstance(head, dict) or not isinstance(head.get("labels"), list):
        raise fail(path, None, "no archive of rlkit: its header is none")
    labels = {name: members.get(f"label_{i}") for i, name in enumerate(head["labels"])}
    return _build(path, head, {name: members.get(name) for name in ARRAYS}, labels)


def _members(stream: IO[bytes], path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive, whose claims are compared with the bytes behind them."""
    arrays = {}
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in arrays:
                raise fail(path, None, f"field {name!r} stands twice")
            if info.file_size > DEFLATE_LIMIT * (info.compress_size + 1):
                raise fail(
                    path, None, f"field {name!r} claims {info.file_size} bytes, more than the file holds"
                )
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                if version != (1, 0):
                    raise fail(path, None, f"field {name!r} is an array of an unknown version")
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
                content = member.read()
            if dtype.hasobject or len(shape) != 1 or shape[0] * dtype.itemsize != len(content):
                raise fail(path, None, f"field {name!r} does not hold the numbers that it claims")
            arrays[name] = np.frombuffer(content, dtype=dtype)
    return arrays


def _head(mdp: MDP) -> dict[str, Any]:
    """The fields that are no arrays."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "discount": mdp.discount,
        "fade": mdp.fade,
        "zero_sum": mdp.zero_sum,
        "state_names": mdp.state_names,
        "action_names": mdp.action_names,
    }


def _arrays(mdp: MDP) -> dict[str, npt.NDArray[Any]]:
    """The fields that are arrays, as far as the model has them."""
    fields = {name: getattr(mdp, name) for name in ARRAYS}
    return {name: array for name, array in fields.items() if array is not None}


def _build(path: Path, head: Mapping[str, Any], arrays: Mapping[str, Any], labels: Any) -> MDP:
    """The model of fields that may hold anything."""
    if head.get("format") != FORMAT:
        raise fail(path, 1, f'expected "format": "{FORMAT}", found {str(head.get("format"))[:40]!r}')
    if head.get("version") != VERSION:
        raise fail(path, 1, f"version {str(head.get('version'))[:40]} is unknown; this rlkit reads {VERSION}")
    numbers: dict[str, Any] = {"discount": head.get("discount"), "fade": head.get("fade", 0.0)}
    for name, number in numbers.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise fail(path, None, f"{name} must be a number, not {str(number)[:40]!r}")
    if not isinstance(zero_sum := head.get("zero_sum", False), bool):
        raise fail(path, None, f"zero_sum must be true or false, not {str(zero_sum)[:40]!r}")
    if not isinstance(labels, dict):
        raise fail(path, None, "labels must map names to states")
    given: dict[str, Any] = {
        name: None
        if name == "transition_reward" and arrays[name] is None
        else _array(path, name, arrays[name], dtype)
        for name, dtype in ARRAYS.items()
    }
    named = {str(k): _array(path, f"label {k!r}", v, np.int64) for k, v in labels.items()}
    if unsorted := [k for k, states in named.items() if (np.diff(states) <= 0).any()]:
        raise fail(path, None, f"the states of label {unsorted[0]!r} must ascend")
    names: dict[str, Any] = {key: _names(path, key, head.get(key)) for key in ("state_names", "action_names")}
    try:
        return MDP(**given, **names, labels=named, zero_sum=zero_sum, **numbers)
    except ModelError as error:
        raise fail(path, None, str(error)) from error


def _array(path: Path, name: str, value: Any, dtype: type[np.generic]) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.empty((0, 0))
    kinds = "iu" if dtype is np.int64 else "iuf"
    if value is None or array.ndim != 1 or (array.size and array.dtype.kind not in kinds):
        raise fail(path, None, f"{name} must be a list of {'whole ' if dtype is np.int64 else ''}numbers")
    return array.astype(dtype)


def _names(path: Path, key: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise fail(path, None, f"{key} must be a list of names")
    return tuple(value)


class _DuplicateField(ValueError):
    """A field that a JSON object has twice."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateField(repr(next(name for name in names if names.count(name) > 1)))
    return fields
