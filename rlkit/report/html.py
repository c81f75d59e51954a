"""Reports as a page, which needs no other file and is readable in light and in dark."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from rlkit.plain import plain
from rlkit.report import blocks
from rlkit.report.maps import colours
from rlkit.report.numbers import number

STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
WIDTH, HEIGHT, LEFT, EDGE = 720, 220, 70, 20  # of the picture of a curve, and the margins with its numbers


def page(title: str, report: Iterable[blocks.Block]) -> str:
    """A whole page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_plain(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{_plain(title)}</h1>\n{fragment(report)}</body>\n</html>\n"
    )


def fragment(report: Iterable[blocks.Block]) -> str:
    """The blocks alone, to be put into a page with `STYLE`."""
    return "".join(_block(block) for block in report)


def _plain(text: str) -> str:
    return escape(plain(text))


def _block(block: blocks.Block) -> str:
    match block:
        case blocks.Paragraph(content):
            return f"<p>{_text(content)}</p>\n"
        case blocks.Facts(rows):
            facts = (f"<tr><th>{_plain(name)}</th><td>{_text(content)}</td></tr>\n" for name, content in rows)
            return _framed(f'<table class="facts">\n{"".join(facts)}</table>')
        case blocks.Table(columns, rows):
            heads = "".join(f'<th class="{c.align}">{_plain(c.name)}</th>' for c in columns)
            body = "".join(f"<tr>{_row(columns, row)}</tr>\n" for row in rows)
            return _framed(f"<table>\n<thead><tr>{heads}</tr></thead>\n{body}</table>")
        case blocks.Curve():
            return _framed(_picture(block))
        case blocks.Grid(rows, legend):
            cells = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
            return (
                _framed(f'<table class="grid">\n{cells}</table>') + f'<p class="quiet">{_plain(legend)}</p>\n'
            )


def _framed(block: str) -> str:
    """A block that can be scrolled where it is wider than the page."""
    return f'<div class="block">{block}</div>\n'


def _text(content: blocks.Content) -> str:
    return "".join(
        f'<span class="{span.role}">{_plain(span.text)}</span>' if span.role else _plain(span.text)
        for span in blocks.spans(content)
    )


def _row(columns: tuple[blocks.Column, ...], row: tuple[blocks.Content, ...]) -> str:
    if len(row) == 1:
        return f'<td colspan="{len(columns)}">{_text(row[0])}</td>'
    return "".join(
        f'<td class="{column.align} {column.role}">{_text(cell)}</td>'
        for column, cell in zip(columns, row, strict=True)
    )


def _cell(cell: blocks.Cell) -> str:
    ink, paper = colours(cell.place)
    look = f'class="{cell.kind}"' if cell.kind else f'style="color: {ink}; background: {paper}"'
    value = f"<small>{_plain(cell.value)}</small>" if cell.value else ""
    return f"<td {look}>{_plain(cell.label)}{value}</td>"


def _picture(curve: blocks.Curve) -> str:
    """The curve with its marks, the highest and the lowest value and the last step."""
    low, high, marks = blocks.visible(curve)
    right, bottom = WIDTH - EDGE, HEIGHT - EDGE

    def across(x: float) -> float:
        return round(LEFT + x / curve.end * (right - LEFT), 1)

    def down(y: float) -> float:
        return round(EDGE + (high - y) / (high - low) * (bottom - EDGE), 1)

    def label(text: str, x: float, y: float, more: str = 'text-anchor="end"') -> str:
        return f'<text x="{x}" y="{y}" {more}>{_plain(text)}</text>'

    points = " ".join(f"{across(x)},{down(y)}" for x, y in curve.points)
    parts = [f'<path class="axis" d="M{LEFT} {EDGE}V{bottom}H{right}"/>']
    parts += [label(number(y, 4), LEFT - 6, down(y) + 4) for y in (high, low)]
    parts += [label("0", LEFT, HEIGHT - 4, ""), label(f"{curve.end:,.0f}", right, HEIGHT - 4)]
    for name, y in marks.items():
        parts.append(f'<path class="mark" d="M{LEFT} {down(y)}H{right}"/>')
        parts.append(label(name, right, down(y) - 4, 'class="name" text-anchor="end"'))
    parts.append(f'<polyline class="line" points="{points}"/>')
    lines = "\n".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n{lines}\n</svg>'
