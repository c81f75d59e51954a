"""The optimum of an exact model, and what whoever attains it knows."""

from typing import Any, NamedTuple

import numpy as np

from rlkit.core.errors import NoExactModel
from rlkit.core.mdp import MDP, one_player
from rlkit.core.pomdp import POMDP
from rlkit.solvers.graph import possible
from rlkit.solvers.partial.belief import MOST_BELIEFS, Beliefs, belief_mdp
from rlkit.solvers.partial.bounds import belief_bounds
from rlkit.solvers.partial.point_based import point_based
from rlkit.solvers.solution import Interval, Solution, gap
from rlkit.solvers.solve import solve

MOST_BOUNDED = 10_000  # beliefs that bounds are computed from where there are more than can be looked at


class Optimum(NamedTuple):
    """The best value from the start, and what the agent that attains it knows."""

    initial: Interval  # its `value` is earned by the solution's policy
    converged: bool
    knows: str  # "states", "beliefs" or "hidden states"; "both players" where the agent makes their moves
    solution: Solution  # over states or beliefs
    beliefs: Beliefs | None = None  # over which it is solved
    explored: int = 0  # beliefs that were looked at

    def when_reached(self) -> Solution:
        """The solution of a horizon over beliefs, each valued with the steps left when first reached."""
        plan, mdp = self.solution.plan, self.solution.mdp
        if plan is None:
            return self.solution
        there = possible(mdp, len(plan))
        return self.solution.from_steps(np.where(there.any(axis=0), there.argmax(axis=0), len(plan)))


def optimum(
    model: MDP | POMDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    minimize: bool = False,
    max_beliefs: int = MOST_BELIEFS,
    enclose: bool = False,
    **options: Any,
) -> Optimum:
    """The optimum from the start: over states or, under partial observability, over beliefs.

    Where more than `max_beliefs` can be reached, it is that of an agent who sees the hidden states, which no
    memory exceeds, or with `enclose` the tighter bounds of `belief_bounds` and `point_based` on what memory
    achieves. gamma is the model's discount unless given; `options` are those of `solve`, a target for MDPs
    alone. Raises `SolveError` for arguments out of range, and `NoExactModel` for hidden states in a game.
    """
    how = {"gamma": gamma, "horizon": horizon, "minimize": minimize, **options}
    if not isinstance(model, POMDP):
        return _of(solve(model, **how), "both players" if model.zero_sum else "states")
    one_player(model.mdp)
    try:
        beliefs = belief_mdp(model, horizon=horizon, max_beliefs=max_beliefs)
    except NoExactModel:
        if enclose:
            return _enclosed(model, max_beliefs, how)
        return _of(solve(model.full_information, **how), "hidden states")
    found = _of(solve(beliefs.mdp, **how), "beliefs")
    return found._replace(beliefs=beliefs, explored=len(beliefs.observation))


def _of(solution: Solution, knows: str) -> Optimum:
    return Optimum(solution.initial, solution.converged, knows, solution)


def _enclosed(pomdp: POMDP, max_beliefs: int, how: dict[str, Any]) -> Optimum:
    """Bounds from some of the beliefs."""
    bounds = belief_bounds(pomdp, horizon=how["horizon"], max_beliefs=min(max_beliefs, MOST_BOUNDED))
    blind, revealed = solve(bounds.blind, **how), solve(bounds.revealed, **how)
    low, high = (revealed, blind) if blind.minimize else (blind, revealed)
    lower, upper = low.initial.lower, high.initial.upper
    if blind.objective in ("discounted", "finite-horizon"):
        closer = point_based(
            pomdp, gamma=blind.gamma, horizon=blind.horizon, minimize=blind.minimize, epsilon=blind.epsilon
        )
        if closer is not None:
            lower, upper = max(lower, closer.lower), min(upper, closer.upper)
    initial = Interval(upper if blind.minimize else lower, lower, upper)
    converged = gap(*(np.array([x]) for x in initial)) <= blind.epsilon
    return Optimum(initial, converged, "beliefs", blind, None, bounds.explored)
