"""The optimum with memory: the beliefs that a POMDP can lead to are the states of an MDP.

All that past observations and actions say of the future is the distribution of the present state given
them, the belief, and beliefs follow each other as the states of an MDP do (Åström 1965; Smallwood and Sondik
1973; Kaelbling, Littman and Cassandra 1998, section 3.3). Where finitely many can be reached, or only some
steps are looked at, that MDP is finite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rlkit.core.build import expected_reward, from_triplets
from rlkit.core.errors import NoExactModel
from rlkit.core.mdp import MDP, FloatArray, IntArray, one_player
from rlkit.core.pomdp import POMDP
from rlkit.solvers.operators import action_kernel
from rlkit.solvers.options import check_kind, discount_for

MOST_BELIEFS = 100_000  # that are looked at unless more are asked for
GRID = 2.0**40  # cells a unit of probability is cut into when beliefs are compared
OVER = -1  # stands for the end until its number is known
NAMED = 4  # states of a belief that its name lists
AT_ONCE = 1_000  # beliefs that are left in one batch

Rows = tuple[npt.NDArray[Any], ...]  # columns [T]: source, action, target, probability, reward


@dataclass(frozen=True, eq=False, kw_only=True)
class Beliefs(POMDP):
    """A POMDP whose states are beliefs. Whoever sees them all has no more than memory.

    Its policies over observations are those of the original, and earn the same.
    """

    belief: csr_array  # [S', S] distribution over the original's states; empty where the episode is over
    original: POMDP

    def state_name(self, state: int) -> str:
        """What was observed last, and the likeliest states with their probabilities."""
        row = self.belief[[state]]
        if not row.nnz:
            return "the end"
        likeliest = np.argsort(-row.data, kind="stable")
        names = [self.original.state_name(int(row.indices[i])) for i in likeliest[:NAMED]]
        weights = [f" {p:.4g}".replace("-", "−") if p < 1 else "" for p in row.data[likeliest]]
        parts = [name + weight for name, weight in zip(names, weights, strict=False)]
        more = f", {len(likeliest) - NAMED} more" if len(likeliest) > NAMED else ""
        seen = int(self.original.observation[row.indices[0]])
        return f"{self.original.observation_name(seen)}: {', '.join(parts)}{more}"


def belief_mdp(pomdp: POMDP, *, horizon: int | None = None, max_beliefs: int = MOST_BELIEFS) -> Beliefs:
    """All beliefs that can be reached, within `horizon` steps if it is given, as an MDP for `solve`.

    Its optimum from the start is the best that memory can do. Beliefs that are first reached after `horizon`
    steps are terminal, so with a horizon only the value of the start, and only for so many steps, is that of
    the POMDP. Raises `NoExactModel` with the count so far when there are more than `max_beliefs`.

    Beliefs are one state if they agree on a grid of 2^-40, and that state keeps the exact weights of the
    first of them. Paths that meet in one belief but for rounding are thus joined; beliefs that truly differ,
    but by less than 1e-12, are too, which moves the value by at most 1e-12 a step for each state that is
    possible, in units of the range of values. Two that rounding puts into neighbouring cells are kept apart,
    which costs room alone.
    """
    check_kind("belief_mdp", pomdp, POMDP)
    walk = Walk(pomdp, max_beliefs)
    walk.explore(horizon)
    return Beliefs(
        mdp=walk.model(),
        observation=np.array([*walk.observation, *[OVER] * walk.ended], dtype=np.int64),
        belief=walk.stack(range(len(walk.found)), more=walk.ended),
        original=pomdp,
    )


class _Split(NamedTuple):
    """Distributions cut into G parts, each of one observation."""

    origin: IntArray  # [G] which of the distributions the part is from
    target: IntArray  # [G] number of its belief, or OVER
    probability: FloatArray  # [G]


class Walk:
    """The beliefs found so far, and the transitions between them."""

    def __init__(self, pomdp: POMDP, max_beliefs: float) -> None:
        mdp = pomdp.mdp
        one_player(mdp)
        self.pomdp, self.max_beliefs = pomdp, max_beliefs
        self.index: dict[bytes, int] = {}
        self.found: list[tuple[IntArray, FloatArray]] = []  # states and weights of each belief
        self.observation: list[int] = []
        kernels = [action_kernel(mdp, a) for a in range(mdp.n_actions)]
        self.kernel = [moves for moves, _ in kernels]  # [A] of [S, S]
        self.reward = [reward for _, reward in kernels]  # [A] of [S]
        self.rows: list[Rows] = [tuple(np.zeros(0, dtype=t) for t in (int, int, int, float, float))]
        self.start = self.split(csr_array(mdp.initial[None, :]))

    def explore(self, horizon: int | None, *, enough: float = np.inf) -> IntArray:
        """Go on step by step until nothing is new, the horizon is reached, or `enough` beliefs are found.

        Returns the beliefs that were left as they are although something may follow.
        """
        discount_for(self.pomdp.mdp, None, horizon)
        first, depth = 0, 0
        while first < len(self.found) and (horizon is None or depth < horizon):
            last, depth = len(self.found), depth + 1
            while first < last:
                if len(self.found) >= enough:
                    return np.arange(first, len(self.found))
                frontier = np.arange(first, min(last, first + AT_ONCE))
                first += len(frontier)
                self.rows += self.expand(frontier)
        return np.arange(0)

    @property
    def ended(self) -> bool:
        """Whether a state behind the beliefs is needed for the end."""
        return any((target == OVER).any() for _, _, target, *_ in self.rows) or OVER in self.start.target

    def model(self, more: Sequence[Rows] = (), *, states: int = 0, actions: int = 1) -> MDP:
        """The MDP of the beliefs and, where it is needed, the end.

        Behind them may come further `states`, numbered on, with rows of their own; `actions` counts the sets
        of actions that rows choose from.
        """
        mdp = self.pomdp.mdp
        columns = zip(*self.rows, *more, strict=True)
        source, action, target, probability, reward = (np.concatenate(column) for column in columns)
        end = len(self.found)
        initial = np.zeros(end + self.ended + states)
        initial[np.where(self.start.target == OVER, end, self.start.target)] = self.start.probability
        model = from_triplets(
            source,
            action,
            np.where(target == OVER, end, target),
            probability,
            n_states=len(initial),
            reward=reward,
            initial=initial,
            discount=mdp.discount,
            action_names=[mdp.action_name(a) for _ in range(actions) for a in range(mdp.n_actions)],
        )
        return model.with_reward_decay(mdp.reward_decay)

    def expand(self, frontier: IntArray) -> list[Rows]:
        """Every transition out of these beliefs, a table for each action."""
        legal = self.pomdp.legal[np.array([self.observation[i] for i in frontier])]
        rows: list[Rows] = []
        for a in np.flatnonzero(legal.any(axis=0)):
            source = frontier[legal[:, a]]
            belief = self.stack(source)
            reward = expected_reward(belief.data, self.reward[a][belief.indices], belief.indptr[:-1])
            origin, target, probability = self.split(belief @ self.kernel[a])
            rows.append((source[origin], np.full(len(origin), a), target, probability, reward[origin]))
        return rows

    def split(self, distribution: csr_array) -> _Split:
        """Cut distributions [R, S] by what is seen: Bayes' rule, all observations at once."""
        coordinates = distribution.tocoo()
        row, state = (x.astype(np.int64) for x in coordinates.coords)
        seen = self.pomdp.observation[state]
        order = np.lexsort((state, seen, row))
        row, state, seen, weight = row[order], state[order], seen[order], coordinates.data[order]
        starts = np.flatnonzero(np.append(True, (np.diff(row) != 0) | (np.diff(seen) != 0)))
        probability = np.add.reduceat(weight, starts)
        sizes = np.diff(starts, append=len(row))
        target = self.number(state, weight / np.repeat(probability, sizes), seen, starts, sizes)
        return _Split(row[starts], target, probability)

    def number(
        self, state: IntArray, weight: FloatArray, seen: IntArray, starts: IntArray, sizes: IntArray
    ) -> IntArray:
        """Numbers [G] of beliefs given one behind the other, [K]; unknown ones are given the next."""
        cell = np.rint(weight * GRID).astype(np.int64)
        numbers = np.full(len(starts), OVER)
        for i, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
            if seen[start] == OVER:
                continue
            own = slice(start, start + size)
            key = state[own].tobytes() + cell[own].tobytes()
            if key not in self.index:
                if len(self.found) >= self.max_beliefs:
                    found = len(self.found)
                    raise NoExactModel(f"more than {self.max_beliefs} beliefs: {found} found so far")
                self.index[key] = len(self.found)
                self.found.append((state[own].copy(), weight[own].copy()))
                self.observation.append(int(seen[start]))
            numbers[i] = self.index[key]
        return numbers

    def stack(self, numbers: IntArray | range, *, more: int = 0) -> csr_array:
        """Beliefs as rows, [N, S], and `more` empty ones behind them."""
        chosen = [self.found[i] for i in numbers]
        sizes = [len(state) for state, _ in chosen]
        pointers = np.cumsum([0, *sizes, *[0] * more])
        empty = (np.zeros(0, dtype=np.int64), np.zeros(0))
        states, weights = zip(*chosen, empty, strict=True)
        shape = (len(sizes) + more, self.pomdp.mdp.n_states)
        return csr_array((np.concatenate(weights), np.concatenate(states), pointers), shape=shape)
