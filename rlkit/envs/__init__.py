"""Environments: one description each, two Gymnasium faces, and the exact MDP."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cells import MapError
    from .faces import MDPEnv, ModelEnv
    from .grid import Grid, frozen_lake, grid_world
    from .registry import exact, make_torch, register, resolve
    from .vector import ModelVectorEnv

__all__ = [
    "Grid",
    "MDPEnv",
    "MapError",
    "ModelEnv",
    "ModelVectorEnv",
    "exact",
    "frozen_lake",
    "grid_world",
    "make_torch",
    "register",
    "resolve",
]

_HOME = {
    "Grid": "grid",
    "MDPEnv": "faces",
    "MapError": "cells",
    "ModelEnv": "faces",
    "ModelVectorEnv": "vector",
    "exact": "registry",
    "frozen_lake": "grid",
    "grid_world": "grid",
    "make_torch": "registry",
    "register": "registry",
    "resolve": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
