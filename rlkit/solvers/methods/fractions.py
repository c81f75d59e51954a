"""Exact optimal values and gains in fractions, for small models.

A probability given as 0.7 is meant as 7/10. Every number of the model is therefore taken as the simple
fraction that it rounds to, rows are made to sum to exactly 1, and policy iteration is carried out without
rounding.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from rlkit.core.errors import ModelError
from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.methods.lifting import Row, solve_equations
from rlkit.solvers.methods.policy_iteration import first_policy
from rlkit.solvers.methods.values import Trace, begin
from rlkit.solvers.options import EXACT
from rlkit.solvers.reduction import with_choices
from rlkit.solvers.solution import Bounded, fraction
from rlkit.solvers.undiscounted.gain import unichain


def solve_in_fractions(
    mdp: MDP,
    *,
    gamma: float | None = None,
    start: IntArray | None = None,
    reward: Sequence[Fraction] | None = None,
    trace: Trace | None = None,
) -> Bounded:
    """Policy iteration in fractions from the choices `start` [S], which at gamma = 1 must end surely.

    `reward` [C] replaces that of the model, if given. The bounds are the floats on either side of the exact
    value. Raises `ModelError` for a model that is too large.
    """
    gamma, report = begin("solve_in_fractions", mdp, gamma, trace)
    check_size(mdp)
    choice = first_policy(mdp, gamma) if start is None else start
    rows = [row_of(mdp, c) for c in range(mdp.n_choices)]
    reward = rewards_of(mdp) if reward is None else reward
    discount = fraction(gamma)
    rounds = 0
    while True:
        rounds += 1
        alive = {int(s): int(c) for s, c in enumerate(choice) if c >= 0}
        solved = solve_equations(
            {s: {t: discount * p for t, p in rows[c].items() if t in alive} for s, c in alive.items()},
            {s: (reward[c],) for s, c in alive.items()},
        )
        value = [solved[s][0] if s in alive else Fraction(0) for s in range(mdp.n_states)]
        if report is not None:
            report(np.array([float(v) for v in value]))
        improved = _improved(mdp, choice, rows, reward, value, discount)
        if (improved == choice).all():
            break
        choice = improved
    near = np.array([float(v) for v in value])
    inexact = np.array([Fraction(x) != v for x, v in zip(near, value, strict=True)])
    lower = np.where(inexact, np.nextafter(near, -np.inf), near)
    upper = np.where(inexact, np.nextafter(near, np.inf), near)
    return Bounded(near, lower, upper, choice, rounds, fractions=[*value])


def small_enough(mdp: MDP) -> bool:
    """Whether a model has few enough states with a choice for fractions."""
    return int((~mdp.terminal).sum()) <= EXACT


def check_size(mdp: MDP) -> None:
    """Raise `ModelError` for a model that is too large for fractions."""
    if not small_enough(mdp):
        raise ModelError(f"exact arithmetic takes at most {EXACT} states, and this model has {mdp.n_states}")


def gains_in_fractions(
    mdp: MDP, label: IntArray, inside: BoolArray, choice: IntArray
) -> tuple[list[Fraction], IntArray]:
    """Largest gain of each end component, and choices [S] that have it.

    Raises `ModelError` for a model that is too large.
    """
    check_size(mdp)
    gains, best = [], choice.copy()
    for k in range(label.max(initial=-1) + 1):
        here = label == k
        gain, _, found = gain_in_fractions(mdp, here, inside, choice)
        gains.append(gain)
        best[here] = found[here]
    return gains, best


def gain_in_fractions(
    mdp: MDP, here: BoolArray, inside: BoolArray, choice: IntArray, *, noise: float = 0.0
) -> tuple[Fraction, dict[int, Fraction], IntArray]:
    """The largest gain of one end component [S], its bias there, and choices [S] that have it.

    Policy iteration from choices inside the component (Puterman 1994, section 9.5). Rewards may be off by
    `noise`.
    """
    inside = inside & here[mdp.state_of_choice]
    kept, model = np.flatnonzero(inside), with_choices(mdp, inside)
    members = [int(s) for s in np.flatnonzero(here)]
    rows = [row_of(model, c) for c in range(model.n_choices)]
    reward = rewards_of(model, noise)
    policy = np.where(here, np.searchsorted(kept, choice), -1)

    def evaluated(
        policy: IntArray, states: Sequence[int], anchor: int
    ) -> tuple[Fraction, dict[int, Fraction]]:
        """Gain and bias of a policy in states that it does not leave, and in which it gets to the anchor."""
        others = [s for s in states if s != anchor]
        solved = solve_equations(
            {s: {t: p for t, p in rows[policy[s]].items() if t != anchor} for s in others},
            {s: (reward[policy[s]], Fraction(1)) for s in others},
        )
        solved[anchor] = (Fraction(0), Fraction(0))
        cycle = rows[policy[anchor]].items()
        earned, steps = (sum((p * solved[t][i] for t, p in cycle), Fraction(0)) for i in (0, 1))
        gain = (reward[policy[anchor]] + earned) / (1 + steps)
        return gain, {s: total - gain * steps for s, (total, steps) in solved.items()}

    while True:
        fixed = policy

        def gain_of(states: IntArray, fixed: IntArray = fixed) -> Fraction:
            return evaluated(fixed, [int(s) for s in states], int(states[0]))[0]

        policy, anchor = unichain(model, policy, here, gain_of)
        gain, bias = evaluated(policy, members, anchor)
        improved = _improved(model, policy, rows, [r - gain for r in reward], bias, Fraction(1))
        if (improved == policy).all():
            return gain, bias, np.append(kept, -1)[policy]
        policy = improved


def row_of(mdp: MDP, choice: int) -> Row:
    """Successors of a choice with their probabilities, which sum to 1."""
    row: Row = {}
    for t in range(mdp.choice_ptr[choice], mdp.choice_ptr[choice + 1]):
        successor = int(mdp.successor[t])
        row[successor] = row.get(successor, Fraction(0)) + fraction(mdp.probability[t])
    total = sum(row.values())
    return row if total == 1 else {s: p / total for s, p in row.items()}


def rewards_of(mdp: MDP, noise: FloatArray | float = 0.0) -> list[Fraction]:
    """The rewards [C], which may be off by `noise` [C]; they are means, rounded as the largest of them."""
    least = 4 * np.finfo(np.float64).eps * np.abs(mdp.reward).max(initial=0.0)
    within = np.broadcast_to(np.maximum(noise, least), mdp.reward.shape)
    return [fraction(r, x) for r, x in zip(mdp.reward, within, strict=True)]


def shaped_rewards(
    mdp: MDP, potential: Mapping[int, Fraction], noise: FloatArray | float = 0.0
) -> list[Fraction]:
    """The rewards [C] with r(s,a) + E[h(s')] - h(s) in their place, made 0 where they are within `noise` [C].

    h is 0 where no potential is given.
    """
    shaped, within = rewards_of(mdp, noise), np.broadcast_to(noise, mdp.reward.shape)
    for c, s in enumerate(mdp.state_of_choice):
        row = row_of(mdp, c)
        if int(s) in potential or not potential.keys().isdisjoint(row):
            ahead = sum((p * potential.get(t, Fraction(0)) for t, p in row.items()), Fraction(0))
            shaped[c] += ahead - potential.get(int(s), Fraction(0))
            shaped[c] = Fraction(0) if abs(shaped[c]) <= within[c] else shaped[c]
    return shaped


def _improved(
    mdp: MDP,
    choice: IntArray,
    rows: Sequence[Row],
    reward: Sequence[Fraction],
    value: Sequence[Fraction] | Mapping[int, Fraction],
    discount: Fraction,
) -> IntArray:
    """The first best choice of each state where it is better than the present one."""
    improved = choice.copy()
    states = [int(s) for s in np.flatnonzero(choice >= 0)]
    scale = lcm(*(value[s].denominator for s in states))  # so that what is large is whole
    whole = {s: int(value[s] * scale) for s in states}
    for s in states:
        best: Fraction | int = whole[s]
        for c in range(mdp.state_ptr[s], mdp.state_ptr[s + 1]):
            ahead = sum((p * whole[t] for t, p in rows[c].items() if t in whole), Fraction(0))
            q = reward[c] * scale + discount * ahead
            if q > best:
                best, improved[s] = q, c
    return improved
