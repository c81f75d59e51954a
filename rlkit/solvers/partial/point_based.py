"""Bounds on a POMDP's optimum by search among beliefs that matter, whose values others share.

The optimum of so many steps, or of all at gamma < 1, is convex in the belief (Smallwood and Sondik 1973).
Vectors whose largest product with a belief some plan earns bound it from below; points at which it is known
to be no larger, joined with the corners, bound it from above. The search goes where the upper bound leads and
the bounds are furthest apart, and improves both on the way back (HSVI; Smith and Simmons 2005).
"""

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import FloatArray, one_player
from rlkit.core.pomdp import POMDP
from rlkit.core.rows import ranges
from rlkit.core.sensor import SensorPOMDP
from rlkit.solvers.evaluation import linear_solve
from rlkit.solvers.operators import action_kernel, backward_induction
from rlkit.solvers.options import check_kind, discount_for
from rlkit.solvers.solution import Interval
from rlkit.solvers.solve import solve

MOST_WORK = 5 * 10**8  # products of two numbers: some ten seconds
A_CALL = 10_000  # products that a call of many small ones costs as much as
MOST_ENTRIES = 5_000_000  # of the probabilities of a successor and an observation, and of a belief for each
LONGEST = 500  # steps of a horizon, each of which has bounds of its own
A_DESCENT = 0.5  # of the gap that one descent may leave
DEEPEST = 1_000  # steps of one descent
TINY = 1e-13  # relative improvement that is rounding


def point_based(
    pomdp: POMDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    minimize: bool = False,
    epsilon: float = 1e-6,
    most_work: float = MOST_WORK,
) -> Interval | None:
    """Bounds on the optimum with memory from the start, until they are `epsilon` apart or the work is done.

    `value` is the bound that a plan earns. For the first `horizon` steps, or for gamma < 1 without one; gamma
    is the model's discount unless given. None for gamma = 1 without a horizon, where a state lacks an action
    that another one has, and where the model is too large.
    """
    check_kind("point_based", pomdp, POMDP)
    one_player(pomdp.mdp)
    gamma = discount_for(pomdp.mdp, gamma, horizon)
    mdp = pomdp.full_information
    incomplete = (np.diff(mdp.state_ptr)[~mdp.terminal] < mdp.n_actions).any()
    if incomplete or (gamma >= 1 if horizon is None else horizon > LONGEST):
        return None
    problem = _Problem(pomdp, gamma, horizon, sign=-1.0 if minimize else 1.0)
    if problem.size > MOST_ENTRIES:
        return None
    low, high = _Search(problem, most_work).run(epsilon)
    return Interval(-low, -high, -low) if minimize else Interval(low, low, high)


class _Problem:
    """A POMDP as products: what becomes of a belief [S] under an action, one row for each observation."""

    def __init__(self, pomdp: POMDP, gamma: float, horizon: int | None, *, sign: float) -> None:
        mdp = pomdp.full_information
        self.gamma, self.horizon = gamma, horizon
        self.mdp = mdp.with_reward(sign * mdp.reward)
        self.kernel: list[csr_array] = []  # [A] of [S, O S]: each observation and successor together
        self.moves: list[csr_array] = []  # [A] of [S, S]
        self.reward = np.zeros((mdp.n_actions, mdp.n_states))
        for a in range(mdp.n_actions):
            moves, self.reward[a] = action_kernel(self.mdp, a)
            self.moves.append(moves)
            self.kernel.append(_with_sights(self.moves[-1], _sights(pomdp, a)))
        self.size = sum(kernel.nnz + kernel.shape[1] for kernel in self.kernel)
        self.start = mdp.initial[None]  # [M, S] beliefs weighted by the probability of the first observation
        if not isinstance(pomdp, SensorPOMDP):
            seen = pomdp.observation
            self.start = np.array([mdp.initial * (seen == o) for o in np.unique(seen[mdp.initial > 0])])

    def after(self, belief: FloatArray, action: int) -> FloatArray:
        """Beliefs after an action, weighted by the probability of what was observed, [O, S]."""
        found: FloatArray = (belief @ self.kernel[action]).reshape(-1, len(belief))
        return found

    def reward_scale(self, steps: int | None) -> float:
        """How much a reward counts with so many steps to go."""
        return (
            1.0 if steps is None or self.horizon is None else self.mdp.reward_scale(self.horizon - steps + 1)
        )


