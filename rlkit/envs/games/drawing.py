"""Stones, and the colours of boards."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..rendering.sheet import Colour, Image as Image, Sheet

ORANGE, GOLD, BLUE = (226, 112, 58), (240, 190, 80), (52, 73, 110)
GREEN, GREEN_LINE, WOOD, WOOD_LINE = (98, 158, 118), (76, 130, 96), (226, 190, 138), (150, 118, 76)
BLACK_AND_WHITE = {1: ((38, 42, 52), (20, 22, 28)), 2: ((248, 248, 245), (176, 172, 160))}
ORANGE_AND_GOLD = {1: (ORANGE, (168, 74, 30)), 2: (GOLD, (186, 138, 40))}


def put_stones(
    sheet: Sheet,
    board: npt.NDArray[Any],
    radius: float,
    colours: dict[int, tuple[Colour, Colour]],
    *,
    shift: float = 0.0,
) -> None:
    """Stones as discs: by their number on the board [H, W] a colour and one for the rim."""
    for r, c in np.argwhere(board).tolist():
        fill, rim = colours[int(board[r, c])]
        sheet.disc((r + shift, c + shift), radius, fill=fill, outline=rim, width=0.035)


def rule(sheet: Sheet, n: int, colour: Colour, *, start: float = 0.0) -> None:
    """n lines each way, one cell apart, from a corner on."""
    last = start + n - 1
    for k in range(n):
        sheet.line((start + k, start), (start + k, last), width=0.035, fill=colour)
        sheet.line((start, start + k), (last, start + k), width=0.035, fill=colour)
