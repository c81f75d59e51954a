"""Reinforcement learning with ground truth.

Importing rlkit registers its environments in Gymnasium: at once if Gymnasium is loaded, else the
moment it is, so that `import rlkit` itself stays light. Everything else is loaded when first used.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from rlkit.check import check_env, check_model, check_vector_env
    from rlkit.core import MDP
    from rlkit.envs.registry import exact
    from rlkit.solvers import solve

__version__ = "0.1.0"
__all__ = ["MDP", "__version__", "check_env", "check_model", "check_vector_env", "exact", "solve"]

_HOME = {
    "MDP": "rlkit.core",
    "check_env": "rlkit.check",
    "check_model": "rlkit.check",
    "check_vector_env": "rlkit.check",
    "exact": "rlkit.envs.registry",
    "solve": "rlkit.solvers",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


class _RegisterAfterGymnasium:
    """An import hook that registers rlkit's ids once Gymnasium is loaded, and then is gone."""

    searching = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != "gymnasium" or self.searching:
            return None
        self.searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.searching = False
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register()

        cast(Any, spec.loader).exec_module = load_and_register
        return spec


def _register() -> None:
    from rlkit.envs.registry import register_suite

    register_suite()


if "gymnasium" in sys.modules:
    _register()
else:
    sys.meta_path.insert(0, _RegisterAfterGymnasium())