def _sights(pomdp: POMDP, action: int) -> csr_array:
    """Probability of each observation in each state entered, [S, O]; the end is an observation of its own."""
    if isinstance(pomdp, SensorPOMDP):
        n = pomdp.hidden.n_states
        return pomdp.sensor[action * n : (action + 1) * n]
    n, n_sights = pomdp.mdp.n_states, pomdp.n_observations + 1
    seen = np.where(pomdp.observation < 0, n_sights - 1, pomdp.observation)
    return csr_array((np.ones(n), seen, np.arange(n + 1)), shape=(n, n_sights))


def _with_sights(moves: csr_array, sights: csr_array) -> csr_array:
    """Probability of each observation and successor together, [S, O S]."""
    n, n_sights = sights.shape
    entries = moves.tocoo()
    state, successor = entries.coords
    count = np.diff(sights.indptr)[successor]
    place = ranges(sights.indptr[successor], count)
    column = sights.indices[place].astype(np.int64) * n + np.repeat(successor, count)
    weight = np.repeat(entries.data, count) * sights.data[place]
    return csr_array((weight, (np.repeat(state, count), column)), shape=(n, n_sights * n))


class _Bounds:
    """A lower and an upper bound on a convex function of beliefs."""

    def __init__(self, vectors: FloatArray, corner: FloatArray) -> None:
        self.vectors = vectors  # [N, S] the largest product with a belief is the lower bound
        self.corner = corner  # [S] upper bounds where the state is known
        self.points = np.empty((0, len(corner)))  # [K, S] beliefs at which the upper bound is lower
        self.excess = np.empty(0)  # [K] than the corners say, by so much, below 0
        self.most = [4 * len(vectors) + 16, 32]  # vectors and points before the next look at which are needed

    def lower(self, beliefs: FloatArray) -> FloatArray:
        """Lower bounds [M] at beliefs [M, S] of any weight."""
        found: FloatArray = (beliefs @ self.vectors.T).max(axis=1)
        return found

    def upper(self, beliefs: FloatArray) -> FloatArray:
        """Upper bounds [M]: the corners, less what the best point of those in the belief takes away."""
        return beliefs @ self.corner + self._less(beliefs, self.points, self.excess)

    def _less(self, beliefs: FloatArray, points: FloatArray, excess: FloatArray) -> FloatArray:
        """How far below the corners' mean each belief [M] lies by its best point, of [K]."""
        if not len(points):
            return np.zeros(len(beliefs))
        share = np.full((len(beliefs), *points.shape), np.inf)
        np.divide(beliefs[:, None], points, out=share, where=points > 0)
        less: FloatArray = (share.min(axis=2) * excess).min(axis=1)
        return np.minimum(less, 0.0)

    def raise_to(self, vector: FloatArray) -> None:
        """Add a vector to the lower bound; vectors that lie below another one are dropped now and then."""
        self.vectors = np.vstack([self.vectors, vector])
        if len(self.vectors) > self.most[0]:
            keep = np.ones(len(self.vectors), dtype=np.bool_)
            for i, row in enumerate(self.vectors):
                keep[i] = False
                keep[i] = not (self.vectors[keep] >= row).all(axis=1).any()
            self.vectors = self.vectors[keep]
            self.most[0] = 2 * len(self.vectors) + 16

    def lower_to(self, belief: FloatArray, value: float) -> None:
        """Lower the upper bound at a belief; points that others undercut are dropped now and then."""
        self.points = np.vstack([self.points, belief])
        self.excess = np.append(self.excess, value - belief @ self.corner)
        if len(self.points) > self.most[1]:
            keep = np.ones(len(self.points), dtype=np.bool_)
            for i, point in enumerate(self.points):
                keep[i] = False
                keep[i] = self._less(point[None], self.points[keep], self.excess[keep])[0] > self.excess[i]
            self.points, self.excess = self.points[keep], self.excess[keep]
            self.most[1] = 2 * len(self.points) + 32


