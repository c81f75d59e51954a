"""Agents on disk: a folder of one safetensors and one JSON file, written atomically, read without code."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .config import MAX_SEED
from .errors import LoadError, UnsupportedError, one_line

TENSORS = "tensors.safetensors"
META = "agent.json"


def write(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write the folder `path`, replacing an older one; a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not (path / META).exists():
        raise FileExistsError(f"{path} exists and is not a saved agent; it is left as it is")
    staged, old = (path.with_name(f".{path.name}-{secrets.token_hex(8)}") for _ in range(2))
    try:
        staged.mkdir()
        save_file(apart(tensors), staged / TENSORS)
        (staged / META).write_text(json.dumps(meta, indent=1) + "\n")
        (staged / TENSORS).chmod((staged / META).stat().st_mode)  # of any new file, not safetensors' 600
        for file in (staged / TENSORS, staged / META):
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        if path.exists():
            path.replace(old)
            staged.replace(path)
            shutil.rmtree(old)
        else:
            staged.replace(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, those copied that share memory with one before: networks can share layers."""
    found: dict[str, Tensor] = {}
    used = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if memory in used else tensor
        used.add(memory)
    return found


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, JSON) of a saved agent; LoadError says what is missing or damaged."""
    meta = read_meta(path)
    try:
        return load_file(path / TENSORS), meta
    except FileNotFoundError:
        raise LoadError(f"{path} is not a saved agent: {TENSORS} is missing") from None
    except (OSError, SafetensorError) as error:
        raise LoadError(f"{path / TENSORS} is damaged: {one_line(error)}") from None


def read_meta(path: Path) -> dict[str, Any]:
    """The JSON of a saved agent, each field of it of the right type; LoadError names the one that is not."""
    file = path / META
    try:
        meta = json.loads(file.read_text())
    except FileNotFoundError:
        raise LoadError(f"{path} is not a saved agent: {META} is missing") from None
    except (OSError, ValueError) as error:
        raise LoadError(f"{file} is damaged: {one_line(error)}") from None
    if not isinstance(meta, dict):
        raise LoadError(f"{file} is damaged: it must hold an object, not {_short(meta)}")
    _check_fields(file, meta, FIELDS)
    if "stepper" in meta:
        _check_fields(file, meta, {"num_envs": int, "stepper": dict})
        _check_fields(file, meta["stepper"], {"finished": list, "episodes": int})
    return meta


# The fields that every agent.json has. Numbers count something: none is below 0.
FIELDS: dict[str, type | UnionType] = {
    "agent": str,
    "env_id": str | None,
    "env_kwargs": dict,
    "config": dict,
    "seed": int,
    "steps": int,
    "horizon": int,
    "early_stopping": dict,
    "observation_space": str,
    "action_space": str,
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
            raise LoadError(f"{file} is damaged: it has no {name!r}")
        value = meta[name]
        fits = isinstance(value, kind) and not isinstance(value, bool)
        if not fits or (isinstance(value, int) and not 0 <= value <= MAX_SEED):
            expected = SHOWN.get(kind, "a whole number of at least 0")
            raise LoadError(f"{file} is damaged: {name} must be {expected}, not {_short(value)}")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def check_savable(env_kwargs: Mapping[str, Any]) -> None:
    """UnsupportedError, naming it, for a keyword argument of the environment that JSON cannot hold."""
    for name, value in env_kwargs.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            raise UnsupportedError(
                f"the agent cannot be saved: its env_kwargs hold {name!r}, a {type(value).__name__}, "
                "which is not JSON"
            ) from None


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, named `prefix/name`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors saved by `with_prefix`, under their own names."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def as_tensors(arrays: dict[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Copies of arrays as tensors of the same type."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def as_arrays(tensors: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors on the CPU as arrays that share their memory."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}
