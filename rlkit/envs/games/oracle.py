"""Alpha-beta search for connect four: the exact outcome of positions that are small enough.

Stones are bits of Python integers as in `connect_four`. The search is Knuth and Moore's (1975), with the
moves nearest the middle first, a table of bounds met before, and a look at which cells would win next, by
which forced moves are made without branching.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np

from ...core.arrays import Array
from ..options import OptionError
from .opponents import Opponent

UNBOUNDED = 10**9  # moves ahead

Bounds = dict[tuple[int, int], tuple[int, int]]  # (own, other) -> least and greatest outcome


class Oracle:
    """Searches one size of board; `outcome` is exact where `depth` reaches the end of the game."""

    def __init__(self, width: int = 7, height: int = 6, connect: int = 4) -> None:
        self.width, self.height, self.connect = width, height, connect
        foot = [1 << c * (height + 1) for c in range(width)]
        self.bottom = sum(foot)
        self.full = self.bottom * ((1 << height) - 1)
        self.columns = [f * ((1 << height) - 1) for f in foot]
        self.order = sorted(range(width), key=lambda c: abs(2 * c - width + 1))
        self.ways = (1, height, height + 1, height + 2)
        self.bounds: Bounds = {}  # of the outcome, searched to the end
        self.nodes = 0

    def outcome(self, own: int, other: int, *, depth: int = UNBOUNDED) -> int:
        """1, 0 or -1 for the player to move if both play their best; 0 where `depth` moves do not decide.

        The position is one that is not over.
        """
        if depth < UNBOUNDED and depth < self.width * self.height - (own | other).bit_count():
            return self._search(own, other, -1, 1, depth, {})
        return self._search(own, other, -1, 1, UNBOUNDED, self.bounds)

    def best(self, own: int, other: int, *, depth: int = UNBOUNDED) -> int:
        """The column of a move of best outcome, the one nearest the middle."""
        taken = own | other
        playable = (taken + self.bottom) & self.full
        winning = self._winning(own, taken) & playable
        return max(
            (c for c in self.order if playable & self.columns[c]),
            key=lambda c: (
                2 if winning & self.columns[c] else self._after(own, other, playable & self.columns[c], depth)
            ),
        )

    def _after(self, own: int, other: int, stone: int, depth: int) -> int:
        own |= stone
        if depth <= 1 or own | other == self.full:
            return 0
        return -self.outcome(other, own, depth=depth - 1)

    def _winning(self, stones: int, taken: int) -> int:
        """Free cells that would complete a line of `stones`."""
        cells, free = 0, self.full & ~taken
        for way in self.ways:
            below, above = [free], [free]  # free cells next to so many stones this way
            for k in range(1, self.connect):
                below.append(below[-1] & stones << k * way)
                above.append(above[-1] & stones >> k * way)
            for before, after in zip(below, reversed(above), strict=True):
                cells |= before & after
        return cells

    def _search(self, own: int, other: int, low: int, high: int, depth: int, bounds: Bounds) -> int:
        """The outcome, exact if between `low` and `high`, else a bound beyond the one that it passes."""
        self.nodes += 1
        taken = own | other
        playable = (taken + self.bottom) & self.full
        if self._winning(own, taken) & playable:
            return 1
        if not playable or depth <= 1:
            return 0
        threats = self._winning(other, taken)
        forced = threats & playable
        if forced:
            if forced & (forced - 1):
                return -1
            playable = forced
        playable &= ~(threats >> 1)  # what lies under a threat hands it over
        if not playable:
            return -1
        key = (own, other)
        least, most = bounds.get(key, (-1, 1))
        low, high = max(low, least), min(high, most)
        if low >= high:
            return least if least >= high else most
        best, reached = -1, low
        for column in self.order:
            stone = playable & self.columns[column]
            if not stone:
                continue
            found = (
                0
                if taken | stone == self.full
                else -self._search(other, own | stone, -high, -reached, depth - 1, bounds)
            )
            best = max(best, found)
            reached = max(reached, found)
            if reached >= high:
                break
        bounds[key] = (best if best > low else least, best if best < high else most)
        return best


class AlphaBeta(Opponent):
    """Plays a column of best outcome as far as it can see, the one nearest the middle; numpy only."""

    def __init__(self, depth: int) -> None:
        self.depth = depth

    def replies(self, game: Any, position: Any) -> Array:
        """Certainty of one column, [B, W]. Raises `OptionError` for torch."""
        if not isinstance(position.own, np.ndarray):
            raise OptionError("opponent 'alpha-beta' searches on the processor; in torch play another one")
        size = game.width, game.height, game.connect
        chances = np.zeros((len(position.own), game.width))
        for row, state in enumerate(
            zip(position.own.tolist(), position.other.tolist(), position.over.tolist(), strict=True)
        ):
            own, other, over = state
            chances[row, 0 if over else reply(size, own, other, self.depth)] = 1
        return chances


@lru_cache(maxsize=1_000_000)
def reply(size: tuple[int, int, int], own: int, other: int, depth: int) -> int:
    """The column that the oracle of this size of board plays."""
    return oracle(size).best(own, other, depth=depth)


@cache
def oracle(size: tuple[int, int, int]) -> Oracle:
    """The one oracle of a size of board, with all that it has found out."""
    return Oracle(*size)
