"""rlkit's own formats, which keep every field of a model exactly: JSON to read, NPZ to load fast."""

import io
import json
import reprlib
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rlkit.core.errors import ModelError
from rlkit.core.files.format import Format
from rlkit.core.files.text import fail, most_bytes, open_writer, pieces, read_text
from rlkit.core.mdp import MDP

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
MOST_BRACKETS = 1_000  # of a JSON file, besides one in eight characters: what is empty costs most
KNOWN_FLAGS = 0x80E  # of a zip member: how well it was compressed, sizes behind it, names in UTF-8
KNOWN_TYPES = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


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
    if text.count("[") + text.count("{") > MOST_BRACKETS + len(text) // 8:
        raise fail(path, None, "more lists than a model has")
    try:
        fields = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise fail(path, error.lineno, f"not JSON: {error.msg}") from None
    except _DuplicateField as error:
        raise fail(path, None, f"field {error} appears twice") from None
    except (RecursionError, ValueError) as error:
        raise fail(path, None, f"not readable as JSON: {error}") from None
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
        if path.suffix == ".gz":
            members = _members(io.BytesIO(b"".join(pieces(path))), path)
        else:
            with open(path, "rb") as stream:
                members = _members(stream, path)
        head = json.loads(bytes(members.pop("header", np.empty(0, np.uint8))).decode("utf-8"))
    except ModelError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, NotImplementedError) as error:
        if isinstance(error, OSError) and error.filename is not None:  # it could not be opened
            raise
        raise fail(path, None, f"the archive is damaged: {error}") from error
    except (ValueError, RecursionError) as error:
        raise fail(path, None, f"not an rlkit archive: {error}") from error
    if not isinstance(head, dict) or not _is_names(head.get("labels")):
        raise fail(path, None, "not an rlkit archive: its header is invalid")
    labels = {name: members.get(f"label_{i}") for i, name in enumerate(head["labels"])}
    return _build(path, head, {name: members.get(name) for name in ARRAYS}, labels)


def _members(stream: IO[bytes], path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive, whose claims are compared with the bytes behind them."""
    arrays = {}
    size = stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream) as archive:
        claimed = sum(info.file_size for info in archive.infolist())
        if claimed > most_bytes(size):
            raise fail(path, None, f"its fields claim {claimed:,} bytes, far more than models of its size do")
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in arrays:
                raise fail(path, None, f"field {name!r} appears twice")
            if info.flag_bits & ~KNOWN_FLAGS or info.compress_type not in KNOWN_TYPES:
                raise fail(path, None, f"field {name!r} is encrypted, or compressed in an unknown way")
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
        "reward_decay": mdp.reward_decay,
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
        raise fail(path, 1, f'expected "format": "{FORMAT}", found {reprlib.repr(head.get("format"))}')
    if head.get("version") != VERSION:
        version = reprlib.repr(head.get("version"))
        raise fail(path, 1, f"version {version} is unknown; this rlkit reads {VERSION}")
    numbers: dict[str, Any] = {
        "discount": head.get("discount"),
        "reward_decay": head.get("reward_decay", 0.0),
    }
    for name, number in numbers.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise fail(path, None, f"{name} must be a number, not {reprlib.repr(number)}")
    if not isinstance(zero_sum := head.get("zero_sum", False), bool):
        raise fail(path, None, f"zero_sum must be true or false, not {reprlib.repr(zero_sum)}")
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
    if not _is_names(value):
        raise fail(path, None, f"{key} must be a list of names")
    return tuple(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


class _DuplicateField(ValueError):
    """A field that a JSON object has twice."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        count = Counter(name for name, _ in pairs)
        raise _DuplicateField(repr(max(count, key=lambda name: count[name])))
    return fields


JSON = Format(read_json, write_json, exact=True)
NPZ = Format(read_npz, write_npz, exact=True)
