"""Rooms drawn with Pillow, tile by tile, and written as text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..rendering.sheet import Image
from . import codes
from .codes import AGENT, EMPTY, KINDS, N_CODES, UP, colour_of, kind_of
from .state import RoomState

RGB = tuple[int, int, int]

LARGEST_TILE, LARGEST_SIDE = 48, 960  # pixels
FINE = 4  # drawn this much larger and then reduced, so that edges are smooth
PAPER, SHADE, LINE, STONE, INK = (
    *((250, 251, 252), (222, 227, 233), (203, 212, 222)),
    *((84, 93, 108), (52, 60, 74)),
)
AGENT_FILL, AGENT_RIM = (226, 112, 58), (140, 60, 24)
GOAL_FILL, LAVA_FILL, LAVA_WAVE = (118, 190, 130), (222, 120, 62), (250, 190, 110)
COLOUR: tuple[RGB, ...] = (
    *((205, 82, 76), (88, 164, 104), (78, 124, 196)),
    *((140, 102, 184), (222, 178, 62), (142, 150, 162), LINE, LINE),
)
SIGNS = {codes.WALL: "#", codes.FLOOR: "_", codes.OPEN: "/", codes.KEY: "k", codes.BALL: "o", codes.BOX: "b"}
SIGNS |= {codes.GOAL: "G", codes.LAVA: "~", codes.CLOSED: "|", codes.LOCKED: "L", codes.UNSEEN: " "}
SIGNS |= dict.fromkeys((EMPTY, codes.PRIZE, codes.TRAP), ".")
ARROWS = ">v<^"
NAMES = {sign: KINDS[kind] for kind, sign in reversed(SIGNS.items())}  # of what a sign stands for
NAMES |= dict.fromkeys(ARROWS, "you") | {SIGNS[codes.FLOOR]: "marked floor"}
COLOUR_NAMES = ("red", "green", "blue", "purple", "yellow", "grey")


def text(state: RoomState, height: int, width: int) -> str:
    """The map as lines of signs, and a line that says what is carried."""
    cells = state.grid[0, :-1].reshape(height, width)
    signs = [[SIGNS.get(kind_of(int(code)), "?") for code in row] for row in cells]
    r, c = divmod(int(state.cell[0]), width)
    signs[r][c] = ARROWS[int(state.heading[0])]
    hand = int(state.carrying[0])
    carried = "" if hand == EMPTY else f"carrying a {COLOUR_NAMES[colour_of(hand)]} {KINDS[kind_of(hand)]}\n"
    return "\n".join("".join(row) for row in signs) + "\n" + carried


def picture(state: RoomState, height: int, width: int, seen: npt.NDArray[np.integer[Any]]) -> Image:
    """The map from above; cells that are not `seen` are shaded, what the agent carries is on a badge."""
    side = min(LARGEST_TILE, max(8, LARGEST_SIDE // max(height, width)))
    lit = np.isin(np.arange(height * width), seen)
    cells = state.grid[0, :-1].reshape(height, width)
    rows = [
        [tile(int(code), side, lit=bool(lit[r * width + c])) for c, code in enumerate(row)]
        for r, row in enumerate(cells)
    ]
    cell = int(state.cell[0])
    r, c = divmod(cell, width)
    rows[r][c] = tile(int(cells[r, c]), side, True, int(state.heading[0]), int(state.carrying[0]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


@lru_cache(maxsize=8)
def tiles(side: int) -> Image:
    """Tiles of all codes, [codes, side, side, 3]; the agent's looks up."""
    return np.stack(
        [tile(EMPTY, side, heading=UP) if code == AGENT else tile(code, side) for code in range(N_CODES)]
    )


@lru_cache(maxsize=4096)
def tile(code: int, side: int, lit: bool = True, heading: int | None = None, carrying: int = EMPTY) -> Image:
    """One cell, [side, side, 3]: what lies there and, if it has a heading, the agent with what it carries."""
    from PIL import Image as Pillow, ImageDraw

    kind, colour = kind_of(code), COLOUR[colour_of(code)]
    paper = STONE if kind == codes.WALL else INK if kind == codes.UNSEEN else PAPER if lit else SHADE
    image = Pillow.new("RGB", (side * FINE, side * FINE), paper)
    pen = _Pen(ImageDraw.Draw(image), side * FINE)
    if kind not in (codes.WALL, codes.UNSEEN):
        pen.frame(LINE)
    pen.thing(kind, colour, paper)
    if heading is not None:
        pen.agent(heading)
        if carrying != EMPTY:
            pen.disc(0.76, 0.26, 0.25, AGENT_RIM)
            pen.disc(0.76, 0.26, 0.22, PAPER)
            pen.badge().thing(kind_of(carrying), COLOUR[colour_of(carrying)], PAPER)
    pixels = np.asarray(image.reduce(FINE))
    return pixels if lit or kind != codes.WALL else (pixels * 0.82).astype(np.uint8)


