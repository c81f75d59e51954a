"""The exam against Table 6.37 and Figure 6.35."""

import numpy as np
import pytest

import rlkit
from rlkit.solvers import evaluate_policy, solve, state_distribution

TABLE_6_37 = {"u3": (3.0, -3.0), "u2": (-1.9, -5.1), "u1": (0.53, 0.57), "u0": (-1.171, -0.159)}


@pytest.fixture
def mdp():
    return rlkit.exact("rlkit/Exam-v0")


def test_table_6_37(mdp):
    solution = solve(mdp)
    q = mdp.table(solution.q)
    for name, expected in TABLE_6_37.items():
        assert np.abs(q[mdp.state_names.index(name)] - expected).max() < 1e-12
    assert [mdp.action_name(a) for a in solution.policy[:4]] == ["party", "party", "study", "study"]
    assert (solution.sweeps, solution.converged) == (1, True)
    assert solution.lower.tolist() == solution.upper.tolist() == solution.value.tolist()


def test_partying_always(mdp):
    """Worked out by hand: u3 -3, u2 1 + .3(-3) + .7(-10) - ..., back to u0."""
    u3 = 1 + 0.3 * 10 - 0.7 * 10
    u2 = 1 + 0.3 * u3 - 0.7 * 10
    u1 = 1 + 0.3 * u3 + 0.7 * u2
    u0 = 1 + 0.3 * u1 + 0.7 * u2
    value = evaluate_policy(mdp, np.ones(6, dtype=np.int64))
    assert np.allclose(value, [u0, u1, u2, u3, 0, 0], rtol=0, atol=1e-12)


def test_where_one_is_after_some_steps(mdp):
    study = np.zeros(6, dtype=np.int64)
    assert np.allclose(state_distribution(mdp, study, steps=1), [0, 0.7, 0.3, 0, 0, 0])
    assert np.allclose(state_distribution(mdp, study, steps=2), [0, 0, 0.21, 0.7, 0.09, 0])
    last = state_distribution(mdp, study, steps=10)
    assert last[:4].tolist() == [0, 0, 0, 0]
    assert last.sum() == pytest.approx(1, abs=1e-12)
