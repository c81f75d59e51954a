"""Tic-tac-toe: three in a row on nine cells."""

from functools import cache

import numpy as np

from ...core.arrays import Array, namespace
from ...core.model import equally
from ..rendering.sheet import INK, LINE, PAPER, Colour, Place, Sheet
from .bits import BitPosition, StoneGame, spread
from .drawing import BLUE, ORANGE, Image
from .game import Game, GameModel
from .opponents import Greedy, Opponent, Random
from .versus import model_of

LINES = (0o007, 0o070, 0o700, 0o111, 0o222, 0o444, 0o421, 0o124)
FULL = 0o777


class TicTacToe(StoneGame):
    """Take cells in turn; the first with three in a row, column or diagonal wins.

    Cell r * 3 + c, in row r and column c, is the bit of that number.
    """

    height = width = 3
    n_actions = 9
    countable = True
    marks = "·XO"
    action_names = tuple(f"{column}{row}" for row in "321" for column in "abc")

    def __init__(self) -> None:
        self.place = np.arange(9).reshape(3, 3)
        self.cell = np.arange(9)
        self.wins = np.array([any(cells & line == line for line in LINES) for cells in range(FULL + 1)])

    def legal(self, position: BitPosition) -> Array:
        """The free cells."""
        return spread(position.own | position.other, self.cell) == 0

    def play(self, position: BitPosition, action: Array) -> BitPosition:
        """Take a cell."""
        own, other = position.other, position.own | (1 << action)
        won = self.wins[other]
        outcome = -namespace(own).astype(won, namespace(own).int8)
        return BitPosition(~position.second, won | ((own | other) == FULL), outcome, own, other)

    def picture(self, position: BitPosition) -> Image:
        """Crosses and rings on ruled paper."""
        sheet, board = Sheet(3, 3, fill=PAPER), self.stones(position)
        for k in (1, 2):
            sheet.line((k, 0.15), (k, 2.85), width=0.035, fill=LINE)
            sheet.line((0.15, k), (2.85, k), width=0.035, fill=LINE)
        for r, c in np.argwhere(board == 1).tolist():
            for left, right in (((0.26, 0.26), (0.74, 0.74)), ((0.26, 0.74), (0.74, 0.26))):
                _stroke(sheet, (r + left[0], c + left[1]), (r + right[0], c + right[1]), 0.12, ORANGE)
        for r, c in np.argwhere(board == 2).tolist():
            sheet.disc((r, c), 0.31, fill=PAPER, outline=BLUE, width=0.12)
        for cells in ([divmod(k, 3) for k in range(9) if line >> k & 1] for line in LINES):
            if {int(board[cell]) for cell in cells} in ({1}, {2}):
                start, end = ((r + 0.5, c + 0.5) for r, c in (cells[0], cells[-1]))
                _stroke(sheet, start, end, 0.06, INK)
        return sheet.pixels()


def _stroke(sheet: Sheet, start: Place, end: Place, width: float, fill: Colour) -> None:
    """A line with round ends."""
    sheet.line(start, end, width=width, fill=fill)
    for row, column in (start, end):
        sheet.disc((row - 0.5, column - 0.5), width / 2, fill=fill)


class Perfect(Opponent):
    """Chooses among the moves of best outcome, each equally likely, from a table of all positions."""

    def __init__(self) -> None:
        self.cell = np.arange(9)
        self.best = np.zeros((FULL + 1) ** 2, dtype=np.int64)  # cells worth taking, of own * 512 + other
        pending = {(0, 0)}
        while pending:
            own, other = pending.pop()
            values = {k: -value(other, own | 1 << k) for k in free(own, other)}
            self.best[own * (FULL + 1) + other] = sum(
                1 << k for k, v in values.items() if v == max(values.values())
            )
            pending |= {
                (other, own | 1 << k) for k in values if not self.best[other * (FULL + 1) + (own | 1 << k)]
            }

    def replies(self, game: Game[BitPosition], position: BitPosition) -> Array:
        """The same probability for every best move, [B, 9]."""
        return equally(spread(self.best[position.own * (FULL + 1) + position.other], self.cell) == 1)


def free(own: int, other: int) -> list[int]:
    """Cells that may be taken, none once the other has won."""
    lost = any(other & line == line for line in LINES)
    return [] if lost else [k for k in range(9) if not (own | other) >> k & 1]


@cache
def value(own: int, other: int) -> int:
    """The outcome for the player to move if both play their best: 1, 0 or -1."""
    if any(other & line == line for line in LINES):
        return -1
    return max((-value(other, own | 1 << k) for k in free(own, other)), default=0)


def tic_tac_toe(*, opponent: str | None = "random", first: bool | str = True) -> GameModel[BitPosition]:
    """Tic-tac-toe: three in a row, column or diagonal wins; +1 for a win, -1 for a loss, 0 for a draw.

    `opponent` is "random" (any legal move), "greedy" (wins or prevents a win where one move can), "perfect"
    (any move of best outcome) or None: the agent makes the moves of both, each step rewarded for its player.
    `first` says whether the agent begins: True, False or "random". Raises `OptionError`.
    """
    opponents: dict[str, type[Opponent]] = {"random": Random, "greedy": Greedy, "perfect": Perfect}
    return model_of(TicTacToe(), opponents, opponent, first)
