"""Value iteration and policy iteration, each with bounds that certify what it found.

All functions here maximise, on a model in which the Bellman equation has one solution: gamma < 1, or the
core that `total` makes of an undiscounted problem.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.evaluation import can_reach, linear_solve
from rlkit.solvers.graph import Components, surely_reaching
from rlkit.solvers.kernels import kernel, topological_sweeps
from rlkit.solvers.operators import best, greedy, policy_kernel, q_values


class Bounded(NamedTuple):
    """A value function between its bounds, and the work it took."""

    value: FloatArray  # [S]
    lower: FloatArray  # [S]
    upper: FloatArray  # [S]
    choice: IntArray  # [S]
    sweeps: int


def value_iteration(
    mdp: MDP, *, gamma: float, epsilon: float, max_sweeps: int, order: Components
) -> tuple[FloatArray, int]:
    """Values by Algorithm 6.41, component after component, and the backups made per state.

    On a DAG every state is backed up once and the values are exact (Lemma 6.42). Elsewhere a small
    change does not mean a small error: certify before use.
    """
    contraction = 1 - gamma if gamma < 1 else 1e-3
    v = np.zeros(mdp.n_states)
    work = mdp.n_transitions * (1 if order.acyclic else min(max_sweeps, int(10 / contraction)))
    backups = kernel(topological_sweeps, work)(
        mdp.state_ptr,
        mdp.choice_ptr,
        mdp.successor,
        mdp.probability,
        mdp.reward,
        order.order,
        order.ptr,
        order.cyclic,
        gamma,
        0.25 * epsilon * contraction,
        max_sweeps,
        v,
    )
    alive = mdp.n_states - int(mdp.terminal.sum())
    return v, -(-backups // max(alive, 1))


def policy_iteration(
    mdp: MDP, choice: IntArray, *, gamma: float, max_rounds: int, bonus: float = 0.0
) -> tuple[FloatArray, IntArray, int]:
    """Values and choices of Howard's policy iteration from the given choices [S], and the rounds it took.

    `bonus` is added to every reward. At gamma = 1 the first policy must end with probability 1; all later
    ones then do. Source: Puterman 1994, section 6.4.
    """
    rounds = 0
    while True:
        rounds += 1
        v = _value_of(mdp, choice, gamma=gamma, bonus=bonus)
        q = q_values(mdp, v, gamma) + bonus
        gain = best(mdp, q) - v
        better = ~mdp.terminal & (gain > 1e-12 * np.maximum(1.0, np.abs(v)))
        if not better.any() or rounds >= max_rounds:
            return v, choice, rounds
        choice = np.where(better, greedy(mdp, q), choice)


def certify_discounted(mdp: MDP, v: FloatArray, *, gamma: float) -> Bounded:
    """Bounds on V* from one backup of any v (MacQueen 1966, Porteus 1971); needs gamma < 1.

    Terminal states, whose change is 0, count among the extremes.
    """
    q = q_values(mdp, v, gamma)
    value = best(mdp, q)
    scale = gamma / (1 - gamma)
    lower = value + scale * (value - v).min()
    upper = value + scale * (value - v).max()
    lower[mdp.terminal] = upper[mdp.terminal] = 0.0
    return Bounded(value, lower, upper, greedy(mdp, q), 0)


def certify_total(mdp: MDP, choice: IntArray, *, epsilon: float, max_rounds: int) -> Bounded:
    """Bounds on V* at gamma = 1 around policy iteration, for a core and a policy that ends.

    Any v with v >= B v bounds V* from above, and any v with v <= B_pi v bounds V_pi, and so V*, from below
    when pi ends with probability 1. Optimal values for rewards raised, and policy values for rewards
    lowered, by a small bonus satisfy these with a margin that rounding cannot eat, and both are checked.
    Where no bonus passes, the bounds are infinite.
    """
    value, choice, rounds = policy_iteration(mdp, choice, gamma=1.0, max_rounds=max_rounds)
    steps = _value_of(mdp, choice, gamma=1.0, reward=np.ones(mdp.n_choices))
    longest = int(np.diff(mdp.choice_ptr).max(initial=0))
    magnitude = np.abs(value).max() + np.abs(mdp.reward).max(initial=0.0)
    rounding = np.finfo(np.float64).eps * (longest + 2) * magnitude
    bonus = 0.25 * epsilon / max(1.0, float(steps.max()))
    lower, upper = np.full(mdp.n_states, -np.inf), np.full(mdp.n_states, np.inf)
    alive = ~mdp.terminal
    lower[mdp.terminal] = upper[mdp.terminal] = 0.0
    for _ in range(4):
        low = _value_of(mdp, choice, gamma=1.0, bonus=-bonus)
        high, _, more = policy_iteration(mdp, choice, gamma=1.0, max_rounds=max_rounds, bonus=bonus)
        rounds += more
        rise = (q_values(mdp, low, 1.0)[choice[alive]] - low[alive]).min(initial=np.inf)
        fall = (high - best(mdp, q_values(mdp, high, 1.0)))[alive].min(initial=np.inf)
        if rise > rounding and fall > rounding and _ends_surely(mdp, choice):
            return Bounded(value, np.minimum(low, value), np.maximum(high, value), choice, rounds)
        bonus *= 10
    return Bounded(value, lower, upper, choice, rounds)


def proper_greedy(mdp: MDP, v: FloatArray, fallback: IntArray) -> IntArray:
    """Near-greedy choices [S] that end with probability 1, from values near V*; else the fallback.

    A plain argmax can pick, among ties, choices that circle for ever.
    """
    q = q_values(mdp, v, 1.0)
    slack = 1e-9 * np.maximum(1.0, np.abs(v))[mdp.state_of_choice]
    close = q >= best(mdp, q)[mdp.state_of_choice] - slack
    sure, choice = surely_reaching(mdp, mdp.terminal, close)
    return choice if sure.all() else fallback


def _ends_surely(mdp: MDP, choice: IntArray) -> bool:
    """Whether a deterministic policy reaches a terminal state with probability 1 from everywhere."""
    transition, _ = policy_kernel(mdp, _weights(mdp, choice))
    return bool(can_reach(transition, mdp.terminal).all())


def _weights(mdp: MDP, choice: IntArray) -> FloatArray:
    weight = np.zeros(mdp.n_choices)
    weight[choice[choice >= 0]] = 1.0
    return weight


def _value_of(
    mdp: MDP, choice: IntArray, *, gamma: float, bonus: float = 0.0, reward: FloatArray | None = None
) -> FloatArray:
    """Value [S] of always taking `choice`, with a bonus on every reward, or with other rewards [C]."""
    alive = np.flatnonzero(choice >= 0)
    rows = mdp.matrix[choice[alive]][:, alive]
    v = np.zeros(mdp.n_states)
    v[alive] = linear_solve(rows, (mdp.reward if reward is None else reward)[choice[alive]] + bonus, gamma)
    return v
