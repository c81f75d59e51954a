"""Values and a policy over the map of a grid."""

from rlkit.report.blocks import Cell, Grid
from rlkit.report.numbers import Record, number

ARROWS = {
    **{"left": "←", "down": "↓", "right": "→", "up": "↑"},
    **{"west": "←", "south": "↓", "east": "→", "north": "↑"},
}
SIGNS = {"S": "start", "G": "goal", "H": "hole", "C": "cliff", "#": "wall"}
SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # low to high
DARK_INK = 0.45  # the place on the scale from which black can be read on it


def grid(record: Record) -> Grid:
    """The map of a solved model: in each cell the policy's arrow and the value."""
    lay = record["grid"]
    known = [v for row in lay["cells"] for s in row if s is not None and (v := _value(record, s)) is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    rows = tuple(
        tuple(_cell(record, sign, s, low, high) for sign, s in zip(signs, states, strict=True))
        for signs, states in zip(lay["rows"], lay["cells"], strict=True)
    )
    met = {cell.label for row in rows for cell in row}
    return Grid(rows, "  ".join(f"{sign} {name}" for sign, name in SIGNS.items() if sign in met))


def _cell(record: Record, sign: str, s: int | None, low: float, high: float) -> Cell:
    if s is None:
        return Cell("#", kind="wall")
    action = record["policy"][s]
    if sign == "C" or action is None:  # from the cliff one is sent back
        return Cell(sign, kind="goal" if sign == "G" else "pit")
    value = _value(record, s)
    place = 0.5 if value is None or high == low else (value - low) / (high - low)
    return Cell(ARROWS.get(action, action[:2]), number(record["values"][s], 3), place)


def _value(record: Record, s: int) -> float | None:
    value = record["values"][s]
    return None if isinstance(value, str) or record["policy"][s] is None else value


def colours(place: float) -> tuple[str, str]:
    """Ink and paper of a place on the colour scale, between the neighbouring colours of `SCALE`."""
    at = place * (len(SCALE) - 1)
    k = min(int(at), len(SCALE) - 2)
    mixed = (round(a + (at - k) * (b - a)) for a, b in zip(SCALE[k], SCALE[k + 1], strict=True))
    return "black" if place > DARK_INK else "white", "#" + "".join(f"{part:02x}" for part in mixed)
