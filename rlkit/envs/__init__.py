"""Environments: one description each, its Gymnasium and torch interfaces, and the exact MDP."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters.gym import MDPEnv as MDPEnv, ModelEnv as ModelEnv
    from .adapters.vector import ModelVectorEnv as ModelVectorEnv
    from .grids.frozen_lake import frozen_lake as frozen_lake
    from .grids.grid import Grid as Grid, grid_world as grid_world
    from .grids.maps import MapError as MapError
    from .registry import exact as exact, make_torch as make_torch, register as register, resolve as resolve


_HOME = {
    "Grid": "grids.grid",
    "MDPEnv": "adapters.gym",
    "MapError": "grids.maps",
    "ModelEnv": "adapters.gym",
    "ModelVectorEnv": "adapters.vector",
    "exact": "registry",
    "frozen_lake": "grids.frozen_lake",
    "grid_world": "grids.grid",
    "make_torch": "registry",
    "register": "registry",
    "resolve": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
