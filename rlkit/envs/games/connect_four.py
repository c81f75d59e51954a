"""Connect four: stones fall down the columns of an upright board."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ...core.arrays import Array, namespace
from ..options import OptionError, whole
from ..rendering.sheet import PAPER, Sheet
from .bits import BitPosition, StoneGame, any_of
from .drawing import BLUE, ORANGE_AND_GOLD, Image, put_stones
from .game import GameModel
from .opponents import Greedy, Opponent, Random
from .oracle import AlphaBeta
from .versus import model_of

FEW = 20  # cells of a board whose positions are few enough to list


class ConnectFour(StoneGame):
    """Drop a stone into a column; the first with `connect` in a row in any direction wins.

    Column c and row r from below is bit c * (height + 1) + r. The bit above each column is never set, so
    that no line runs from one column into the next.
    """

    marks = "·XO"

    def __init__(self, width: int = 7, height: int = 6, connect: int = 4) -> None:
        self.width, self.height, self.connect = width, height, connect
        self.n_actions = width
        self.action_names = tuple(str(c + 1) for c in range(width))
        self.countable = width * height <= FEW
        columns = np.arange(width) * (height + 1)
        rows = np.arange(height - 1, -1, -1)[:, None]  # the top one first
        self.place = columns + rows  # [H, W] bit of each cell
        self.bottom = 1 << columns  # [W]
        self.column = self.bottom * (2**height - 1)  # [W] bits of the cells of a column
        self.top = self.bottom << (height - 1)  # [W]
        self.full = int(self.column.sum())
        self.ways = np.array([[1], [height], [height + 1], [height + 2]])  # [4, 1] steps from cell to cell

    def legal(self, position: BitPosition) -> Array:
        """The columns that are not full."""
        return (((position.own | position.other) & self.top[:, None]) == 0).T

    def play(self, position: BitPosition, action: Array) -> BitPosition:
        """Drop a stone: adding 1 at the foot of a column carries to its lowest free cell."""
        own, taken = position.other, position.own | position.other
        stone = (taken + self.bottom[action]) & self.column[action]
        other, won = position.own | stone, self._won(position.own | stone)
        outcome = -namespace(own).astype(won, namespace(own).int8)
        return BitPosition(~position.second, won | ((taken | stone) == self.full), outcome, own, other)

    def _won(self, stones: Array) -> Array:
        """Whether some line is long enough, [B]; runs of stones are grown by up to their own length."""
        runs, length = stones[None, :], 1
        while length < self.connect:
            more = min(length, self.connect - length)
            runs = runs & (runs >> self.ways * more)
            length += more
        return any_of(runs) != 0 if self.connect > 1 else stones != 0

    def text(self, position: BitPosition) -> str:
        """The board above the numbers of its columns."""
        *rows, status = super().text(position).split("\n")
        return "\n".join([*rows, " ".join(str((c + 1) % 10) for c in range(self.width)), status])

    def picture(self, position: BitPosition) -> Image:
        """Orange and golden discs behind a blue front."""
        sheet, board = Sheet(self.height, self.width, fill=BLUE), self.stones(position)
        for r, c in np.argwhere(board == 0).tolist():
            sheet.disc((r, c), 0.40, fill=PAPER, outline=(38, 54, 84), width=0.035)
        put_stones(sheet, board, 0.40, ORANGE_AND_GOLD)
        return sheet.pixels()


def connect_four(
    *,
    width: int = 7,
    height: int = 6,
    connect: int = 4,
    opponent: str | None = "random",
    first: bool | str = True,
    depth: int = 4,
) -> GameModel[BitPosition]:
    """Connect four: drop stones, four in a row wins; +1 for a win, -1 for a loss, 0 for a draw.

    `opponent` is "random" (any legal move), "greedy" (wins or prevents a win where one move can),
    "alpha-beta" (searches `depth` moves ahead; on the processor only) or None: the agent makes the moves of
    both, each step rewarded for its player. `first` says whether the agent begins: True, False or "random".
    `width` and `height` up to width * (height + 1) = 63, `connect` from 2 to the longer side. Raises
    `OptionError`.
    """
    whole("width", width, 2, 20)
    whole("height", height, 2, 20)
    if width * (height + 1) > 63:
        raise OptionError(f"width * (height + 1) must be at most 63, not {width} * {height + 1}")
    whole("connect", connect, 2, max(width, height))
    whole("depth", depth, 1, 42)
    game = ConnectFour(width, height, connect)
    opponents: dict[str, Callable[[], Opponent]] = {
        "random": Random,
        "greedy": Greedy,
        "alpha-beta": partial(AlphaBeta, depth),
    }
    return model_of(game, opponents, opponent, first)
