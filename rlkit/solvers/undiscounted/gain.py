"""Largest average reward a step inside each end component: relative value iteration, then policy iteration.

In a communicating model the optimal gain lies between the smallest and the largest change that one backup
makes to any v (Puterman 1994, theorem 8.5.5). Whatever v comes from, these are the bounds, once what rounding
can hide in that backup is added.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.evaluation import SingularChain, closed_classes, gain_and_bias, irreducible_gain
from rlkit.solvers.graph import toward
from rlkit.solvers.operators import best, chosen_weights, greedy, policy_kernel, q_values, relative_rounding
from rlkit.solvers.reduction import with_choices

SWEEPS = 1_000  # after which a component is solved policy by policy
ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Gains:
    """The gain of each component between its bounds, and choices that earn it."""

    lower: FloatArray  # [K]
    upper: FloatArray  # [K]
    choice: IntArray  # [S] -1 outside
    bias: FloatArray  # [S] what one backup of these says are the bounds
    sweeps: int


def component_gains(
    mdp: MDP, label: IntArray, inside: BoolArray, *, epsilon: float, only_sign: bool = False
) -> Gains:
    """Gains of all end components; `label` [S] and `inside` [C] as `end_components` gives them.

    With `only_sign` bounds that do not hold 0 are tight enough.
    """
    kept = np.flatnonzero(inside)
    model = with_choices(mdp, inside)
    count = int(label.max(initial=-1)) + 1

    def settled(lower: FloatArray, upper: FloatArray) -> BoolArray:
        tight: BoolArray = upper - lower <= 0.25 * epsilon * np.maximum(1.0, np.abs(lower))
        return (lower > 0) | (upper < 0) if only_sign else tight

    v, sweeps = _relative_values(model, label, count, settled)
    lower, upper = _bounds(model, v, label, count)
    for k in np.flatnonzero(~settled(lower, upper)):
        with suppress(SingularChain):  # then the bounds stay as the sweeps left them
            v = _policy_iteration(model, v, label == k)
    lower, upper = _bounds(model, v, label, count)
    choice = greedy(model, q_values(model, v, 1.0))
    choice = np.where(choice >= 0, np.append(kept, -1)[choice], -1)
    return Gains(lower, upper, choice, v, sweeps)


Settled = Callable[[FloatArray, FloatArray], BoolArray]


def _relative_values(model: MDP, label: IntArray, count: int, settled: Settled) -> tuple[FloatArray, int]:
    """Sweeps over all components at once; mixing v with its backup makes every policy aperiodic."""
    alive = label >= 0
    first = np.zeros(count, dtype=np.int64)  # a state of each component, whose value is kept at 0
    first[label[alive][::-1]] = np.flatnonzero(alive)[::-1]
    v = np.zeros(model.n_states)
    sweeps = 0
    while sweeps < SWEEPS:
        sweeps += 1
        if settled(*_bounds(model, v, label, count)).all():
            break
        v = 0.5 * (v + best(model, q_values(model, v, 1.0)))
        v[alive] -= v[first][label[alive]]
    return v, sweeps


def _bounds(model: MDP, v: FloatArray, label: IntArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest change of one backup in each component, [K], and what rounding can hide in it."""
    change = best(model, q_values(model, v, 1.0)) - v
    lower, upper, magnitude = np.full(count, np.inf), np.full(count, -np.inf), np.zeros(count)
    alive = label >= 0
    np.minimum.at(lower, label[alive], change[alive])
    np.maximum.at(upper, label[alive], change[alive])
    np.maximum.at(
        magnitude, label[model.state_of_choice], np.abs(v)[model.state_of_choice] + np.abs(model.reward)
    )
    rounding = relative_rounding(model) * magnitude
    return lower - rounding, upper + rounding


def _policy_iteration(model: MDP, v: FloatArray, members: BoolArray) -> FloatArray:
    """Values [S] replaced, in one component, by the bias of its best policy (Puterman 1994, section 9.5)."""
    choice = greedy(model, q_values(model, v, 1.0))
    states = np.flatnonzero(members)
    for _ in range(ROUNDS):
        choice, anchor = unichain(model, choice, members)
        transition, reward = policy_kernel(model, chosen_weights(model, choice))
        place, v = int(np.searchsorted(states, anchor)), v.copy()
        gain, v[states] = gain_and_bias(transition[states][:, states], reward[states], place)
        q = q_values(model, v, 1.0) - gain
        better = members & (best(model, q) > v + 1e-11 * np.maximum(1.0, np.abs(v)))
        if not better.any():
            break
        choice = np.where(better, greedy(model, q), choice)
    return v


def unichain(
    model: MDP, choice: IntArray, members: BoolArray, gain_of: Callable[[IntArray], Any] | None = None
) -> tuple[IntArray, int]:
    """The same choices where they earn most, elsewhere choices that lead there; and a state where they do.

    `gain_of` says what a class of states that the choices never leave earns.
    """
    transition, reward = policy_kernel(model, chosen_weights(model, choice))
    classes = list(closed_classes(transition, ~members))
    if len(classes) == 1:
        return choice, int(classes[0][0])
    richest = max(classes, key=gain_of or (lambda c: irreducible_gain(transition[c][:, c], reward[c])[0]))
    target = np.zeros(model.n_states, dtype=np.bool_)
    target[richest] = True
    there = toward(model, target, np.ones(model.n_choices, dtype=np.bool_))
    return np.where(members & ~target, there, choice), int(richest[0])
