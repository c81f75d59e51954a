"""What a report consists of, as plain data: a renderer shows it on a terminal or in a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["", "strong", "quiet", "good", "bad", "warning", "title"]
Kind = Literal["", "wall", "pit", "goal"]


@dataclass(frozen=True)
class Span:
    """A piece of text and what it is for."""

    text: str
    role: Role = ""


Content = str | Span | tuple[str | Span, ...]


@dataclass(frozen=True)
class Paragraph:
    """Text, which may hold line breaks."""

    content: Content


@dataclass(frozen=True)
class Facts:
    """Names and what they are, one below the other."""

    rows: tuple[tuple[str, Content], ...]


@dataclass(frozen=True)
class Column:
    """A column of a table; where there is no room, that of the smallest `expendable` above 0 goes first."""

    name: str
    align: Literal["left", "right", "center"] = "left"
    role: Role = ""
    whole: bool = False  # its cells are not broken into lines
    expendable: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of a cell a column; a row of one cell is a heading within the table.

    `stacks`: where the columns behind the first have no room, each row becomes a paragraph.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Content, ...], ...]
    stacks: bool = False


@dataclass(frozen=True)
class Curve:
    """Points (x, y) from x = 0 to `end`, and named values of y to compare with."""

    points: tuple[tuple[float, float], ...]
    end: float
    marks: Mapping[str, float]


@dataclass(frozen=True)
class Cell:
    """A cell of a map: the action there, or what stands there, and its value."""

    label: str
    value: str = ""
    place: float = 0.5  # of the value on the colour scale, from 0 to 1
    kind: Kind = ""


@dataclass(frozen=True)
class Grid:
    """A map, row by row, and what its letters stand for."""

    rows: tuple[tuple[Cell, ...], ...]
    legend: str


Block = Paragraph | Facts | Table | Curve | Grid


def spans(content: Content) -> tuple[Span, ...]:
    """The pieces of a text."""
    pieces = content if isinstance(content, tuple) else (content,)
    return tuple(Span(piece) if isinstance(piece, str) else piece for piece in pieces)


def text_of(content: Content) -> str:
    """The text alone."""
    return "".join(span.text for span in spans(content))


def visible(curve: Curve) -> tuple[float, float, dict[str, float]]:
    """The lowest and the highest value of a picture of the curve, and the marks in it.

    A mark for which the picture would have to grow to more than three times its height is left out.
    """
    values = [y for _, y in curve.points]
    low, high = min(values, default=0.0), max(values, default=1.0)
    shown = {}
    for name, value in curve.marks.items():
        if max(high, value) - min(low, value) <= 3 * (high - low) or not curve.points:
            low, high, shown[name] = min(low, value), max(high, value), value
    return (low, high, shown) if high > low else (low - 0.5, high + 0.5, shown)
