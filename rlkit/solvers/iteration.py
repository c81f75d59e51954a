"""Value iteration and policy iteration, which maximise; `certificate` says how good their answers are.

The model must be one in which the Bellman equation has one solution: gamma < 1, or the core that
`reduction` makes of an undiscounted problem.
"""

from __future__ import annotations

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.evaluation import linear_solve
from rlkit.solvers.graph import Components, surely_reaching
from rlkit.solvers.kernels import kernel, topological_sweeps
from rlkit.solvers.operators import best, greedy, q_values


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
        v = value_of(mdp, choice, gamma=gamma, bonus=bonus)
        q = q_values(mdp, v, gamma) + bonus
        gain = best(mdp, q) - v
        better = ~mdp.terminal & (gain > 1e-12 * np.maximum(1.0, np.abs(v)))
        if not better.any() or rounds >= max_rounds:
            return v, choice, rounds
        choice = np.where(better, greedy(mdp, q), choice)


def proper_greedy(mdp: MDP, v: FloatArray, fallback: IntArray) -> IntArray:
    """Near-greedy choices [S] that end with probability 1, from values near V*; else the fallback.

    A plain argmax can pick, among ties, choices that circle for ever.
    """
    q = q_values(mdp, v, 1.0)
    slack = 1e-9 * np.maximum(1.0, np.abs(v))[mdp.state_of_choice]
    close = q >= best(mdp, q)[mdp.state_of_choice] - slack
    sure, choice = surely_reaching(mdp, mdp.terminal, close)
    return choice if sure.all() else fallback


def value_of(
    mdp: MDP, choice: IntArray, *, gamma: float, bonus: float = 0.0, reward: FloatArray | None = None
) -> FloatArray:
    """Value [S] of always taking `choice`, with a bonus on every reward, or with other rewards [C]."""
    alive = np.flatnonzero(choice >= 0)
    rows = mdp.matrix[choice[alive]][:, alive]
    v = np.zeros(mdp.n_states)
    v[alive] = linear_solve(rows, (mdp.reward if reward is None else reward)[choice[alive]] + bonus, gamma)
    return v
