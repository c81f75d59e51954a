"""Deep Sea: a test of deep exploration."""

import numpy as np

from ...core import TableModel, from_triplets
from ...core.table import TableState
from ..options import flag, number, whole
from ..rendering.sheet import Board, Image


class DeepSea(TableModel):
    """Fall through an n by n sea, one row a step, steering left or right; the treasure is bottom right.

    See `deep_sea` for the options. Cells are numbered in reading order, of each row those that can be
    reached; the last state is the ground.
    """

    def __init__(self, n: int, *, move_cost: float, slip: float, seed: int | None) -> None:
        self.n = n
        self.row, self.column = np.tril_indices(n)  # of each state but the last
        self.position = np.column_stack([self.row, self.column])
        ground = len(self.row)
        s = np.arange(ground)
        below = np.where(self.row < n - 1, s + self.row + 1, ground)  # the cell straight below
        falls = self.row < n - 1
        left = below - (falls & (self.column > 0))
        right = below + falls
        treasure = (self.column == n - 1).astype(np.float64)
        coin = np.random.default_rng(seed).integers(0, 2, ground)
        rightwards = np.ones(ground, dtype=np.int64) if seed is None else coin
        chance = np.repeat([1.0, 1 - slip, slip], ground)
        reward = np.concatenate([np.zeros(ground), treasure - move_cost / n, treasure - move_cost / n])
        super().__init__(
            from_triplets(
                np.tile(s, 3)[chance > 0],
                np.concatenate([1 - rightwards, rightwards, rightwards])[chance > 0],
                np.concatenate([left, right, below])[chance > 0],
                chance[chance > 0],
                reward=reward[chance > 0],
                n_states=ground + 1,
                state_names=[*(f"({r},{c})" for r, c in zip(self.row, self.column, strict=True)), "ground"],
                action_names=("left", "right") if seed is None else ("0", "1"),
            )
        )

    signs = {"@": "you", "G": "treasure", "#": "out of reach"}

    def text(self, state: TableState) -> str:
        """The sea with `@` for the diver and `G` for the treasure."""
        lines = [list(line) for line in self.rows]
        if not self.ends[state.index[0]]:
            lines[int(self.row[state.index[0]])][int(self.column[state.index[0]])] = "@"
        return "\n".join("".join(line) for line in lines)

    def picture(self, state: TableState) -> Image:
        """The sea with the diver as a disc, [H, W, 3]."""
        board = Board(self.rows)
        if not self.ends[state.index[0]]:
            board.agent((int(self.row[state.index[0]]), int(self.column[state.index[0]])))
        return board.pixels()

    @property
    def rows(self) -> list[str]:
        """The map, with `#` for what cannot be reached and `G` for the treasure."""
        rows = ["." * (r + 1) + "#" * (self.n - r - 1) for r in range(self.n)]
        return [*rows[:-1], rows[-1][:-1] + "G"]


def deep_sea(
    *, n: int = 10, move_cost: float = 0.01, stochastic: bool = False, seed: int | None = None
) -> DeepSea:
    """Only one of 2^n dives finds the treasure: a test of deep exploration (Deep Sea).

    Each step falls one row and steers to the left or right; after n steps the episode ends. Steering right
    costs `move_cost` / n, and pays 1 in the bottom right corner. If `stochastic`, steering right falls
    straight down with probability 1 / n. With a `seed`, which action steers right is drawn for each cell;
    without, it is action 1. Raises `OptionError`. Source: Osband et al. (2019), Deep exploration via
    randomized value functions, section 5; the rewards are those of bsuite without its noise.
    """
    whole("n", n, 2, 2_000)
    slip = 1 / n if flag("stochastic", stochastic) else 0.0
    chosen = None if seed is None else whole("seed", seed, 0)
    return DeepSea(n, move_cost=number("move_cost", move_cost), slip=slip, seed=chosen)
