"""Arrays in either order and sparse matrices by action, as QuantEcon and pymdptoolbox users have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_matrix, csr_array, csr_matrix

from rlkit.core import MDP, ModelError, from_arrays
from rlkit.solvers import solve

# the forest of pymdptoolbox's examples, by hand: wait (0) grows old or burns (0.1), cut (1) begins anew
WAIT = np.array([[0.1, 0.9, 0.0], [0.1, 0.0, 0.9], [0.1, 0.0, 0.9]])
CUT = np.array([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]])
REWARD = np.array([[0.0, 0], [0, 1], [4, 2]])  # [S, A]
BY_ACTION = np.stack([WAIT, CUT])  # [A, S, S]
BY_STATE = BY_ACTION.transpose(1, 0, 2)  # [S, A, S]


def assert_same(a: MDP, b: MDP) -> None:
    assert a.matrix.toarray().tolist() == b.matrix.toarray().tolist()
    assert a.action.tolist() == b.action.tolist()
    assert a.reward.tolist() == b.reward.tolist()
    assert (a.transition_reward is None) == (b.transition_reward is None)


FOREST = from_arrays(BY_STATE, REWARD, order="SAS")


def test_the_forest_has_its_known_policy() -> None:
    """Waiting everywhere, at gamma 0.9: pymdptoolbox's documentation."""
    assert solve(FOREST, gamma=0.9).policy.tolist() == [0, 0, 0]


@pytest.mark.parametrize("order", [None, "ASS"])
@pytest.mark.parametrize("kind", [np.asarray, list, lambda p: p.tolist(), lambda p: _objects(list(p))])
def test_actions_first(order: str | None, kind: Any) -> None:
    assert_same(from_arrays(kind(BY_ACTION), REWARD, order=order), FOREST)


@pytest.mark.parametrize("make", [csr_matrix, csc_matrix, coo_array, csr_array])
@pytest.mark.parametrize("hold", [list, tuple, lambda p: _objects(p)])
def test_a_sparse_matrix_for_each_action(make: Any, hold: Any) -> None:
    assert_same(from_arrays(hold([make(p) for p in BY_ACTION]), REWARD), FOREST)


def _objects(matrices: list[Any]) -> np.ndarray:
    held = np.empty(len(matrices), dtype=object)
    for i, matrix in enumerate(matrices):
        held[i] = matrix
    return held


def test_rewards_in_every_form() -> None:
    full = np.broadcast_to(REWARD.T[:, :, None], BY_ACTION.shape) * (BY_ACTION > 0)
    sparse = [csr_matrix(p) for p in BY_ACTION]
    for transition in (BY_ACTION, sparse):
        for reward in (full, [csr_matrix(r) for r in full], [csc_matrix(full[0]), full[1]]):
            assert_same(from_arrays(transition, reward), FOREST)
    assert_same(from_arrays(BY_STATE, full.transpose(1, 0, 2), order="SAS"), FOREST)
    by_state = from_arrays(sparse, [0.0, 1, 2])
    assert by_state.reward.tolist() == [0, 0, 1, 1, 2, 2]


def test_masks_with_sparse_matrices() -> None:
    sparse = [csr_matrix(p) for p in BY_ACTION]
    legal = [[True, False], [True, True], [True, True]]
    for transition in (sparse, BY_ACTION):
        mdp = from_arrays(transition, REWARD, terminal=[False, False, True], legal=legal)
        assert mdp.legal.tolist() == [[True, False], [True, True], [False, False]]
        assert mdp.matrix.toarray().tolist() == [[0.1, 0.9, 0], [0.1, 0, 0.9], [1, 0, 0]]


TWO = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]])


def test_as_many_actions_as_states_must_be_told() -> None:
    """The two readings are different problems, so that silence would be a wrong result."""
    with pytest.raises(ModelError, match=r"\(2, 2, 2\), which may be \(S, A, S\) or \(A, S, S\): say order="):
        from_arrays(TWO, [[0.0, 1.0], [2.0, 3.0]])
    one, other = (from_arrays(TWO, [[0.0, 1.0], [2.0, 3.0]], order=order) for order in ("SAS", "ASS"))
    assert one.matrix.toarray().tolist() == [[0.5, 0.5], [1, 0], [0, 1], [0.25, 0.75]]
    assert other.matrix.toarray().tolist() == [[0.5, 0.5], [0, 1], [1, 0], [0.25, 0.75]]
    assert abs(solve(one, gamma=0.9).initial.value - solve(other, gamma=0.9).initial.value) > 0.1
    assert_same(from_arrays([csr_matrix(p) for p in TWO], [[0.0, 1.0], [2.0, 3.0]]), other)
    assert from_arrays([[[1.0]]], [0.0]).n_states == 1, "one state and one action are the same either way"


@pytest.mark.parametrize(
    ("transition", "reward", "how", "message"),
    [
        (BY_ACTION, REWARD, {"order": "SAS"}, r"shape \(2, 3, 3\), expected \(S, A, S\)$"),
        (BY_STATE, REWARD, {"order": "ASS"}, r"shape \(3, 2, 3\), expected \(A, S, S\)$"),
        (BY_STATE, REWARD, {"order": "A"}, "order must be 'SAS' or 'ASS', not 'A'"),
        (BY_STATE[:, :1, :2], REWARD, {}, r"expected \(S, A, S\) or \(A, S, S\)"),
        (csr_matrix(WAIT), REWARD, {}, "transition is one sparse matrix: give a list"),
        (
            [csr_matrix(WAIT), csr_matrix(CUT[:2])],
            REWARD,
            {},
            r"matrix of shape \(2, 3\), expected",
        ),
        ([csr_matrix(WAIT), csr_matrix(CUT)], REWARD, {"order": "SAS"}, "of order 'ASS', not 'SAS'"),
        ([csr_matrix(WAIT), None], REWARD, {}, "transition must hold real numbers"),
        (BY_ACTION, REWARD.T, {}, r"reward has shape \(2, 3\), expected \(3,\), \(3, 2\) or \(2, 3, 3\)"),
        (BY_ACTION, [csr_matrix(WAIT)], {}, r"reward has matrices \(3, 3\), expected 2 of \(3, 3\)"),
        (BY_ACTION, csr_matrix(REWARD), {}, "reward is one sparse matrix"),
        (
            [csr_matrix(WAIT), csr_matrix((3, 3))],
            REWARD,
            {},
            "state 0, action 1 has prob.* sum to 0",
        ),
        ([csr_matrix(WAIT), csr_matrix(-CUT)], REWARD, {}, "which is negative"),
        ([csr_matrix(WAIT), csr_matrix(CUT * np.nan)], REWARD, {}, "not finite"),
        (None, REWARD, {}, "transition must hold real numbers|transition has shape"),
        ([], REWARD, {}, "transition has shape"),
    ],
)
def test_bad_matrices(transition: Any, reward: Any, how: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_arrays(transition, reward, **how)


def test_large_sparse_matrices_stay_sparse() -> None:
    """Dense, these would take 2 x 80 GB."""
    n = 100_000
    here = np.arange(n)
    step = csr_matrix((np.ones(n), (here, np.minimum(here + 1, n - 1))), shape=(n, n))
    stay = csr_matrix((np.ones(n), (here, here)), shape=(n, n))
    mdp = from_arrays([step, stay], [step, csr_matrix((n, n))], terminal=here == n - 1)
    assert (mdp.n_states, mdp.n_transitions) == (n, 2 * n - 2)
    assert mdp.reward.sum() == n - 1
