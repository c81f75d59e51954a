"""Sheets of square cells drawn with Pillow, in one calm palette."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..grids.maps import CLIFF, GOAL, PIT, START, WALL

Image = npt.NDArray[np.uint8]  # [H, W, 3]
Colour = tuple[int, int, int]
Place = tuple[float, float]  # row and column

LARGEST_CELL, SMALLEST_CELL, LARGEST_SIDE = 64, 8, 1024  # pixels
FINE = 2  # drawn this much larger and then reduced, so that edges are smooth
PAPER, LINE, INK, QUIET = (242, 245, 249), (203, 212, 222), (31, 41, 55), (107, 119, 134)
AGENT, RIM = (226, 112, 58), (140, 60, 24)
FILL = {
    WALL: (55, 62, 77),
    START: (222, 230, 240),
    GOAL: (118, 190, 130),
    PIT: (52, 73, 110),
    CLIFF: (92, 79, 77),
}
PADS = ((232, 160, 155), (160, 206, 168), (238, 218, 150), (158, 186, 226))  # red, green, yellow, blue
FELT, CARD = (204, 222, 206), (120, 146, 176)


class Sheet:
    """An empty sheet of so many cells; places are (row, column), sizes are shares of a cell."""

    def __init__(self, height: int, width: int, *, fill: Colour = PAPER) -> None:
        from PIL import Image as Pillow, ImageDraw

        cell = min(LARGEST_CELL, max(SMALLEST_CELL, LARGEST_SIDE // max(height, width)))
        self.unit = cell * FINE
        self.image = Pillow.new("RGB", (width * self.unit, height * self.unit), fill)
        self.draw = ImageDraw.Draw(self.image)

    def centre(self, at: Place) -> tuple[float, float]:
        """Pixels x and y of the middle of a cell."""
        return (at[1] + 0.5) * self.unit, (at[0] + 0.5) * self.unit

    def box(
        self,
        at: Place,
        half: float,
        *,
        tall: float | None = None,
        radius: float = 0.0,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width: float = 0.0,
    ) -> None:
        """A rectangle about the middle of a cell: half its width, half its height if that differs."""
        x, y = self.centre(at)
        dx, dy = half * self.unit, (half if tall is None else tall) * self.unit
        line = max(FINE, round(width * self.unit))
        edges = (x - dx, y - dy, x + dx - 1, y + dy - 1)
        self.draw.rounded_rectangle(edges, radius * self.unit, fill=fill, outline=outline, width=line)

    def disc(
        self, at: Place, radius: float, *, fill: Colour, outline: Colour | None = None, width: float = 0.0
    ) -> None:
        """A disc about the middle of a cell."""
        line = max(1, round(width * self.unit))
        self.draw.circle(self.centre(at), radius * self.unit, fill=fill, outline=outline, width=line)

    def line(self, start: Place, end: Place, *, width: float, fill: Colour = FILL[WALL]) -> None:
        """A line between corners of cells: corner (r, c) is the upper left one of cell (r, c)."""
        ends = [(column * self.unit, row * self.unit) for row, column in (start, end)]
        self.draw.line(ends, fill=fill, width=round(width * self.unit))

    def text(self, at: Place, text: str, *, size: float, fill: Colour = INK) -> None:
        """A short text about the middle of a cell."""
        from PIL import ImageFont

        font = ImageFont.load_default(size * self.unit)
        self.draw.text(self.centre(at), text, fill=fill, font=font, anchor="mm")

    def agent(self, at: Place) -> None:
        """The agent, wherever it is a disc."""
        self.disc(at, 0.30, fill=AGENT, outline=RIM, width=0.04)

    def pixels(self) -> Image:
        """The finished image, [H, W, 3]."""
        return np.asarray(self.image.reduce(FINE)).copy()


class Board(Sheet):
    """A map of walls, starts, goals, pits and cliffs to draw on."""

    def __init__(self, rows: Sequence[str]) -> None:
        super().__init__(len(rows), len(rows[0]))
        for r, row in enumerate(rows):
            for c, kind in enumerate(row):
                self._cell((r, c), kind)

    def _cell(self, at: Place, kind: str) -> None:
        filled = kind in (WALL, START, CLIFF)
        self.box(at, 0.5, fill=FILL[kind] if filled else PAPER, outline=None if kind == WALL else LINE)
        if kind == PIT:
            self.disc(at, 0.40, fill=FILL[PIT])
        if kind == GOAL:
            self.box(at, 0.40, radius=0.1, fill=FILL[GOAL])
        if kind == CLIFF:
            self._edge(at)

    def _edge(self, at: Place) -> None:
        """The broken ground at the top of a cliff."""
        for k in range(4):
            corners = [(0.0, k / 4), (0.0, (k + 1) / 4), (0.16 + 0.1 * (k % 2), (k + 0.5) / 4)]
            self.draw.polygon(
                [((at[1] + c) * self.unit, (at[0] + r) * self.unit) for r, c in corners], fill=PAPER
            )
