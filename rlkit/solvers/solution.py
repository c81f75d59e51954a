"""What every solver returns: a value, a policy, and bounds that certify them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.operators import q_values


class Interval(NamedTuple):
    """A value with the bounds that enclose the true one."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """An optimal value function with its certificate.

    `lower <= V* <= upper` holds in every state, up to float64 rounding. `converged` says that the gap is
    at most epsilon, relative to max(1, |value|), in every state.
    """

    mdp: MDP
    objective: str
    direction: str  # "maximize" or "minimize"
    gamma: float
    horizon: int | None
    value: FloatArray  # [S]
    lower: FloatArray  # [S]
    upper: FloatArray  # [S]
    choice: IntArray  # [S] optimal choice, -1 at terminal states
    method: str
    reason: str  # why this method
    epsilon: float
    sweeps: int  # backups per state
    residual: float  # largest change that one more backup would make
    seconds: float

    @cached_property
    def policy(self) -> IntArray:
        """Optimal action of each state, [S]; -1 at terminal states."""
        action = np.full(self.mdp.n_states, -1, dtype=np.int64)
        chosen = self.choice >= 0
        action[chosen] = self.mdp.action[self.choice[chosen]]
        return action

    @cached_property
    def q(self) -> FloatArray:
        """Value of each choice, [C]; under a horizon, of the first step's choices."""
        return q_values(self.mdp, self._next_value, self.gamma)

    @property
    def _next_value(self) -> FloatArray:
        return self.value

    @property
    def converged(self) -> bool:
        """Whether the certificate is as tight as epsilon asks, in every state."""
        finite = np.isfinite(self.lower) & np.isfinite(self.upper)
        gap = np.zeros(len(self.value))
        gap[finite] = self.upper[finite] - self.lower[finite]
        gap[~finite & (self.lower != self.upper)] = np.inf
        scale = np.maximum(1.0, np.abs(np.where(np.isfinite(self.value), self.value, 1.0)))
        return bool((gap <= self.epsilon * scale).all())

    @property
    def initial(self) -> Interval:
        """Expectation over the initial distribution."""
        start = np.flatnonzero(self.mdp.initial)
        weight = self.mdp.initial[start]
        return Interval(*(float(weight @ x[start]) for x in (self.value, self.lower, self.upper)))


@dataclass(frozen=True, eq=False, kw_only=True)
class HorizonSolution(Solution):
    """The optimum over a number of steps, with the policy of each step."""

    plan: IntArray  # [H, S] optimal choice with H, H-1, ..., 1 steps to go
    next_value: FloatArray  # [S] value with H-1 steps to go

    @property
    def _next_value(self) -> FloatArray:
        return self.next_value
