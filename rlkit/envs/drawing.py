"""Boards of square cells drawn with Pillow, in one calm palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .cells import CLIFF, GOAL, PIT, START, WALL

Image = npt.NDArray[np.uint8]

LARGEST_CELL, SMALLEST_CELL, LARGEST_SIDE = 64, 8, 1024  # pixels
FINE = 2  # drawn this much larger and then reduced, so that edges are smooth
PAPER, LINE, INK = (242, 245, 249), (203, 212, 222), (31, 41, 55)
FILL = {
    WALL: (55, 62, 77),
    START: (222, 230, 240),
    GOAL: (118, 190, 130),
    PIT: (52, 73, 110),
    CLIFF: (148, 86, 74),
}
AGENT, RIM = (226, 112, 58), (140, 60, 24)


class Board:
    """Rows of cells to draw on; places are (row, column), sizes are shares of a cell."""

    def __init__(self, rows: Sequence[str]) -> None:
        from PIL import Image, ImageDraw

        height, width = len(rows), len(rows[0])
        self.cell = min(LARGEST_CELL, max(SMALLEST_CELL, LARGEST_SIDE // max(height, width)))
        self.unit = self.cell * FINE
        self.image = Image.new("RGB", (width * self.unit, height * self.unit), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        for r, row in enumerate(rows):
            for c, kind in enumerate(row):
                self._cell((r, c), kind)

    def _cell(self, at: tuple[int, int], kind: str) -> None:
        self.box(at, 0.5, fill=FILL[kind] if kind in (WALL, START, CLIFF) else PAPER)
        if kind == PIT:
            self.disc(at, 0.40, fill=FILL[PIT])
        if kind == GOAL:
            self.box(at, 0.40, fill=FILL[GOAL], radius=0.12)
        if kind == CLIFF:
            self._rocks(at)
        if kind != WALL:
            self.box(at, 0.5, outline=LINE)

    def _rocks(self, at: tuple[int, int]) -> None:
        r, c = at
        for k in range(4):
            x, y = (c + k / 4) * self.unit, (r + 0.28) * self.unit
            tip = (x + self.unit / 8, r * self.unit)
            self.draw.polygon(
                [(x, r * self.unit), (x + self.unit / 4, r * self.unit), (tip[0], y)], fill=PAPER
            )

    def centre(self, at: tuple[float, float]) -> tuple[float, float]:
        """Pixels x and y of the middle of a cell."""
        return (at[1] + 0.5) * self.unit, (at[0] + 0.5) * self.unit

    def box(self, at: tuple[float, float], half: float, *, radius: float = 0.0, **colours: Any) -> None:
        """A square about the middle of a cell."""
        x, y = self.centre(at)
        reach = half * self.unit
        edges = (x - reach, y - reach, x + reach - 1, y + reach - 1)
        self.draw.rounded_rectangle(edges, radius * self.unit, width=FINE, **colours)

    def disc(self, at: tuple[float, float], radius: float, **colours: Any) -> None:
        """A disc about the middle of a cell."""
        self.draw.circle(self.centre(at), radius * self.unit, **colours)

    def agent(self, at: tuple[float, float]) -> None:
        """The agent."""
        width = max(1, round(0.04 * self.unit))
        self.disc(at, 0.30, fill=AGENT, outline=RIM, width=width)

    def text(self, at: tuple[float, float], text: str, *, size: float = 0.5, fill: Any = INK) -> None:
        """A short text about the middle of a cell."""
        from PIL import ImageFont

        font = ImageFont.load_default(size * self.unit)
        self.draw.text(self.centre(at), text, fill=fill, font=font, anchor="mm")

    def pixels(self) -> Image:
        """The finished image, [H, W, 3]."""
        return np.asarray(self.image.reduce(FINE)).copy()
