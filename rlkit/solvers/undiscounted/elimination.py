"""Policies whose episodes are too long for a linear solve in floating point.

A linear solve subtracts, and loses all digits once an episode lasts 10^16 steps. State elimination never
subtracts: it takes the chance of leaving a state from the chances of where to, so every entry of the
result keeps its relative accuracy, however long the episode (Grassmann, Taksar and Heyman 1985;
O'Cinneide 1993).
"""

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.operators import best, greedy
from rlkit.solvers.solution import Bounded

LARGEST = 1000  # states, since the elimination is dense


def solve_by_elimination(mdp: MDP, choice: IntArray, *, max_rounds: int) -> Bounded | None:
    """Policy iteration at gamma = 1 from choices [S] that end with probability 1, by state elimination.

    None where the model is too large, or where two choices are closer than rounding can tell apart.
    """
    if mdp.n_states - int(mdp.terminal.sum()) > LARGEST:
        return None
    owner = mdp.state_of_choice
    longest = int(np.diff(mdp.choice_ptr).max(initial=0))
    for rounds in range(1, max_rounds + 1):
        value, error = _value_of(mdp, choice)
        gain = mdp.reward + mdp.matrix @ value - value[owner]
        scale = np.abs(mdp.reward) + mdp.matrix @ np.abs(value) + np.abs(value[owner])
        doubt = mdp.matrix @ error + error[owner] + np.finfo(np.float64).eps * (longest + 3) * scale
        taken = np.zeros(mdp.n_choices, dtype=np.bool_)
        taken[choice[choice >= 0]] = True
        better = ~taken & (gain > doubt)
        if not better.any():
            settled = (taken | (gain < -doubt)).all()
            return Bounded(value, value - error, value + error, choice, rounds) if settled else None
        gain = np.where(better, gain, 0.0)
        choice = np.where(best(mdp, gain) > 0, greedy(mdp, gain), choice)
    return None


def _value_of(mdp: MDP, choice: IntArray) -> tuple[FloatArray, FloatArray]:
    """Value [S] of a policy that ends, and a bound on its rounding error [S]."""
    alive: BoolArray = choice >= 0
    rows = mdp.matrix[choice[alive]]
    value, error = np.zeros((2, mdp.n_states))
    value[alive], error[alive] = total_until_left(
        rows[:, alive], np.asarray(rows[:, ~alive].sum(axis=1)).ravel(), mdp.reward[choice[alive]]
    )
    return value, error


def total_until_left(
    moves: csr_array, leaving: FloatArray, reward: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Expected total reward [n] of a chain until it is left, and a bound on its rounding error [n].

    `moves` [n, n] are the chances of staying, `leaving` [n] those of not. Gains and costs are eliminated
    apart, so that neither is a difference. The relative error of each is at most 2 n^3 units of rounding
    (O'Cinneide 1993, theorem 5), and in practice nearer to n.
    """
    earned = np.stack([np.maximum(reward, 0.0), np.maximum(-reward, 0.0)], axis=1)
    parts = _eliminate(moves.toarray(), leaving.copy(), earned)
    relative = 2.0 * max(len(reward), 1) ** 3 * np.finfo(np.float64).eps
    return parts[:, 0] - parts[:, 1], relative * parts.sum(axis=1)


def _eliminate(moves: FloatArray, leaving: FloatArray, earned: FloatArray) -> FloatArray:
    """Total reward [n, k] of a chain with moves [n, n] among its states and chances [n] of leaving it."""
    n = len(leaving)
    for k in reversed(range(n)):
        away = moves[k, :k].sum() + leaving[k]
        share = moves[:k, k] / away
        moves[:k, :k] += np.outer(share, moves[k, :k])
        leaving[:k] += share * leaving[k]
        earned[:k] += np.outer(share, earned[k])
    total = np.zeros_like(earned)
    for k in range(n):
        away = moves[k, :k].sum() + leaving[k]
        total[k] = (earned[k] + moves[k, :k] @ total[:k]) / away
    return total
