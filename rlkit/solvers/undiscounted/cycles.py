"""The sign of the largest gain of an end component: what staying in it earns in the long run."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.graph import end_components, toward
from rlkit.solvers.methods.fractions import gain_in_fractions, shaped_rewards
from rlkit.solvers.operators import first_choice
from rlkit.solvers.options import EXACT
from rlkit.solvers.reduction import with_choices
from rlkit.solvers.undiscounted.gain import component_gains

ENOUGH = 1e-9  # width of the bounds on a gain from which on sweeps do not seek its sign
SIMPLE = 1_000  # largest denominator of a potential that was meant to be one
FAR, NEAR = 10_000, 100  # how many times the largest reward such a potential, or any, may range over


@dataclass(frozen=True, eq=False)
class Cycles:
    """Which states lie in an end component of positive gain, of gain 0, or of a gain not told from 0."""

    positive: BoolArray  # [S]
    undecided: BoolArray  # [S]
    choice: IntArray  # [S] choices that earn without end where the gain is positive
    balanced: BoolArray  # [S] of gain 0
    potential: Mapping[int, Fraction]  # h there: r(s,a) + E[h(s')] - h(s) <= 0 for each choice that stays
    noise: FloatArray  # [S] by how much rewards may be off there


def judge_cycles(mdp: MDP) -> Cycles:
    """Judge the end components of a model, in which none pays nothing in every step.

    Bounds on the gain decide. Where they hold 0, a potential in simple fractions may prove that no gain is
    positive, and up to 400 states policy iteration in fractions decides.
    """
    positive, undecided, balanced = (np.zeros(mdp.n_states, dtype=np.bool_) for _ in range(3))
    choice = np.full(mdp.n_states, -1, dtype=np.int64)
    potential: dict[int, Fraction] = {}
    noise = np.zeros(mdp.n_states)
    judged = Cycles(positive, undecided, choice, balanced, potential, noise)
    if not (mdp.reward > 0).any():
        return judged
    label, inside = end_components(mdp, np.ones(mdp.n_choices, dtype=np.bool_))
    owner = label[mdp.state_of_choice[inside]]
    highest, lowest = np.full((2, label.max() + 1), [[-np.inf], [np.inf]])
    np.maximum.at(highest, owner, mdp.reward[inside])
    np.minimum.at(lowest, owner, mdp.reward[inside])
    never_costs = np.append((highest > 0) & (lowest >= 0), False)[label]
    if never_costs.any():
        choice[:] = first_choice(mdp, inside & (mdp.reward > 0) & never_costs[mdp.state_of_choice])
        choice[:] = np.where(never_costs & (choice < 0), toward(mdp, choice >= 0, inside), choice)
        positive |= never_costs
    mixed = np.append((highest > 0) & (lowest < 0), False)[label]
    if not mixed.any():
        return judged
    inside &= mixed[mdp.state_of_choice]
    label = np.where(mixed, label, -1)
    label[mixed] = np.unique(label[mixed], return_inverse=True)[1]
    gains = component_gains(mdp, label, inside, epsilon=ENOUGH, only_sign=True)
    choice[mixed] = gains.choice[mixed]
    for k, (low, high) in enumerate(zip(gains.lower, gains.upper, strict=True)):
        here = label == k
        if low > 0:
            positive |= here
        elif high >= 0:
            found = _judge_exactly(mdp, here, inside, gains.bias, gains.choice)
            potential |= found.potential
            undecided |= here & (found.sign is None)
            balanced |= here & (found.sign == 0)
            positive |= here & (found.sign == 1)
            choice[here], noise[here] = found.choice[here], found.noise
    return judged


class _Judged(NamedTuple):
    sign: int | None
    choice: IntArray  # [S] of that gain
    potential: Mapping[int, Fraction] = {}
    noise: float = 0.0


def _judge_exactly(
    mdp: MDP, here: BoolArray, inside: BoolArray, bias: FloatArray, choice: IntArray
) -> _Judged:
    """Sign of the largest gain of one component [S], and a potential where it is 0.

    Rewards may themselves be differences of a potential, and then they are off by what rounding does to that.
    This is told from potentials that differ much because something is rare: there the numbers are believed.
    """
    model = with_choices(mdp, inside & here[mdp.state_of_choice])
    largest, spread = float(np.abs(model.reward).max()), float(np.ptp(bias[here]))
    rounding = 16 * np.finfo(np.float64).eps * (largest + spread)
    guess = {int(s): Fraction(bias[s]).limit_denominator(SIMPLE) for s in np.flatnonzero(here)}
    near = all(abs(float(h) - bias[s]) <= 1e-10 * (largest + spread) for s, h in guess.items())
    noise = rounding if near and spread <= FAR * largest else 0.0
    shaped = shaped_rewards(model, guess, noise)
    if max(shaped) <= 0:
        circling, _ = end_components(model, np.array([r == 0 for r in shaped]))
        return _Judged(0, choice, guess, noise) if (circling >= 0).any() else _Judged(-1, choice)
    if len(guess) > EXACT:
        return _Judged(None, choice)
    noise = rounding if spread <= NEAR * largest else 0.0
    gain, potential, choice = gain_in_fractions(mdp, here, inside, choice, noise=noise)
    if abs(gain) <= noise:
        return _Judged(0, choice, potential, noise)
    return _Judged(1 if gain > 0 else -1, choice)
