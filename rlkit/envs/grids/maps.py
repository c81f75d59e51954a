"""The map language of grid worlds: what each character stands for, and text read as checked rows."""

from collections.abc import Iterable, Sequence

from ..options import OptionError

WALL, FREE, START, GOAL, PIT, CLIFF = "#", ".", "S", "G", "H", "C"
CHARACTERS = {
    WALL: "wall",
    FREE: "free cell (F and space too)",
    START: "start",
    GOAL: "goal",
    PIT: "hole",
    CLIFF: "cliff",
}


class MapError(OptionError):
    """A map that cannot be played; the message says where and what is allowed."""


def rows_of(map: str | Sequence[str]) -> tuple[str, ...]:
    """Rows of a map given as text (rows apart by newline or `/`) or as rows; `F` and space become free cells.

    Raises `MapError` for an empty map, rows of unequal length, unknown characters, no start, or no goal.
    """
    if not isinstance(map, Iterable):
        raise MapError(f"map must be text, as in S..G/.#.H, or rows of text, not {map!r}")
    rows = map.strip("\n").replace("/", "\n").splitlines() if isinstance(map, str) else list(map)
    if not rows or not rows[0]:
        raise MapError("the map is empty: it needs at least a start (S) and a goal (G)")
    for r, row in enumerate(rows):
        if not isinstance(row, str):
            raise MapError(f"row {r} of the map must be text, not {row!r}")
        if len(row) != len(rows[0]):
            raise MapError(f"row {r} of the map has {len(row)} cells, row 0 has {len(rows[0])}")
    checked = tuple(row.replace("F", FREE).replace(" ", FREE) for row in rows)
    for r, row in enumerate(checked):
        for c, cell in enumerate(row):
            if cell not in CHARACTERS:
                known = ", ".join(f"{sign} {what}" for sign, what in CHARACTERS.items())
                raise MapError(f"row {r}, column {c} of the map holds {cell!r}; allowed are {known}")
    for cell in (START, GOAL):
        if not any(cell in row for row in checked):
            raise MapError(f"the map has no {CHARACTERS[cell]} ({cell})")
    return checked
