"""Published optima, each from a table or a successor function written out here or in Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rlkit
from rlkit.core import MDP, from_gymnasium, from_successors
from rlkit.solvers import evaluate_policy, solve

NEXT = {"u0": ("u1", "u2"), "u1": ("u3", "u2"), "u2": ("u3", "fail"), "u3": ("pass", "fail")}
FINAL = {"pass": 10.0, "fail": -10.0}


def exam_outcomes(state: str) -> dict[str, list[tuple[float, str, float]]]:
    """Problem 6.36: to study costs 1 and helps with 0.7, to party pays 1 and helps with 0.3."""
    return {
        action: [
            (chance, NEXT[state][0], pay + FINAL.get(NEXT[state][0], 0)),
            (1 - chance, NEXT[state][1], pay + FINAL.get(NEXT[state][1], 0)),
        ]
        for action, pay, chance in (("study", -1, 0.7), ("party", 1, 0.3))
        if state in NEXT
    }


def test_table_6_37() -> None:
    mdp = from_successors(exam_outcomes, "u0")
    solution = solve(mdp)
    assert mdp.state_names is not None
    found = {
        name: {
            mdp.action_name(int(mdp.action[c])): solution.q[c]
            for c in range(mdp.state_ptr[s], mdp.state_ptr[s + 1])
        }
        for s, name in enumerate(mdp.state_names)
        if name in NEXT
    }
    table = {"u3": (3, -3), "u2": (-1.9, -5.1), "u1": (0.53, 0.57), "u0": (-1.171, -0.159)}
    for name, (study, party) in table.items():
        assert found[name]["study"] == pytest.approx(study, abs=1e-12)
        assert found[name]["party"] == pytest.approx(party, abs=1e-12)
    assert solution.initial.value == pytest.approx(-0.159, abs=1e-12)
    assert solution.sweeps == 1


def table_of(name: str, **options: bool) -> MDP:
    env: Any = gym.make(name, **options).unwrapped
    return from_gymnasium(env.P, env.initial_state_distrib)


@pytest.mark.parametrize("method", ["auto", "value-iteration", "policy-iteration"])
@pytest.mark.parametrize(
    ("name", "options", "optimum", "digits"),
    [
        ("FrozenLake-v1", {}, 14 / 17, 6e-7),
        ("FrozenLake8x8-v1", {}, 1.0, 6e-7),
        ("CliffWalking-v1", {}, -13.0, 6e-7 * 13),
        ("CliffWalkingSlippery-v1", {}, -64.7091759, 6e-7 * 65),
        ("Taxi-v4", {}, 7.93, 6e-7 * 8),
        ("Taxi-v4", {"is_rainy": True}, 3.9545745, 6e-7 * 4),
    ],
)
def test_toy_text(name: str, options: dict[str, bool], optimum: float, digits: float, method: str) -> None:
    mdp = table_of(name, **options)
    solution = solve(mdp, gamma=1.0, method=method)
    assert solution.converged
    assert solution.initial.value == pytest.approx(optimum, abs=digits)
    assert solution.initial.lower - 1e-7 <= optimum <= solution.initial.upper + 1e-7
    achieved = float(mdp.initial @ evaluate_policy(mdp, solution.policy, gamma=1.0))
    assert achieved == pytest.approx(optimum, abs=digits), "the policy is proper among ties"


def test_frozen_lake_under_its_time_limit() -> None:
    mdp = table_of("FrozenLake-v1")
    limited = solve(mdp, gamma=1.0, horizon=100)
    assert limited.initial.value == pytest.approx(0.74419029, abs=5e-9)
    unlimited = solve(mdp, gamma=1.0)
    stationary = float(mdp.initial @ evaluate_policy(mdp, unlimited.policy, gamma=1.0, horizon=100))
    assert stationary < limited.initial.value - 0.003
    eight = table_of("FrozenLake8x8-v1")
    assert solve(eight, gamma=1.0, horizon=200).initial.value == pytest.approx(0.91322, abs=5e-6)


@pytest.mark.parametrize(
    ("own", "twin", "options", "horizon", "optimum"),
    [
        ("rlkit/FrozenLake-v0", "FrozenLake-v1", {}, None, 14 / 17),
        ("rlkit/FrozenLake-v0", "FrozenLake-v1", {}, 100, 0.74419029),
        ("rlkit/FrozenLake8x8-v0", "FrozenLake8x8-v1", {}, 200, 0.91322),
        ("rlkit/CliffWalking-v0", "CliffWalking-v1", {}, None, -13.0),
        ("rlkit/CliffWalkingSlippery-v0", "CliffWalkingSlippery-v1", {}, None, -64.7091759),
        ("rlkit/Taxi-v0", "Taxi-v4", {}, 200, 7.93),
        ("rlkit/TaxiRainy-v0", "Taxi-v4", {"is_rainy": True}, 200, 3.9545745),
    ],
)
def test_twins_of_gymnasiums_tasks(
    own: str, twin: str, options: dict[str, bool], horizon: int | None, optimum: float
) -> None:
    """Each is solved from its own description, and again from Gymnasium's table."""
    ours, theirs = (
        solve(mdp, gamma=1.0, horizon=horizon).initial.value
        for mdp in (rlkit.exact(own), table_of(twin, **options))
    )
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert ours == pytest.approx(optimum, abs=5e-6)
    limit = {"FrozenLake-v1": 100, "FrozenLake8x8-v1": 200, "Taxi-v4": 200}.get(twin)
    assert gym.spec(own).max_episode_steps == gym.spec(twin).max_episode_steps == limit


def test_a_policy_that_cannot_end_the_cliff() -> None:
    """Up for ever never arrives: -1 a step without end."""
    mdp = table_of("CliffWalking-v1")
    up = np.zeros(mdp.n_states, dtype=int)
    assert evaluate_policy(mdp, up, gamma=1.0)[36] == -np.inf
    assert evaluate_policy(mdp, up, gamma=0.5)[36] == pytest.approx(-2)
