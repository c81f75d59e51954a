"""A curve in a terminal: four rows and two columns of dots to a character."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from rlkit.report.blocks import Curve, visible
from rlkit.report.numbers import number

BLANK = 0x2800  # the braille pattern without dots
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # the bits of the left and of the right column
AXIS = 9  # characters before the curve

Points = Sequence[tuple[float, float]]


def chart(curve: Curve, *, width: int, height: int) -> list[Text]:
    """`height` lines of a curve, and one with the numbers of the x-axis.

    Marks are drawn across, with their names, where they lie near the curve.
    """
    points, end = curve.points, curve.end
    low, high, shown = visible(curve)
    columns = width - AXIS
    dots = _dots(points, end=end, low=low, high=high, columns=2 * columns, rows=4 * height)
    at = {_row(value, low, high, height): name for name, value in shown.items()}
    between = high - (height // 2 + 0.5) / height * (high - low)  # the value in the middle of that row
    labels = {0: high, height - 1: low} | ({height // 2: between} if height > 5 else {})
    lines = []
    for row in range(height):
        label = number(labels[row], 4) if row in labels and (points or shown) else ""
        line = Text(f"{label:>{AXIS - 2}} ", "dim").append("┤" if label else "│", "dim")
        name = at.get(row, "")
        for column in range(columns):
            bits = _bits(dots, row, column)
            written = name and columns - column <= len(name)
            if bits:
                line.append(chr(BLANK + bits), "cyan")
            elif written:
                line.append(name[column - columns], "green")
            else:
                line.append("╌" if name and columns - column != len(name) + 1 else " ", "green")
        lines.append(line)
    middle, last = f"{end / 2:,.0f}", f"{end:,.0f}"
    below = f"0{middle:^{columns - 2}}"
    below = f"{below[: columns - len(last)]:<{columns - len(last)}}{last}"
    return [*lines, Text(" " * AXIS + below, "dim")]


def _dots(
    points: Points, *, end: float, low: float, high: float, columns: int, rows: int
) -> dict[int, tuple[int, int]]:
    """The highest and the lowest dot of the curve in each column, gaps bridged by straight lines."""
    by_column: dict[int, list[float]] = {}
    for x, y in points:
        by_column.setdefault(min(columns - 1, int(x / end * columns)), []).append(y)
    means = [(column, sum(ys) / len(ys)) for column, ys in sorted(by_column.items())]
    dots: dict[int, tuple[int, int]] = {}
    before: int | None = None
    for (start, y), (stop, y_stop) in zip(means, [*means[1:], means[-1]] if means else [], strict=True):
        for column in range(start, max(stop, start + 1)):
            share = (column - start) / max(1, stop - start)
            row = _row(y + share * (y_stop - y), low, high, rows)
            last = row if before is None else before
            dots[column] = min(row, last), max(row, last)
            before = row
    return dots


def _bits(dots: Mapping[int, tuple[int, int]], row: int, column: int) -> int:
    """The bits that are set of the eight of a character."""
    bits = 0
    for side, marks in enumerate(DOTS):
        top, bottom = dots.get(2 * column + side, (1, 0))
        bits += sum(bit for i, bit in enumerate(marks) if top <= 4 * row + i <= bottom)
    return bits


def _row(value: float, low: float, high: float, rows: int) -> int:
    """The row, from the top, of a value."""
    return min(rows - 1, max(0, int((high - value) / (high - low) * rows)))
