"""Policies without memory against all of them, one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from pomdps import pomdp_of, random_pomdp
from scipy.optimize import approx_fprime

from rlkit.core import POMDP
from rlkit.solvers import (
    belief_mdp,
    best_memoryless,
    evaluate_policy,
    memory_gain,
    solve,
    stochastic_memoryless,
)
from rlkit.solvers.partial import memoryless

HOW = [{"horizon": 5}, {"horizon": 7, "gamma": 0.9}, {"gamma": 0.8}]


def all_maps(pomdp: POMDP, **how: Any) -> float:
    maps = itertools.product(range(pomdp.mdp.n_actions), repeat=pomdp.n_observations)
    return max(pomdp.mdp.expectation(evaluate_policy(pomdp.mdp, pomdp.over_states(m), **how)) for m in maps)


def alternating() -> POMDP:
    """Two states that look alike and want different actions (Singh, Jaakkola and Jordan 1994, figure 1)."""
    rows = [(0, 0, 1, 1.0, 1.0), (0, 1, 0, 1.0, -1.0), (1, 1, 0, 1.0, 1.0), (1, 0, 1, 1.0, -1.0)]
    return pomdp_of(rows, [0, 0])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", range(12))
def test_the_best_map_is_found_among_all(seed: int, how: Any) -> None:
    pomdp = random_pomdp(seed, states=7, classes=4, actions=3)
    truth = all_maps(pomdp, **how)
    found = best_memoryless(pomdp, **how)
    assert found.value.value == pytest.approx(truth, abs=1e-9)
    assert found.value.lower - 1e-9 <= truth <= found.value.upper + 1e-9
    assert found.value.upper - found.value.lower <= 1e-8
    earned = evaluate_policy(pomdp.mdp, pomdp.over_states(found.policy), **how)
    assert pomdp.mdp.expectation(earned) == pytest.approx(truth, abs=1e-9)
    stopped = best_memoryless(pomdp, **how, max_nodes=1)
    assert stopped.value.lower - 1e-9 <= truth <= stopped.value.upper + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_beliefs_have_the_same_policies_without_memory(seed: int) -> None:
    pomdp = random_pomdp(seed)
    beliefs = belief_mdp(pomdp, horizon=5)
    plain, tighter = best_memoryless(pomdp, horizon=5), best_memoryless(beliefs, horizon=5)
    assert plain.value.value == pytest.approx(tighter.value.value, abs=1e-9)


@pytest.mark.parametrize("how", HOW)
def test_the_gradient_is_that_of_the_value(how: Any) -> None:
    pomdp = random_pomdp(3)
    if "horizon" in how:
        pomdp = POMDP(mdp=pomdp.mdp.with_reward_decay(0.1), observation=pomdp.observation)
    problem = memoryless._Gradient(pomdp, how.get("gamma", 1.0), how.get("horizon"))
    logits = np.random.default_rng(0).normal(size=problem.pomdp.legal.size)
    value, gradient = problem(logits)
    assert -value == pytest.approx(problem.value(problem.policy(logits)), abs=1e-12)
    np.testing.assert_allclose(gradient, approx_fprime(logits, lambda x: problem(x)[0]), atol=1e-5)


def test_drawing_actions_can_beat_every_map() -> None:
    pomdp, gamma = alternating(), 0.9
    assert best_memoryless(pomdp, gamma=gamma).value.value == pytest.approx(1 - gamma / (1 - gamma))
    found = stochastic_memoryless(pomdp, gamma=gamma, starts=2)
    grid = [
        pomdp.mdp.expectation(evaluate_policy(pomdp.mdp, [[p, 1 - p]] * 2, gamma=gamma))
        for p in np.linspace(0, 1, 1001)
    ]
    assert found.value >= max(grid) - 1e-9
    assert found.value == pytest.approx(max(grid), abs=1e-5)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", range(8))
def test_who_knows_more_earns_more(seed: int, how: Any) -> None:
    """No memory, memory, full information."""
    pomdp = random_pomdp(seed)
    horizon = how.get("horizon", 8)  # of a discounted task without end, a part
    discount = how.get("gamma", 1.0)
    gain = memory_gain(pomdp, horizon=horizon, gamma=discount)
    fixed = best_memoryless(pomdp, horizon=horizon, gamma=discount).value.value
    slack = 1e-9
    assert gain.random <= gain.memoryless + slack
    assert fixed <= gain.memoryless + slack
    assert gain.memoryless <= gain.with_memory.upper + slack
    assert gain.with_memory.lower <= gain.full_information.upper + slack
    assert -slack <= gain.share <= 1 + slack


def test_memory_is_worth_nothing_where_states_are_seen() -> None:
    seen = random_pomdp(1)
    seen = POMDP(mdp=seen.mdp, observation=np.arange(seen.mdp.n_states))
    gain = memory_gain(seen, gamma=0.9)
    assert gain.share == pytest.approx(0.0, abs=1e-6)
    assert gain.with_memory.value == pytest.approx(solve(seen.mdp, gamma=0.9).initial.value, abs=1e-6)


def test_without_a_horizon_there_must_be_a_discount() -> None:
    for search in (best_memoryless, stochastic_memoryless, memory_gain):
        with pytest.raises(ValueError, match="gamma must be below 1"):
            search(alternating())
    with pytest.raises(ValueError, match="horizon"):
        best_memoryless(alternating(), horizon=-1)
