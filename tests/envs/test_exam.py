"""The exam against Table 6.37 and Figure 6.35."""

from typing import Any

import numpy as np
import pytest

import rlkit
from rlkit.envs.chains.exam import exam
from rlkit.envs.options import OptionError
from rlkit.solvers import evaluate_policy, solve, state_distribution

TABLE_6_37 = {"u3": (3.0, -3.0), "u2": (-1.9, -5.1), "u1": (0.53, 0.57), "u0": (-1.171, -0.159)}


@pytest.fixture
def mdp() -> Any:
    return rlkit.exact("rlkit/Exam-v0")


def test_table_6_37(mdp: Any) -> None:
    solution = solve(mdp)
    q = mdp.table(solution.q)
    for name, expected in TABLE_6_37.items():
        assert np.abs(q[mdp.state_names.index(name)] - expected).max() < 1e-12
    assert [mdp.action_name(a) for a in solution.policy[:4]] == ["party", "party", "study", "study"]
    assert (solution.sweeps, solution.converged) == (1, True)
    assert solution.lower.tolist() == solution.upper.tolist() == solution.value.tolist()


def test_partying_always(mdp: Any) -> None:
    """Worked out by hand: u3 -3, u2 1 + .3(-3) + .7(-10) - ..., back to u0."""
    u3 = 1 + 0.3 * 10 - 0.7 * 10
    u2 = 1 + 0.3 * u3 - 0.7 * 10
    u1 = 1 + 0.3 * u3 + 0.7 * u2
    u0 = 1 + 0.3 * u1 + 0.7 * u2
    value = evaluate_policy(mdp, np.ones(6, dtype=np.int64))
    assert np.allclose(value, [u0, u1, u2, u3, 0, 0], rtol=0, atol=1e-12)


def test_where_one_is_after_some_steps(mdp: Any) -> None:
    study = np.zeros(6, dtype=np.int64)
    assert np.allclose(state_distribution(mdp, study, steps=1), [0, 0.7, 0.3, 0, 0, 0])
    assert np.allclose(state_distribution(mdp, study, steps=2), [0, 0, 0.21, 0.7, 0.09, 0])
    last = state_distribution(mdp, study, steps=10)
    assert last[:4].tolist() == [0, 0, 0, 0]
    assert last.sum() == pytest.approx(1, abs=1e-12)


def test_an_exam_with_other_numbers() -> None:
    """u3 by hand: study -2 + .9 * 20 + .1 * -5 = 15.5, party 3 + 0 * 20 + 1 * -5 = -2."""
    options = {"study_reward": -2, "party_reward": 3, "pass_reward": 20, "fail_reward": -5}
    mdp = rlkit.exact("rlkit/Exam-v0", **options, p_study=0.9, p_party=0)
    u3 = mdp.table(solve(mdp).q)[mdp.state_names.index("u3")]
    assert u3 == pytest.approx([15.5, -2], rel=0, abs=1e-12)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"p_study": 1.1}, "p_study must be a finite number from 0 to 1, not 1.1"),
        ({"p_party": "often"}, "p_party must be a finite number from 0 to 1, not 'often'"),
        ({"pass_reward": float("inf")}, "pass_reward must be a finite number, not inf"),
    ],
)
def test_bad_options(option: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        exam(**option)
