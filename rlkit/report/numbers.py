"""Numbers, counts and times for people."""

import math
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]  # of JSON values, as --json prints them

UNKNOWN = "–"
NOTHING = 1e-14  # what rounding leaves of a difference that is 0


def number(x: float | str | None, digits: int = 6) -> str:
    """A number in six digits, and a dash where there is none."""
    if x is None:
        return UNKNOWN
    if isinstance(x, str):
        return x.replace("-", "−")
    if abs(x) < NOTHING:
        return "0"
    if 10.0**digits <= abs(x) < 1e9:
        return f"{x:,.0f}".replace("-", "−")
    x = float(f"{x:.{digits + 4}g}")  # so that the last digit does not depend on the rounding of a float
    small = abs(x) < 1e-3 and digits <= 4
    return (f"{x:.1e}" if small else f"{x:.{digits}g}").replace("-", "−")


def counted(count: int, noun: str) -> str:
    """So many of a thing."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """How long something took."""
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def clock(seconds: float) -> str:
    """A time in minutes and seconds, and in hours from one on."""
    if not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