class _Search:
    """Descents from the start, and the bounds that they improve."""

    def __init__(self, problem: _Problem, most_work: float) -> None:
        self.problem, self.left = problem, most_work
        self.bounds = self._from_one_action() if problem.horizon is None else self._step_by_step()

    def run(self, epsilon: float) -> tuple[float, float]:
        """Lower and upper bound at the start."""
        problem = self.problem
        root, start = self.at(problem.horizon), problem.start
        improved = True
        while True:
            low, high = root.lower(start), root.upper(start)
            wanted = epsilon * max(1.0, abs(low.sum()))
            if (high - low).sum() <= wanted or self.left <= 0 or not improved:
                return float(low.sum()), float(high.sum())
            belief = start[np.argmax(high - low)]
            gap = (high - low).max() / belief.sum()
            improved = self.descend(belief / belief.sum(), max(wanted / len(start), A_DESCENT * gap))

    def at(self, steps: int | None) -> _Bounds:
        """The bounds with so many steps to go; without a horizon they are always the same."""
        return self.bounds[steps or 0]

    def descend(self, belief: FloatArray, wanted: float) -> bool:
        """Go down while the bounds are too far apart, and improve them on the way back; False if nowhere."""
        problem, steps = self.problem, self.problem.horizon
        path: list[tuple[FloatArray, int | None]] = []
        slack = 1.0  # what may be left at the belief, in units of what may be left at the first one
        while steps != 0 and len(path) < DEEPEST and self.left > 0:
            path.append((belief, steps))
            ahead = [self.ahead(belief, a, steps) for a in range(len(problem.kernel))]
            _, after = max(ahead, key=lambda action: action[0])
            if steps is None or problem.horizon is None:
                slack /= problem.gamma
            else:
                steps -= 1
                slack = steps / problem.horizon
            weight, bounds = after.sum(axis=1), self.at(steps)
            apart = bounds.upper(after) - bounds.lower(after) - wanted * slack * weight
            if apart.max() <= 0:
                break
            belief = after[apart.argmax()] / weight[apart.argmax()]
        improved = False
        for belief, steps in reversed(path):
            improved |= self.improve(belief, steps)
        return improved

    def ahead(self, belief: FloatArray, action: int, steps: int | None) -> tuple[float, FloatArray]:
        """The upper bound on an action, and the beliefs that may follow it, [M, S]."""
        problem = self.problem
        after = problem.after(belief, action)
        after = after[after.any(axis=1)]
        bounds = self.at(None if steps is None else steps - 1)
        self.left -= A_CALL + after.size * (4 * len(bounds.points) + len(bounds.vectors))
        paid = problem.reward_scale(steps) * (belief @ problem.reward[action])
        return paid + problem.gamma * bounds.upper(after).sum(), after

    def improve(self, belief: FloatArray, steps: int | None) -> bool:
        """One backup of both bounds at a belief; whether that changed either."""
        problem, own = self.problem, self.at(steps)
        later = self.at(None if steps is None else steps - 1).vectors
        vectors, high = [], -np.inf
        for a, kernel in enumerate(problem.kernel):
            high = max(high, self.ahead(belief, a, steps)[0])
            best = (problem.after(belief, a) @ later.T).argmax(axis=1)
            follows = kernel @ later[best].ravel()
            vectors.append(problem.reward_scale(steps) * problem.reward[a] + problem.gamma * follows)
        vector = max(vectors, key=lambda v: belief @ v)
        low, was_low, was_high = belief @ vector, own.lower(belief[None])[0], own.upper(belief[None])[0]
        slack = TINY * max(1.0, abs(low))
        if low > was_low + slack:
            own.raise_to(vector)
        if high < was_high - slack:
            own.lower_to(belief, high)
        return bool(low > was_low + slack or high < was_high - slack)

    def _from_one_action(self) -> list[_Bounds]:
        """From below by one action for ever, from above by seeing the states."""
        problem = self.problem
        vectors = []
        for moves, reward in zip(problem.moves, problem.reward, strict=True):
            v = linear_solve(moves, reward, problem.gamma)
            over = (v - reward - problem.gamma * (moves @ v)).max(initial=0.0)
            vectors.append(v - over / (1 - problem.gamma))
        return [_Bounds(np.array(vectors), solve(problem.mdp, gamma=problem.gamma).upper)]

    def _step_by_step(self) -> list[_Bounds]:
        """The same with 0, 1, 2, ... steps to go."""
        problem = self.problem
        vectors = np.zeros_like(problem.reward)
        found = [_Bounds(vectors[:1], np.zeros(problem.mdp.n_states))]
        for stage in backward_induction(problem.mdp, problem.gamma, problem.horizon or 0):
            paid = problem.mdp.reward_scale(stage.step) * problem.reward
            blind = zip(paid, problem.moves, vectors, strict=True)
            vectors = np.array([r + problem.gamma * (p @ v) for r, p, v in blind])
            found.append(_Bounds(vectors, stage.value))
        return found
