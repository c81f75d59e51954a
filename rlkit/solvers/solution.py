"""What every solver returns: a value, a policy, and bounds that certify them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.operators import q_values


def gap(value: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Largest distance between the bounds of a state, relative to max(1, |value|)."""
    finite = np.isfinite(lower) & np.isfinite(upper)
    if (lower[~finite] != upper[~finite]).any():
        return np.inf
    scale = np.maximum(1.0, np.abs(value[finite]))
    return float(((upper[finite] - lower[finite]) / scale).max(initial=0.0))


def fraction(x: float, noise: float = 0.0) -> Fraction:
    """The fraction of denominator up to a million that x was meant to be, if one is within rounding of it.

    `noise` is what x may be off by, if that is more.
    """
    simple = Fraction(x).limit_denominator(10**6)
    rounding = max(4 * np.finfo(np.float64).eps * abs(x), noise)
    return simple if abs(float(simple) - x) <= rounding else Fraction(x)


Fractions = list[Fraction | None]


class Bounded(NamedTuple):
    """A value function between its bounds, the choices behind it, and the work it took."""

    value: FloatArray  # [S]
    lower: FloatArray  # [S]
    upper: FloatArray  # [S]
    choice: IntArray  # [S]
    sweeps: int
    method: str = ""
    fractions: Fractions | None = None  # [S] the exact value, where it was computed and is finite


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
    minimize: bool
    gamma: float
    horizon: int | None
    target: BoolArray | None  # [S] of a reachability objective
    avoid: BoolArray | None  # [S] where the target can no longer be reached, if any were given
    value: FloatArray  # [S]
    lower: FloatArray  # [S]
    upper: FloatArray  # [S]
    choice: IntArray  # [S] optimal choice, -1 where none is needed
    plan: IntArray | None  # [H, S] with a horizon: choices with H, H-1, ..., 1 steps to go
    next_value: FloatArray  # [S] value after the first step: `value` itself, but under a horizon
    fractions: Fractions | None  # [S] exact values by method "exact", None where infinite
    method: str
    reason: str  # why this method
    epsilon: float
    sweeps: int  # backups per state
    seconds: float
    entered: IntArray | None = None  # [S] step from which on value, choice and q count; None is 0 throughout

    def __repr__(self) -> str:
        found = "certified" if self.converged else "not certified"
        return f"Solution({self.direction} {self.objective}, {self.initial}, {found}, by {self.method})"

    @property
    def direction(self) -> str:
        """Which extreme was sought."""
        return "minimize" if self.minimize else "maximize"

    @property
    def discount(self) -> float:
        """What a value of the next state counts: gamma, or -gamma where it is the other player's."""
        return self.mdp.sign * self.gamma

    @property
    def over(self) -> BoolArray:
        """Where a reachability objective is decided, and nothing more is chosen, [S]."""
        ended = np.zeros(self.mdp.n_states, dtype=np.bool_)
        for states in (self.target, self.avoid):
            ended |= False if states is None else states
        return ended

    @cached_property
    def policy(self) -> IntArray:
        """Optimal action of each state, [S]; -1 where none is needed."""
        action = np.full(self.mdp.n_states, -1, dtype=np.int64)
        chosen = self.choice >= 0
        action[chosen] = self.mdp.action[self.choice[chosen]]
        return action

    @cached_property
    def q(self) -> FloatArray:
        """Value of each choice, [C], if the best is done from then on.

        A probability and an average are not collected on the way, so of them it is the expectation of what
        follows. Nan in the target and in states to avoid, where nothing is chosen.
        """
        if self.entered is None:
            q = self._backed_up(self.next_value, 1)
            if self.objective.startswith("reach"):
                q[self.over[self.mdp.state_of_choice]] = np.nan
            return q
        assert self.plan is not None
        entered = self.entered[self.mdp.state_of_choice]
        q, value = np.zeros(self.mdp.n_choices), np.zeros(self.mdp.n_states)
        for step, choice in reversed(list(enumerate(self.plan))):
            now = self._backed_up(value, step + 1)
            q = np.where(entered == step, now, q)
            value = np.append(now, 0.0)[choice]
        return q

    def _backed_up(self, value: FloatArray, step: int) -> FloatArray:
        """What each choice is worth at this step, [C], if that value follows."""
        scale = 0.0 if self.objective in ("reach-prob", "average") else self.mdp.reward_scale(step)
        with np.errstate(invalid="ignore"):
            q = q_values(self.mdp, value, self.discount, scale=scale)
        if self.objective == "reach-reward":
            q[np.isnan(q)] = np.inf  # the target may be missed, and nothing makes up for that
        return q

    def from_steps(self, entered: IntArray) -> Solution:
        """The same solution of a horizon, each state valued with the steps left after step `entered`, [S]."""
        if not self.horizon or self.plan is None:
            return self
        states = np.arange(self.mdp.n_states)
        left = entered < self.horizon
        choice = np.where(left, self.plan[np.where(left, entered, 0), states], -1)
        found = replace(self, entered=entered, choice=choice)
        value = np.append(found.q, 0.0)[choice]
        return replace(found, value=value, lower=value, upper=value)

    @cached_property
    def residual(self) -> float:
        """Largest difference between a finite value and that of its choice: what one more backup changes."""
        chosen = np.flatnonzero((self.choice >= 0) & np.isfinite(self.value))
        return float(np.abs(self.q[self.choice[chosen]] - self.value[chosen]).max(initial=0.0))

    @property
    def converged(self) -> bool:
        """Whether the certificate is as tight as epsilon asks, in every state."""
        return gap(self.value, self.lower, self.upper) <= self.epsilon

    @property
    def fraction(self) -> Fraction | None:
        """The exact expectation over the initial distribution, where method "exact" found it finite."""
        start = np.flatnonzero(self.mdp.initial)
        known = [] if self.fractions is None else [self.fractions[s] for s in start]
        if not known or None in known:
            return None
        weights = [fraction(p) for p in self.mdp.initial[start]]
        weighted = (w * f for w, f in zip(weights, known, strict=True) if f is not None)
        return sum(weighted, Fraction(0)) / sum(weights)

    @property
    def initial(self) -> Interval:
        """Expectation over the initial distribution."""
        return Interval(*(self.mdp.expectation(x) for x in (self.value, self.lower, self.upper)))
