"""Small problems of the textbooks and the exploration literature, and random ones, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core import TableModel, from_successors, from_triplets
from ..core.table import TableState
from .knobs import KnobError, flag, number, whole

Outcomes = Mapping[str, list[tuple[float, Any, float]]]

MOST_TRANSITIONS = 50_000_000  # of a random model
DOWNSTREAM, UPSTREAM = 0, 1


def river_swim(
    *, n: int = 6, small_reward: float = 5.0, large_reward: float = 10_000.0, discount: float = 0.95
) -> TableModel:
    """Swim against the current to a large reward, or rest at a small one (RiverSwim).

    State 0 is the small reward's, state n-1 the large one's; the swimmer starts in 1 or 2. Swimming down
    always succeeds; up is 0.3 on, 0.6 nowhere, 0.1 back, and at the ends 0.7 nowhere or back. Raises
    `KnobError`. Source: Strehl and Littman (2008), An analysis of model-based interval estimation, figure 3.
    """
    last = whole("n", n, 3) - 1
    rows = [(s, DOWNSTREAM, max(s - 1, 0), 1.0, 0.0) for s in range(1, n)]
    rows += [(0, DOWNSTREAM, 0, 1.0, number("small_reward", small_reward))]
    rows += [(0, UPSTREAM, 0, 0.7, 0.0), (0, UPSTREAM, 1, 0.3, 0.0)]
    for s in range(1, last):
        rows += [(s, UPSTREAM, s - 1, 0.1, 0.0), (s, UPSTREAM, s, 0.6, 0.0), (s, UPSTREAM, s + 1, 0.3, 0.0)]
    rows += [(last, UPSTREAM, last - 1, 0.7, 0.0)]
    rows += [(last, UPSTREAM, last, 0.3, number("large_reward", large_reward))]
    state, action, successor, probability, reward = zip(*rows, strict=True)
    initial = np.zeros(n)
    initial[1:3] = 0.5
    return TableModel(
        from_triplets(
            state,
            action,
            successor,
            probability,
            reward=reward,
            n_states=n,
            initial=initial,
            discount=number("discount", discount, 0, 1),
            action_names=("down", "up"),
        )
    )


class Gambler(TableModel):
    """The gambler's problem; see `gambler` for what its states and actions are."""

    def text(self, state: TableState) -> str:
        """The capital, and what it is to become."""
        return f"capital {self._capital(state)} of {self._goal}"

    def picture(self, state: TableState) -> npt.NDArray[np.uint8]:
        """A bar as long as the goal, filled as far as the capital reaches, [H, W, 3]."""
        from .cells import GOAL
        from .drawing import AGENT, FILL, INK, LINE, RIM, Sheet

        capital, goal = self._capital(state), self._goal
        sheet = Sheet(4, 10)
        middle, long = (1.9, 4.5), 4.0
        share = long * capital / goal
        sheet.box(middle, long, tall=0.5, fill=LINE)
        if capital:
            fill, rim = (FILL[GOAL], INK) if capital == goal else (AGENT, RIM)
            left = (middle[0], middle[1] - long + share)
            sheet.box(left, share, tall=0.5, fill=fill, outline=rim, width=0.04)
        sheet.text((0.9, middle[1] - long + 2 * share), str(capital), size=0.8)
        sheet.text((2.9, middle[1] - long), "0", size=0.5)
        sheet.text((2.9, middle[1] + long), f"{goal}", size=0.5)
        return sheet.pixels()

    @property
    def _goal(self) -> int:
        return self.mdp.n_states - 1

    def _capital(self, state: TableState) -> int:
        return int(self.mdp.state_name(int(state.index[0])))


def gambler(*, goal: int = 100, p_heads: float = 0.4, capital: int | None = None) -> Gambler:
    """Stake a part of one's capital on each toss of a coin until one has it all or nothing (the gambler).

    State s is the capital, 0 and `goal` end, and entering `goal` pays 1. Action a stakes a + 1, at most what
    one has and at most what is missing. Without a `capital` to start with, each of 1..goal-1 is equally
    likely. Raises `KnobError`. Source: Sutton and Barto (2018), example 4.3.
    """
    whole("goal", goal, 2, 2_000)
    heads = number("p_heads", p_heads, 0, 1)
    first = range(1, goal) if capital is None else [whole("capital", capital, 1, goal - 1)]

    def outcomes(s: int) -> Outcomes:
        return {
            f"stake {a}": [(heads, s + a, float(s + a == goal)), (1 - heads, s - a, 0.0)]
            for a in range(1, min(s, goal - s) + 1)
        }

    initial = {s: (s in first) / len(first) for s in range(goal + 1)}
    stakes = [f"stake {a}" for a in range(1, goal // 2 + 1)]
    return Gambler(from_successors(outcomes, initial, action_names=stakes))


def garnet(
    *, states: int = 20, actions: int = 4, branching: int = 3, seed: int = 0, discount: float = 0.95
) -> TableModel:
    """A random MDP: each choice leads to `branching` random states with random probabilities (Garnet).

    Successors are distinct and equally likely; probabilities are the gaps between uniform cuts of [0, 1];
    the expected reward of each choice is standard normal; every state is equally likely to be first. The same
    seed gives the same model. Raises `KnobError`. Source: Archibald, McKinnon and Thomas (1995), On the
    generation of Markov decision processes; rewards of Bhatnagar et al. (2009), Natural actor-critic
    algorithms, section 7.
    """
    whole("states", states, 1)
    whole("actions", actions, 1)
    whole("branching", branching, 1, states)
    rng = np.random.default_rng(whole("seed", seed, 0))
    choices = states * actions
    if choices * branching > MOST_TRANSITIONS:
        raise KnobError(
            f"states, actions and branching must multiply to at most {MOST_TRANSITIONS}, "
            f"not {choices * branching}"
        )
    cuts = np.sort(rng.random((choices, branching - 1)), axis=1)
    probability = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    choice = np.repeat(np.arange(choices), branching)
    return TableModel(
        from_triplets(
            choice // actions,
            choice % actions,
            _subsets(states, branching, choices, rng).reshape(-1),
            probability.reshape(-1),
            reward=rng.standard_normal(choices)[choice],
            n_states=states,
            initial=np.full(states, 1 / states),
            discount=number("discount", discount, 0, 1),
        )
    )


def _subsets(n: int, size: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random subsets of range(n), all equally likely, [count, size] (Floyd's algorithm)."""
    chosen = np.empty((count, size), dtype=np.int64)
    for k in range(size):
        last = n - size + k
        drawn = rng.integers(0, last + 1, count)
        taken = (chosen[:, :k] == drawn[:, None]).any(axis=1)
        chosen[:, k] = np.where(taken, last, drawn)
    return chosen


class DeepSea(TableModel):
    """Fall through an n by n sea, one row a step, steering left or right; the treasure is bottom right.

    See `deep_sea` for the knobs. Cells are numbered in reading order, of each row those that can be reached;
    the last state is the ground.
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

    def picture(self, state: TableState) -> npt.NDArray[np.uint8]:
        """The sea with the diver as a disc, [H, W, 3]."""
        from .drawing import Board

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
    without, it is action 1. Raises `KnobError`. Source: Osband et al. (2019), Deep exploration via randomized
    value functions, section 5; the rewards are those of bsuite without its noise.
    """
    whole("n", n, 2, 2_000)
    slip = 1 / n if flag("stochastic", stochastic) else 0.0
    chosen = None if seed is None else whole("seed", seed, 0)
    return DeepSea(n, move_cost=number("move_cost", move_cost), slip=slip, seed=chosen)