class _Pen:
    """Draws within a square; places and sizes are shares of its side."""

    def __init__(self, draw: Any, side: float, left: float = 0, top: float = 0) -> None:
        self.draw, self.side, self.left, self.top = draw, side, left, top

    def badge(self) -> _Pen:
        """A pen for a small square at the top right."""
        return _Pen(self.draw, 0.36 * self.side, self.left + 0.58 * self.side, self.top + 0.08 * self.side)

    def at(self, *places: float) -> list[float]:
        """Pixels of x, y, x, y, ..."""
        origin = (self.left, self.top)
        return [origin[i % 2] + place * self.side for i, place in enumerate(places)]

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: RGB | None, **style: Any) -> None:
        """A box with round corners."""
        edges = self.at(x0, y0, x1, y1)
        radius, width = style.pop("radius", 0) * self.side, round(style.pop("width", 0) * self.side)
        self.draw.rounded_rectangle(
            [edges[0], edges[1], edges[2] - 1, edges[3] - 1], radius, fill, style.get("outline"), width
        )

    def disc(self, x: float, y: float, radius: float, fill: RGB) -> None:
        """A disc."""
        self.draw.ellipse(self.at(x - radius, y - radius, x + radius, y + radius), fill)

    def frame(self, colour: RGB) -> None:
        """The lines between cells."""
        self.box(0, 0, 1, 1, None, outline=colour, width=0.02)

    def agent(self, heading: int) -> None:
        """A triangle that points where the agent looks."""
        corners: list[tuple[float, float]] = [(0.86, 0.5), (0.16, 0.16), (0.30, 0.5), (0.16, 0.84)]
        for _ in range(heading):
            corners = [(1 - y, x) for x, y in corners]
        self.draw.polygon(
            self.at(*(place for corner in corners for place in corner)),
            AGENT_FILL,
            AGENT_RIM,
            width=round(0.04 * self.side),
        )

    def thing(self, kind: int, colour: RGB, paper: RGB) -> None:
        """What lies on a cell."""
        dark: RGB = (colour[0] * 2 // 3, colour[1] * 2 // 3, colour[2] * 2 // 3)
        if kind == codes.GOAL:
            self.box(0.1, 0.1, 0.9, 0.9, GOAL_FILL, radius=0.12)
        elif kind == codes.FLOOR:
            self.box(0.28, 0.28, 0.72, 0.72, None, outline=colour, width=0.07, radius=0.5)
        elif kind == codes.LAVA:
            self.box(0, 0, 1, 1, LAVA_FILL)
            for y in (0.28, 0.52, 0.76):
                waves = [(0.1 + 0.2 * k, y + 0.06 * (-1) ** k) for k in range(5)]
                self.draw.line(
                    self.at(*(place for wave in waves for place in wave)),
                    LAVA_WAVE,
                    round(0.06 * self.side),
                    "curve",
                )
        elif kind == codes.BALL:
            self.disc(0.5, 0.5, 0.32, colour)
        elif kind == codes.BOX:
            self.box(0.14, 0.14, 0.86, 0.86, colour, outline=dark, width=0.08, radius=0.1)
            self.box(0.14, 0.46, 0.86, 0.54, dark)
        elif kind == codes.KEY:
            self.box(0.46, 0.30, 0.56, 0.86, colour, radius=0.03)
            self.box(0.50, 0.58, 0.72, 0.66, colour)
            self.box(0.50, 0.76, 0.72, 0.84, colour)
            self.disc(0.51, 0.28, 0.18, colour)
            self.disc(0.51, 0.28, 0.08, paper)
        elif kind == codes.OPEN:
            self.box(0.86, 0, 1, 1, colour, outline=dark, width=0.03)
        elif kind in (codes.CLOSED, codes.LOCKED):
            self.box(0, 0, 1, 1, colour, outline=dark, width=0.08)
            self.disc(0.76, 0.5, 0.08, dark)
            if kind == codes.LOCKED:
                self.disc(0.5, 0.42, 0.13, INK)
                self.box(0.45, 0.45, 0.55, 0.74, INK)
                self.disc(0.76, 0.5, 0.08, colour)
