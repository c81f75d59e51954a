"""Values and a policy over the map of a grid, in a terminal."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from rlkit.report.parts import Record, number

ARROWS = {
    "left": "←",
    "down": "↓",
    "right": "→",
    "up": "↑",
    "south": "↓",
    "north": "↑",
    "east": "→",
    "west": "←",
}
HEAT = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # low to high
KINDS = {"S": "start", "G": "goal", "H": "hole", "C": "cliff", "#": "wall"}
NARROWEST, WIDEST = 6, 7  # characters of a cell that also holds its value


class HeatMap:
    """Values of a grid as colours, in each cell the policy's arrow and, where there is room, the value."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A line or two a row, none wider than the terminal, and what the letters stand for."""
        record, rows = self.record, self.record["grid"]["rows"]
        shown = [s for row in record["grid"]["cells"] for s in row if s is not None]
        finite = [v for s in shown if (v := _value(record, s)) is not None]
        scale = min(finite, default=0.0), max(finite, default=1.0)
        cells = [
            [_cell(record, kind, s, *scale) for kind, s in zip(row, states, strict=True)]
            for row, states in zip(rows, record["grid"]["cells"], strict=True)
        ]
        longest = max(cell_len(value) for row in cells for _, _, value in row)
        room = options.max_width // len(rows[0])
        if room == 0:
            yield Text(f"the map is {len(rows[0])} cells wide, more than this terminal", style="dim")
            return
        valued = room >= max(NARROWEST, longest + 1)
        width = min(room, max(WIDEST, longest + 1)) if valued else min(room, 2)
        for row in cells:
            yield Text.assemble(*((f"{label:^{width}}"[:width], style) for label, style, _ in row))
            if valued:
                yield Text.assemble(*((f"{value:^{width}}", style) for _, style, value in row))
        met = {label for row in cells for label, _, _ in row}
        yield Text("  ".join(f"{kind} {name}" for kind, name in KINDS.items() if kind in met), style="dim")


def _cell(record: Record, kind: str, s: int | None, low: float, high: float) -> tuple[str, Style, str]:
    if s is None:
        return "#", Style(bgcolor="grey23", color="grey46"), ""
    if kind == "C":  # the cliff, from which one is sent back
        return "C", Style(bgcolor="grey15", color="grey70"), ""
    if record["policy"][s] is None:
        ends = {"G": ("G", Style(bgcolor="green4", color="white", bold=True))}
        label, style = ends.get(kind, (kind, Style(bgcolor="grey15", color="grey70")))
        return label, style, ""
    value = _value(record, s)
    share = 0.5 if value is None or high == low else (value - low) / (high - low)
    style = Style.parse(f"{'black' if share > 0.45 else 'white'} on {_heat(share)}")
    arrow = ARROWS.get(record["policy"][s], str(record["policy"][s])[:2])
    return arrow, style, number(record["values"][s], 3)


def _heat(share: float) -> str:
    """Colour of a number between 0 and 1, between the neighbouring ones of `HEAT`."""
    place = share * (len(HEAT) - 1)
    k = min(int(place), len(HEAT) - 2)
    red, green, blue = (round(a + (place - k) * (b - a)) for a, b in zip(HEAT[k], HEAT[k + 1], strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _value(record: Record, s: int) -> float | None:
    value = record["values"][s]
    return None if isinstance(value, str) or record["policy"][s] is None else value
