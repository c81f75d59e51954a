"""The optimum of an exact model, for everybody who asks, whoever acts in it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rlkit.core.errors import NoExactModel
from rlkit.core.mdp import MDP
from rlkit.core.pomdp import POMDP
from rlkit.solvers.belief import MOST_BELIEFS, Beliefs, belief_mdp
from rlkit.solvers.belief_bounds import belief_bounds
from rlkit.solvers.graph import possible
from rlkit.solvers.options import check_kind
from rlkit.solvers.point_based import point_based
from rlkit.solvers.solution import Interval, Solution, gap
from rlkit.solvers.solve import solve

MOST_BOUNDED = 10_000  # beliefs that bounds are computed from where there are more than can be looked at


class Optimum(NamedTuple):
    """The best that can be done, and by whom."""

    solution: Solution
    sees: str  # "states", past "observations", or "hidden states"
    beliefs: Beliefs | None = None  # over which it is solved, where it sees past observations


class Remembered(NamedTuple):
    """The optimum with memory from the start of a POMDP, or bounds on it."""

    initial: Interval  # its `value` is earned by the solution's policy
    converged: bool
    solution: Solution  # over beliefs; with a horizon, each with the steps left when it is first reached
    beliefs: Beliefs | None  # None where more can be reached than were looked at
    explored: int  # beliefs that were looked at


def optimum(model: MDP | POMDP, *, gamma: float | None = None, horizon: int | None = None) -> Optimum:
    """The optimum of whoever acts by what can be seen: the state, or past observations where it is hidden.

    Where more beliefs can be reached than `belief_mdp` looks at, it is that of an agent who sees the states.
    gamma is the model's discount unless given. Raises `SolveError` for arguments out of range.
    """
    if not isinstance(model, POMDP):
        return Optimum(solve(model, gamma=gamma, horizon=horizon), "states")
    try:
        beliefs = belief_mdp(model, horizon=horizon)
    except NoExactModel:
        return Optimum(solve(model.full_information, gamma=gamma, horizon=horizon), "hidden states")
    return Optimum(solve(beliefs.mdp, gamma=gamma, horizon=horizon), "observations", beliefs)


def solve_pomdp(
    pomdp: POMDP,
    *,
    horizon: int | None = None,
    minimize: bool = False,
    max_beliefs: int = MOST_BELIEFS,
    **options: Any,
) -> Remembered:
    """Solve a POMDP for an agent that remembers what it saw; `options` are those of `solve`, but no target.

    Where more than `max_beliefs` beliefs can be reached, the bounds are the tighter ones of `belief_bounds`
    and `point_based`, and `converged` says whether they are `epsilon` apart. Raises `SolveError` for
    arguments out of range.
    """
    check_kind("solve_pomdp", pomdp, POMDP)
    how = {"horizon": horizon, "minimize": minimize, **options}
    try:
        beliefs = belief_mdp(pomdp, horizon=horizon, max_beliefs=max_beliefs)
    except NoExactModel:
        return _bounded(pomdp, max_beliefs, how)
    found = solve(beliefs.mdp, **how)
    if found.plan is not None:
        there = possible(beliefs.mdp, len(found.plan))
        found = found.from_steps(np.where(there.any(axis=0), there.argmax(axis=0), len(found.plan)))
    return Remembered(found.initial, found.converged, found, beliefs, len(beliefs.observation))


def _bounded(pomdp: POMDP, max_beliefs: int, how: dict[str, Any]) -> Remembered:
    """Bounds from some of the beliefs."""
    bounds = belief_bounds(pomdp, horizon=how["horizon"], max_beliefs=min(max_beliefs, MOST_BOUNDED))
    blind, revealed = solve(bounds.blind, **how), solve(bounds.revealed, **how)
    low, high = (revealed, blind) if blind.minimize else (blind, revealed)
    lower, upper = low.initial.lower, high.initial.upper
    if blind.objective in ("discounted", "finite-horizon"):
        closer = point_based(
            pomdp,
            gamma=blind.gamma,
            horizon=blind.horizon,
            minimize=blind.minimize,
            epsilon=blind.epsilon,
        )
        if closer is not None:
            lower, upper = max(lower, closer.lower), min(upper, closer.upper)
    initial = Interval(upper if blind.minimize else lower, lower, upper)
    converged = gap(*(np.array([x]) for x in initial)) <= blind.epsilon
    return Remembered(initial, converged, blind, None, bounds.explored)
