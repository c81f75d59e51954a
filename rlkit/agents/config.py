"""Configurations: one frozen dataclass per algorithm, checked when it is made, written as JSON.

Fields are scalars or tuples of integers, so that every configuration has one JSON form and every field can
also be given as text, as on a command line.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np

from ..nn import ACTIVATIONS
from .errors import ConfigError, StepsError

MAX_NUM_ENVS = 2**20
MAX_SEED = 2**62  # environment i of a vector gets the seed plus i, which must stay an int64


def whole(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """`value` if it is an integer from `least` to `most`; ConfigError, naming it, if not."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ConfigError(f"{name} must be at most {most}, not {value}")
    return int(value)


def whole_seed(value: object) -> int:
    """`value` if it can be a seed; ConfigError if not."""
    return whole("seed", value, least=0, most=MAX_SEED)


def whole_steps(value: object) -> int:
    """`value` if it can be a number of steps to take; StepsError if not."""
    try:
        return whole("steps", value, least=1)
    except ConfigError as error:
        raise StepsError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Fields that every agent has."""

    num_envs: int = 8
    gamma: float = 0.99
    learning_rate: float = 1e-3
    max_grad_norm: float = 0.5
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    def __post_init__(self) -> None:
        self._at_least(1, "num_envs")
        if self.num_envs > MAX_NUM_ENVS:
            raise ConfigError(f"num_envs must be at most {MAX_NUM_ENVS}, got {self.num_envs}")
        self._within(0, 1, "gamma")
        self._positive("learning_rate", "max_grad_norm")
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigError(f"hidden must be one or more layer widths >= 1, got {self.hidden}")
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}")

    def replace(self, overrides: Mapping[str, object]) -> Self:
        """A copy with some fields changed; values may be text ("64,64", "1e-3").

        Raises ConfigError for an unknown field, naming the nearest one, and for a value that does not fit.
        """
        hints = get_type_hints(type(self))
        names = [field.name for field in dataclasses.fields(self)]
        changes: dict[str, Any] = {}
        for name, value in overrides.items():
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"the fields are {', '.join(names)}"
                raise ConfigError(f"{type(self).__name__} has no field {name!r}; {hint}")
            changes[name] = _convert(name, value, hints[name])
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)

    def _at_least(self, least: float, *names: str) -> None:
        for name in names:
            if not getattr(self, name) >= least:
                raise ConfigError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def _positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be a number above 0, got {getattr(self, name)}")

    def _within(self, low: float, high: float, *names: str) -> None:
        for name in names:
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be from {low} to {high}, got {getattr(self, name)}")


def _convert(name: str, value: object, kind: Any) -> Any:
    """`value`, which may be text, as the declared type of the field `name`."""
    try:
        if get_origin(kind) is tuple:
            item = get_args(kind)[0]
            entries = value.strip("()[] ").split(",") if isinstance(value, str) else value
            if isinstance(entries, int):
                entries = [entries]
            if isinstance(entries, list | tuple):
                return tuple(_convert(name, entry, item) for entry in entries if entry != "")
        elif kind is bool:
            if isinstance(value, str) and value.lower() in ("true", "false", "1", "0", "yes", "no"):
                return value.lower() in ("true", "1", "yes")
            if isinstance(value, bool):
                return value
        elif kind is str:
            if isinstance(value, str):
                return value
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            if kind is float:
                return number
            if number.is_integer():
                return int(number)
    except (ValueError, OverflowError):
        pass
    shown = "a list of integers such as 64,64" if get_origin(kind) is tuple else f"of type {kind.__name__}"
    raise ConfigError(f"{name} must be {shown}, got {value!r}")
