"""Agents on disk: a folder of one safetensors and one JSON file, written atomically, read without code."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import LoadError

TENSORS = "tensors.safetensors"
META = "agent.json"


def write(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write the folder `path`, replacing an older one; a reader sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not (path / META).exists():
        raise FileExistsError(f"{path} exists and is not a saved agent; it is left as it is")
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, staged / TENSORS
        )
        (staged / META).write_text(json.dumps(meta, indent=1) + "\n")
        for file in (staged / TENSORS, staged / META):
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
            path.replace(old)
            staged.replace(path)
            shutil.rmtree(old)
        else:
            staged.replace(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, JSON) of a saved agent; LoadError says what is missing or damaged."""
    try:
        meta = json.loads((path / META).read_text())
        return load_file(path / TENSORS), meta
    except FileNotFoundError as error:
        raise LoadError(
            f"{path} is not a saved agent: {Path(error.filename or TENSORS).name} is missing"
        ) from None
    except (json.JSONDecodeError, SafetensorError) as error:
        raise LoadError(f"{path} is damaged: {error}") from None


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


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's moments, named by parameter number; its settings come from the configuration."""
    state = optimizer.state_dict()["state"]
    return {f"{i}/{name}": tensor for i, entry in state.items() for name, tensor in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        i, name = key.split("/")
        state.setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
