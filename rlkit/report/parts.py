"""What every report is made of: numbers for people, tables and lists of facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

Record = Mapping[str, Any]

NOTHING_KNOWN = "–"
NOTHING = 1e-14  # what rounding leaves of a difference that is 0


def number(x: float | str | None, digits: int = 6) -> str:
    """A number for people: six digits, and a dash where there is none."""
    if x is None:
        return NOTHING_KNOWN
    if isinstance(x, str):
        return x.replace("-", "−")
    if abs(x) < NOTHING:
        return "0"
    if 10.0**digits <= abs(x) < 1e9:
        return f"{x:,.0f}".replace("-", "−")
    small = abs(x) < 1e-3 and digits <= 4
    return (f"{x:.1e}" if small else f"{x:.{digits}g}").replace("-", "−")


def ruled() -> Table:
    """A table with a rule below its head."""
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def facts(*rows: tuple[str, str]) -> Table:
    """Names and what they are, one below the other."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for key, value in rows:
        table.add_row(key, value)
    return table


def duration(seconds: float) -> str:
    """How long something took, for people."""
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def clock(seconds: float) -> str:
    """A time for people."""
    if not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
