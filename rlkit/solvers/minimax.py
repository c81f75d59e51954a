"""Games of two players who move in turn, where one gains what the other loses, solved exactly.

The MDP is one in which both players are the agent: a choice pays its reward to the player who makes it, and
the other player moves in the states that follow, as in the self-play models of `rlkit.envs.games`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.graph import components
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.options import SolveError, check_kind, discount_for


@dataclass(frozen=True, eq=False, kw_only=True)
class GameSolution:
    """The value of a game in every state, for the player who moves there, if both play their best."""

    mdp: MDP
    gamma: float
    value: FloatArray  # [S]
    choice: IntArray  # [S] best choice, -1 in terminal states
    sweeps: int

    @cached_property
    def policy(self) -> IntArray:
        """Best action of each state, [S]; -1 in terminal states."""
        return np.where(self.choice >= 0, self.mdp.action[self.choice], -1)

    @property
    def initial(self) -> float:
        """Expectation over the initial distribution, for the player who begins."""
        return self.mdp.expectation(self.value)

    @property
    def residual(self) -> float:
        """Largest change by one more backup; without cycles only the value has none, so that 0 proves it."""
        after = best(self.mdp, negamax_values(self.mdp, self.value, self.gamma))
        return float(np.abs(after - self.value).max())


def minimax(mdp: MDP, *, gamma: float | None = None) -> GameSolution:
    """Solve a game of alternate moves without cycles: v(s) = max_a r(s,a) - gamma E[v(s')].

    Backups of all states, at most as many as the longest game has moves, and one that changes nothing. gamma
    is the model's discount unless given. Raises `SolveError` where play can come back to a state. Source: von
    Neumann 1928; in the form with one sign, Knuth and Moore 1975, section 2.
    """
    check_kind("minimax", mdp, MDP)
    discount = discount_for(mdp, gamma)
    if mdp.fade:
        raise SolveError("minimax knows no rewards that fade with time")
    if not components(mdp).acyclic:
        raise SolveError("minimax needs a game without cycles, but in this one play can come back to a state")
    value, sweeps, settled = np.zeros(mdp.n_states), 0, False
    while not settled:
        q = negamax_values(mdp, value, discount)
        after = best(mdp, q)
        value, settled, sweeps = after, bool((after == value).all()), sweeps + 1
    return GameSolution(mdp=mdp, gamma=discount, value=value, choice=greedy(mdp, q), sweeps=sweeps)


def negamax_values(mdp: MDP, v: FloatArray, gamma: float) -> FloatArray:
    """Value of each choice for the player who makes it, [C]; the other gains what this one loses."""
    return q_values(mdp, -v, gamma)
