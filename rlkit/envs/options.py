"""Checks of the options that a factory is given; every message names the option and the allowed values."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeVar

from ..errors import RlkitError, did_you_mean

T = TypeVar("T")


class OptionError(RlkitError, ValueError):
    """An option has a value that makes no environment."""


def whole(name: str, value: Any, low: int, high: int | None = None, *, odd: bool = False) -> int:
    """An integer from low to high, odd if asked for; raises `OptionError` otherwise."""
    fits = _is_whole(value) and value >= low and (high is None or value <= high)
    if not fits or (odd and value % 2 == 0):
        kind = "an odd" if odd else "a whole"
        allowed = f">= {low}" if high is None else f"from {low} to {high}"
        raise OptionError(f"{name} must be {kind} number {allowed}, not {value!r}")
    return int(value)


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from low to high; raises `OptionError` otherwise."""
    if not _is_number(value) or not low <= value <= high:
        allowed = (
            f" from {low:g} to {high:g}" if high < math.inf else f" >= {low:g}" if low > -math.inf else ""
        )
        raise OptionError(f"{name} must be a finite number{allowed}, not {value!r}")
    return float(value)


def listed(name: str, value: Any) -> list[Any]:
    """The entries of a list, tuple or array; raises `OptionError` otherwise."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise OptionError(f"{name} must be a list, as in [1, 2], not {value!r}")
    return list(value)


def chances(name: str, value: Any) -> tuple[float, ...]:
    """Probabilities that sum to 1; raises `OptionError` otherwise."""
    given = value if isinstance(value, list | tuple) else ()
    if not given or not all(_is_number(p) and p >= 0 for p in given) or abs(sum(given) - 1) > 1e-9:
        raise OptionError(f"{name} must be probabilities >= 0 that sum to 1, not {value!r}")
    return tuple(float(p) for p in given)


def one_of(name: str, value: T, allowed: Iterable[T]) -> T:
    """One of a few values, of the same type; raises `OptionError` otherwise."""
    values = list(allowed)
    if not any(type(value) is type(known) and value == known for known in values):
        hint = did_you_mean(value, [known for known in values if isinstance(known, str)])
        raise OptionError(f"{name} must be one of {', '.join(map(str, values))}, not {value!r}{hint}")
    return value


def flag(name: str, value: Any) -> bool:
    """True or False; raises `OptionError` otherwise."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} must be True or False, not {value!r}")
    return value


def at_most_one(**options: Any) -> None:
    """Raise `OptionError` if more than one of these options is given, that is, not None."""
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise OptionError(f"give only one of {' and '.join(given)}: each of them fixes the map")


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
