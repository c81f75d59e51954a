"""An MDP as other packages have theirs: Gymnasium's table, arrays, and pairs of a state and an action.

What `from_gymnasium` and `from_arrays` read, the other way round. None of them has terminal states: there
every action leads back for nothing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, vstack

from rlkit.core.errors import ModelError
from rlkit.core.matrices import Matrices, Order
from rlkit.core.mdp import LARGEST_TABLE, MDP, FloatArray, IntArray, one_player
from rlkit.core.outcomes import Outcome

LARGEST_ARRAY = 2**28  # numbers of a dense array [S, A, S]


def to_gymnasium(mdp: MDP, numbers: npt.ArrayLike | None = None) -> dict[int, dict[int, list[Outcome]]]:
    """The table `P[state][action] = [(probability, successor, reward, terminated), ...]` as of FrozenLake.

    States keep their numbers, or have `numbers` [S], where several terminal states may stand for one state
    that is entered to the end and otherwise. An action that is not legal is left out. A terminal state leads
    to itself for nothing, and terminates. Raises `ModelError` as `to_pairs`.
    """
    _check(mdp)
    number = np.arange(mdp.n_states) if numbers is None else np.asarray(numbers)
    columns = mdp.probability, number[mdp.successor], mdp.reward_by_transition, mdp.terminal[mdp.successor]
    outcomes = list(zip(*(column.tolist() for column in columns), strict=True))
    ends = mdp.choice_ptr.tolist()
    table: dict[int, dict[int, list[Outcome]]] = {s: {} for s in sorted(set(number.tolist()))}
    owners = number[mdp.state_of_choice].tolist()
    for c, (s, a) in enumerate(zip(owners, mdp.action.tolist(), strict=True)):
        table[s][a] = outcomes[ends[c] : ends[c + 1]]
    for s, by_action in table.items():
        if not by_action:
            by_action |= {a: [(1.0, s, 0.0, True)] for a in range(mdp.n_actions)}
    return table


def to_arrays(mdp: MDP, *, order: Order = "SAS", sparse: bool = False) -> tuple[Matrices, FloatArray]:
    """Transition probabilities [S, A, S] ("SAS") or [A, S, S] ("ASS"), and expected rewards [S, A].

    With `sparse` and "ASS" the former are a list of one scipy.sparse matrix [S, S] for each action.
    QuantEcon's `DiscreteDP(reward, transition, discount)` takes "SAS", pymdptoolbox "ASS". An action that is
    not legal leads back and has the reward -inf. Raises `ModelError` as `to_pairs`, for sparse matrices in
    the order "SAS", and for what is too large as a dense array.
    """
    _check(mdp)
    if order not in ("SAS", "ASS"):
        raise ModelError(f"order must be 'SAS' or 'ASS', not {order!r}")
    if sparse and order == "SAS":
        raise ModelError("a sparse matrix for each action is of order 'ASS', not 'SAS'")
    n, n_actions = mdp.n_states, mdp.n_actions
    if n * n_actions > LARGEST_TABLE or (not sparse and n * n_actions * n > LARGEST_ARRAY):
        raise ModelError(f"arrays of {n:,} states and {n_actions:,} actions are too large: use to_pairs")
    reward = mdp.table(mdp.reward, -np.inf)
    reward[mdp.terminal] = 0.0
    place = mdp.n_choices + np.arange(n)[:, None] + np.zeros((n, n_actions), dtype=np.int64)
    place[mdp.state_of_choice, mdp.action] = np.arange(mdp.n_choices)
    rows = _with_loops(mdp)
    by_action = [rows[place[:, a]] for a in range(n_actions)]
    if sparse:
        return by_action, reward
    return np.stack([m.toarray() for m in by_action], axis=1 if order == "SAS" else 0), reward


def to_pairs(mdp: MDP) -> tuple[FloatArray, csr_array, IntArray, IntArray]:
    """Reward [L], transition matrix [L, S], state [L] and action [L] of each choice, by state and action.

    As QuantEcon's `DiscreteDP(reward, transition, discount, state, action)` takes them; a terminal state has
    action 0. Raises `ModelError` for a POMDP, a game of two players, and rewards that decay with time.
    """
    _check(mdp)
    ends = np.flatnonzero(mdp.terminal)
    state = np.concatenate([mdp.state_of_choice, ends]).astype(np.int64)
    action = np.concatenate([mdp.action, np.zeros(len(ends))]).astype(np.int64)
    order = np.lexsort((action, state))
    kept = np.concatenate([np.arange(mdp.n_choices), mdp.n_choices + ends])[order]
    reward = np.concatenate([mdp.reward, np.zeros(mdp.n_states)])
    return reward[kept], _with_loops(mdp)[kept], state[order], action[order]


def _with_loops(mdp: MDP) -> csr_array:
    """The transition matrix, and below it one row for each state that leads back, [C + S, S]."""
    return csr_array(vstack([mdp.matrix, eye_array(mdp.n_states)], format="csr"))


def _check(mdp: Any) -> None:
    """Raise `ModelError` for what says more than such a table can."""
    if not isinstance(mdp, MDP):
        raise ModelError(f"expected an MDP, not a {type(mdp).__name__}; its MDP is pomdp.full_information")
    one_player(mdp)
    if mdp.reward_decay:
        raise ModelError("rewards that decay with time have no place in a table of transitions")
