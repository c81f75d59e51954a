"""Blocks as text of a given width, in which no number is cut."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table as Columns
from rich.text import Text

from rlkit.report import blocks
from rlkit.report.maps import colours
from rlkit.report.terminal.curve import chart

STYLES = {
    **{"": "", "strong": "bold", "quiet": "dim", "good": "bold green", "bad": "bold red"},
    **{"warning": "yellow", "title": "bold magenta"},
}
GROUNDS = {"wall": "grey46 on grey23", "pit": "grey70 on grey15", "goal": "bold white on green4"}
NARROWEST = 12  # characters to which a column of words is folded
NARROW, WIDE = 6, 7  # characters of a cell of a map that also holds its value
HIGH = 8  # lines of a curve


def laid_out(block: blocks.Block, width: int) -> Iterator[RenderableType]:
    """The parts of a block, none of them wider than `width` characters."""
    match block:
        case blocks.Paragraph(content):
            yield _text(content)
        case blocks.Facts(rows):
            facts = Columns.grid(padding=(0, 2))
            for name, content in rows:
                facts.add_row(Text(name), _text(content))
            yield facts
        case blocks.Table():
            yield from _table(block, width)
        case blocks.Curve():
            yield from chart(block, width=width, height=HIGH)
        case blocks.Grid():
            yield from _grid(block, width)


def _text(content: blocks.Content, style: str = "") -> Text:
    return Text.assemble(*((span.text, STYLES[span.role]) for span in blocks.spans(content)), style=style)


def _table(table: blocks.Table, width: int) -> Iterator[RenderableType]:
    """The table with as many columns as there is room for, or its rows as paragraphs."""
    shown = list(range(len(table.columns)))
    natural = [
        max(_longest(text) for text in (column.name, *_cells(table, i)))
        for i, column in enumerate(table.columns)
    ]
    expendable = sorted((c.expendable, i) for i, c in enumerate(table.columns) if c.expendable)
    least = {i: natural[i] if table.columns[i].whole else min(natural[i], NARROWEST) for _, i in expendable}
    while expendable and sum(least.get(i, natural[i]) for i in shown) > width - 2 * len(shown):
        shown.remove(expendable.pop(0)[1])
    room = width - 2 * len(shown)
    widths: list[int] | None = None
    if table.stacks and sum(natural) > room:
        widths = [
            max(cell_len(word) for word in (*column.name.split(), *_cells(table, i)))
            for i, column in enumerate(table.columns)
        ]
        first, widths[0] = widths[0], min(widths[0], room - sum(widths[1:]))
        if widths[0] < min(NARROWEST, first):
            yield from _stacked(table)
            return
    yield _ruled(table, shown, widths)
    if hidden := [column.name for i, column in enumerate(table.columns) if i not in shown]:
        yield Text(f"a wider terminal also shows: {', '.join(hidden)}", style="dim")


def _cells(table: blocks.Table, column: int) -> list[str]:
    """The texts of a column; a heading within the table stands in the first."""
    return [blocks.text_of(row[column]) for row in table.rows if column < len(row)]


def _longest(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _ruled(table: blocks.Table, shown: Sequence[int], widths: Sequence[int] | None) -> Columns:
    """A table with a rule below its head."""
    ruled = Columns(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for i in shown:
        column = table.columns[i]
        ruled.add_column(
            Text(column.name),
            style=STYLES[column.role],
            justify=column.align,
            overflow="ellipsis" if column.whole else "fold",
            no_wrap=column.whole,
            width=None if widths is None else widths[i],
        )
    for row in table.rows:
        ruled.add_row(*(_text(row[i]) for i in shown if i < len(row)))
    return ruled


def _stacked(table: blocks.Table) -> Iterator[RenderableType]:
    """A paragraph a row: its name, and below what the other columns say."""
    yield Text()
    for name, *cells in table.rows:
        yield _text(name, "bold")
        facts = [
            Text.assemble(f"{column.name} ", _text(cell))
            for column, cell in zip(table.columns[1:], cells, strict=True)
        ]
        yield Padding(Text(", ").join(facts), (0, 0, 1, 2))


def _grid(grid: blocks.Grid, width: int) -> Iterator[RenderableType]:
    """A line or two a row, and what the letters stand for."""
    columns = max(map(len, grid.rows))
    room = width // columns
    if room == 0:
        yield Text(f"the map is {columns} cells wide, more than this terminal", style="dim")
        return
    longest = max(cell_len(cell.value) for row in grid.rows for cell in row)
    valued = room >= max(NARROW, longest + 1)
    size = min(room, max(WIDE, longest + 1)) if valued else min(room, 2)
    for row in grid.rows:
        styled = [
            (cell, GROUNDS[cell.kind] if cell.kind else " on ".join(colours(cell.place))) for cell in row
        ]
        yield Text.assemble(*((f"{cell.label:^{size}}"[:size], style) for cell, style in styled))
        if valued:
            yield Text.assemble(*((f"{cell.value:^{size}}", style) for cell, style in styled))
    yield Text(grid.legend, style="dim")
