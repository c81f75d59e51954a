"""Reports as a page: the same words as on a terminal, as text, and nothing from elsewhere."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest
from reports import shown

from rlkit.catalogue import describe, layout, listed
from rlkit.envs.registry import exact
from rlkit.report import environment, environments, findings, html
from rlkit.report.blocks import Block, Cell, Column, Curve, Facts, Grid, Paragraph, Span, Table
from rlkit.report.maps import grid
from rlkit.solvers import solve

HOSTILE = "<script>alert('&amp;')</script>\x1b]0;title\x07"
SHOWN = "<script>alert('&amp;')</script>]0;title"


class Page(HTMLParser):
    """The elements, the attributes and the text of a page, whose elements must all be closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def blocks_of(text: str) -> list[Block]:
    """A block of each kind that says `text` wherever it can."""
    return [
        Paragraph(text),
        Paragraph((text, Span(text, "good"))),
        Facts(((text, text),)),
        Table((Column(text), Column(text)), ((text, text), (text,))),
        Curve(((0.0, 0.0), (10.0, 1.0)), end=10.0, marks={text: 0.5}),
        Grid(((Cell(text, text), Cell(text, kind="wall")),), text),
    ]


def test_text_is_text_wherever_it_stands() -> None:
    page = Page(html.page(HOSTILE, blocks_of(HOSTILE)))
    assert "script" not in page.elements
    assert page.words.count(SHOWN) == 2 + 3 + 2 + 5 + 1 + 4, "titles, paragraphs, facts, table, curve, map"
    assert not any("\x1b" in word for word in page.words)


def test_without_escapes_it_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "escape", lambda text: text)
    assert "script" in Page(html.page("", blocks_of(HOSTILE))).elements


def test_a_page_needs_nothing_else() -> None:
    page = html.page("t", blocks_of("x"))
    assert not {"href", "src", "srcset", "data", "action"} & Page(page).attributes
    assert not re.search(r"url\(|@import|https?:", page)


def solved(id: str) -> list[Block]:
    solution = solve(exact(id))
    mdp = solution.mdp
    names = [None if c < 0 else mdp.action_name(int(mdp.action[c])) for c in solution.choice]
    return [grid({"grid": layout(id), "values": solution.value.tolist(), "policy": names})]


REPORTS = {
    "environments": environments({"environments": listed()}),
    "environment": environment(describe("doorkey5x5")),
    "findings": findings({"id": "x", "checks": [{"part": "model", "findings": ["a", "b"], "note": ""}]}),
    "map": solved("rlkit/CliffWalking-v0"),
}


@pytest.mark.parametrize("blocks", REPORTS.values(), ids=REPORTS)
def test_blocks_are_plain_data(blocks: list[Block]) -> None:
    assert json.loads(json.dumps([dataclasses.asdict(block) for block in blocks]))


@pytest.mark.parametrize("blocks", REPORTS.values(), ids=REPORTS)
def test_a_page_says_what_a_terminal_does(blocks: list[Block]) -> None:
    said = " ".join(Page(html.fragment(blocks)).words).split()
    assert sorted(said) == sorted(shown(blocks, 1000).replace("─", "").split())


def test_a_curve_by_hand() -> None:
    """From the lower left corner to the upper right one; the mark lies in the middle."""
    picture = html.fragment([Curve(((0.0, 0.0), (10.0, 1.0)), end=10.0, marks={"half": 0.5, "far": 9.0})])
    assert 'points="70.0,200.0 700.0,20.0"' in picture
    assert 'd="M70 110.0H700"' in picture
    assert "far" not in picture, "it would flatten the curve"


def test_colours_follow_the_value() -> None:
    cells = Grid(((Cell("a", "1", 0.0), Cell("b", "2", 1.0)),), "")
    picture = html.fragment([cells])
    assert 'style="color: white; background: #440154">a' in picture, "the lowest"
    assert 'style="color: black; background: #fde725">b' in picture, "the highest"
