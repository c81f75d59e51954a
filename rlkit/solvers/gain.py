"""Largest average reward a step inside each end component, by relative value iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.reduction import with_choices


@dataclass(frozen=True, eq=False)
class Gains:
    """The gain of each component between its bounds, and choices that earn it."""

    value: FloatArray  # [K]
    lower: FloatArray  # [K]
    upper: FloatArray  # [K]
    choice: IntArray  # [S] -1 outside
    sweeps: int


def component_gains(
    mdp: MDP, label: IntArray, inside: BoolArray, *, epsilon: float, max_sweeps: int
) -> Gains:
    """Gains of all end components at once; `label` [S] and `inside` [C] as `end_components` gives them.

    In a communicating model the optimal gain lies between the smallest and the largest change that one
    backup makes to any v (Puterman 1994, theorem 8.5.5). Mixing v with its backup makes every policy
    aperiodic, so that the two meet.
    """
    kept = np.flatnonzero(inside)
    model = with_choices(mdp, inside)
    alive = label >= 0
    group, count = label[alive], int(label.max(initial=-1)) + 1
    v, sweeps = np.zeros(mdp.n_states), 0
    anchor = np.flatnonzero(alive)[_first(group, count)]  # [K] a state whose value is kept at 0
    while True:
        sweeps += 1
        q = q_values(model, v, 1.0)
        change = best(model, q) - v
        lower, upper = np.full(count, np.inf), np.full(count, -np.inf)
        np.minimum.at(lower, group, change[alive])
        np.maximum.at(upper, group, change[alive])
        settled = upper - lower <= 0.25 * epsilon * np.maximum(1.0, np.abs(lower))
        if settled.all() or sweeps >= max_sweeps:
            break
        v = v + 0.5 * change
        v[alive] -= v[anchor][group]
    choice = greedy(model, q)
    choice = np.where(choice >= 0, np.append(kept, -1)[choice], -1)
    return Gains((lower + upper) / 2, lower, upper, choice, sweeps)


def _first(group: IntArray, count: int) -> IntArray:
    """Place of the first member of each group."""
    first = np.zeros(count, dtype=np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return first
