"""Othello: outflank the other's discs and they turn over."""

from dataclasses import dataclass, replace

import numpy as np

from ...core.arrays import Array, namespace
from ..options import OptionError, whole
from ..rendering.sheet import Sheet
from .bits import BitGame, BitPosition, any_of, population, spread
from .drawing import BLACK_AND_WHITE, GREEN, GREEN_LINE, Image, put_stones, rule
from .game import GameModel
from .opponents import Random
from .versus import model_of

FEW = 16  # cells of a board whose positions are few enough to list


@dataclass(frozen=True)
class OthelloPosition(BitPosition):
    """The discs of each player, bit r * size + c for row r and column c, and where the next may be put."""

    moves: Array  # [B] int64


class Othello(BitGame[OthelloPosition]):
    """Put a disc where it encloses the other's in a straight line; those turn over.

    A player who cannot must pass, and only then may. When neither can, the game is over and more discs win.
    Actions are the cells in reading order, then the pass.
    """

    marks = "·●○"

    def __init__(self, size: int = 6) -> None:
        self.height = self.width = size
        cells = size * size
        self.n_actions = cells + 1
        self.countable = cells <= FEW
        letters = "abcdefgh"
        self.action_names = (*(f"{letters[k % size]}{k // size + 1}" for k in range(cells)), "pass")
        self.cell = np.arange(cells)
        self.place = self.cell.reshape(size, size)
        self.disc = np.append(np.int64(1) << self.cell, 0)  # [A] the bit of an action
        self.board = -1 if cells == 64 else 2**cells - 1
        row, column = np.divmod(self.cell, size)
        inside = [(x > 0) & (x < size - 1) for x in (column, row)]
        both = inside[0] & inside[1]
        # Cells that can lie between two others in each direction; what wraps round an edge never does.
        self.between = np.array([[_word(x)] for x in (inside[0], inside[1], both, both)])  # [4, 1]
        self.ways = np.array([[1], [size], [size - 1], [size + 1]])  # [4, 1] steps from cell to cell
        middle = size // 2
        light = {(middle - 1, middle - 1), (middle, middle)}
        dark = {(middle - 1, middle), (middle, middle - 1)}
        self.dark, self.light = (sum(1 << (r * size + c) for r, c in x) for x in (dark, light))

    def first(self, like: Array) -> OthelloPosition:
        """Two discs each, crosswise in the middle; dark begins."""
        xp = namespace(like)
        zero = xp.zeros(like.shape, dtype=xp.int64, device=like.device)
        no, own, other = zero != 0, zero + self.dark, zero + self.light
        return OthelloPosition(no, no, xp.astype(no, xp.int8), own, other, self._moves(own, other))

    def legal(self, position: OthelloPosition) -> Array:
        """The cells where a disc may be put, or the pass."""
        xp = namespace(position.moves)
        return xp.concat([spread(position.moves, self.cell) == 1, (position.moves == 0)[:, None]], axis=1)

    def play(self, position: OthelloPosition, action: Array) -> OthelloPosition:
        """Put a disc and turn what it encloses, or pass."""
        xp = namespace(action)
        disc = self.disc[action]
        turned = self._enclosed(disc, position.own, position.other)
        own, other = position.other ^ turned, position.own | disc | turned
        moves = self._moves(own, other)
        over = (moves | self._moves(other, own)) == 0
        outcome = xp.astype(xp.sign(population(own) - population(other)) * over, xp.int8)
        return OthelloPosition(~position.second, over, outcome, own, other, moves)

    def turned(self, position: OthelloPosition) -> OthelloPosition:
        """Own and other discs exchanged."""
        return replace(super().turned(position), moves=self._moves(position.other, position.own))

    def _runs(self, start: Array, other: Array) -> tuple[Array, Array]:
        """Unbroken runs of the other's discs next to `start` [B], upwards and downwards, [4, B] each."""
        between = other[None, :] & self.between
        up, down = (start << self.ways) & between, (start >> self.ways) & between
        for _ in range(self.width - 3):
            up, down = up | ((up << self.ways) & between), down | ((down >> self.ways) & between)
        return up, down

    def _moves(self, own: Array, other: Array) -> Array:
        """Free cells behind a run of the other's discs that begins next to an own one, [B]."""
        up, down = self._runs(own, other)
        return any_of((up << self.ways) | (down >> self.ways)) & ~(own | other) & self.board

    def _enclosed(self, disc: Array, own: Array, other: Array) -> Array:
        """The other's discs between a new disc [B] and own ones, [B]."""
        up, down = self._runs(disc, other)
        up = up * (((up << self.ways) & own) != 0)
        return any_of(up | (down * (((down >> self.ways) & own) != 0)))

    def status(self, position: OthelloPosition) -> str:
        """The count of discs besides."""
        dark, light = (int((self.stones(position) == player).sum()) for player in (1, 2))
        return f"{self.marks[1]} {dark}  {self.marks[2]} {light}  {super().status(position)}"

    def picture(self, position: OthelloPosition) -> Image:
        """Black and white discs on green, dots where a disc may be put."""
        sheet = Sheet(self.height, self.width, fill=GREEN)
        rule(sheet, self.width + 1, GREEN_LINE)
        put_stones(sheet, self.stones(position), 0.40, BLACK_AND_WHITE)
        for k in self.cell[spread(position.moves, self.cell)[0] == 1].tolist():
            sheet.disc(divmod(k, self.width), 0.07, fill=GREEN_LINE)
        return sheet.pixels()


def _word(cells: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    return sum(1 << int(k) for k in np.flatnonzero(cells))


def othello(
    *, size: int = 6, opponent: str | None = "random", first: bool | str = True
) -> GameModel[OthelloPosition]:
    """Othello: outflanked discs turn over, more discs win; +1 for a win, -1 for a loss, 0 for a draw.

    `size` is 4, 6 or 8. `opponent` is "random" (any legal move) or None: the agent makes the moves of both,
    each step rewarded for its player. `first` says whether the agent begins: True, False or "random". Raises
    `OptionError`.
    """
    if whole("size", size, 4, 8) % 2:
        raise OptionError(f"size must be 4, 6 or 8, not {size}")
    return model_of(Othello(size), {"random": Random}, opponent, first)
