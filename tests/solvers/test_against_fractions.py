"""Every solver against exact rational arithmetic: all policies of small random models, one by one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from exact_models import (
    INF,
    Chain,
    Evaluate,
    Exact,
    Value,
    chain_gain,
    chain_reach,
    chain_reach_reward,
    chain_value,
    models,
    optimum,
    within,
)
from hypothesis import assume, given, settings, strategies as st
from scipy.optimize import linprog

from rlkit.solvers import Solution, bellman, evaluate_policy, solve, verify
from rlkit.solvers.methods.run import method_names

METHODS = st.sampled_from(method_names())


def of_discount(gamma: float) -> Evaluate:
    return lambda chain: chain_value(chain, Fraction(gamma).limit_denominator(10**6))


def check_optimum(model: Exact, gamma: float, minimize: bool, method: str) -> None:
    exact = optimum(model, of_discount(gamma), minimize)
    assume(exact is not None)
    assert exact is not None
    mdp = model.mdp()
    solution = solve(mdp, gamma=gamma, minimize=minimize, method=method)
    assert solution.converged
    assert verify(mdp, solution) == []
    within(solution, exact)
    if solution.fractions is not None:
        assert all(f == x for f, x in zip(solution.fractions, exact, strict=True) if abs(x) != INF)
    if gamma < 1 or all(abs(x) != INF for x in exact):
        achieved = evaluate_policy(mdp, solution.policy, gamma=gamma)
        np.testing.assert_allclose(achieved, [float(x) for x in exact], rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(models(), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1 / 3]), st.booleans(), METHODS)
def test_discounted(model: Exact, gamma: float, minimize: bool, method: str) -> None:
    check_optimum(model, gamma, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("positive"), st.booleans(), METHODS)
def test_total_of_rewards(model: Exact, minimize: bool, method: str) -> None:
    check_optimum(model, 1.0, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("negative"), st.booleans(), METHODS)
def test_total_of_costs(model: Exact, minimize: bool, method: str) -> None:
    check_optimum(model, 1.0, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("mixed"), st.booleans(), METHODS)
def test_total_of_mixed_rewards(model: Exact, minimize: bool, method: str) -> None:
    check_optimum(model, 1.0, minimize, method)


@settings(max_examples=40, deadline=None)
@given(models("mixed", acyclic=True), st.sampled_from([0.0, 0.9, 1.0]), st.booleans())
def test_one_sweep_solves_an_acyclic_model(model: Exact, gamma: float, minimize: bool) -> None:
    exact = optimum(model, of_discount(gamma), minimize)
    assert exact is not None
    solution = solve(model.mdp(), gamma=gamma, minimize=minimize)
    assert solution.sweeps <= 1
    assert solution.converged
    np.testing.assert_allclose(solution.value, [float(x) for x in exact], rtol=1e-12, atol=1e-12)
    assert np.array_equal(solution.lower, solution.upper)


@settings(max_examples=40, deadline=None)
@given(models(), st.sampled_from([0.5, 0.9, 0.99]), st.booleans())
def test_a_linear_program_agrees(model: Exact, gamma: float, minimize: bool) -> None:
    """Smallest v above r + gamma P v for every choice (largest below it, when minimising)."""
    mdp = model.mdp()
    solution = solve(mdp, gamma=gamma, minimize=minimize)
    sign = -1.0 if minimize else 1.0
    terminal = np.eye(model.n)[mdp.terminal]
    constraints = np.eye(model.n)[mdp.state_of_choice] - gamma * mdp.matrix.toarray()
    found = linprog(
        np.full(model.n, sign),
        A_ub=-sign * constraints if mdp.n_choices else None,
        b_ub=-sign * mdp.reward if mdp.n_choices else None,
        A_eq=terminal if len(terminal) else None,
        b_eq=np.zeros(len(terminal)) if len(terminal) else None,
        bounds=(None, None),
    )
    np.testing.assert_allclose(solution.value, found.x, rtol=1e-5, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(models(), st.sampled_from([0.0, 0.5, 0.99, 1.0]), st.data())
def test_the_bellman_operator_contracts_and_is_monotone(
    model: Exact, gamma: float, data: st.DataObject
) -> None:
    mdp = model.mdp()
    vectors = st.lists(st.floats(-100, 100), min_size=model.n, max_size=model.n).map(np.array)
    v, w = data.draw(vectors), data.draw(vectors)
    v[mdp.terminal] = w[mdp.terminal] = 0.0
    change = np.abs(bellman(mdp, v, gamma) - bellman(mdp, w, gamma)).max()
    assert change <= gamma * np.abs(v - w).max() + 1e-12 * 100
    upper = np.maximum(v, w)
    assert (bellman(mdp, upper, gamma) >= bellman(mdp, v, gamma) - 1e-12 * 100).all()


@settings(max_examples=50, deadline=None)
@given(models(), st.sampled_from([0.0, 0.9, 1.0]), st.data())
def test_the_value_of_a_policy(model: Exact, gamma: float, data: st.DataObject) -> None:
    """inf and -inf included; nan where gains of both signs are reached."""
    policy = data.draw(st.sampled_from(list(model.policies())))
    exact = chain_value(model.chain(policy), Fraction(gamma))
    assume(exact is not None)
    assert exact is not None
    value = evaluate_policy(model.mdp(), np.array(policy), gamma=gamma)
    np.testing.assert_allclose(value, [float(x) for x in exact], rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(models(), st.integers(0, 4), st.sampled_from([0.5, 1.0]), st.booleans())
def test_a_horizon(model: Exact, horizon: int, gamma: float, minimize: bool) -> None:
    pick = min if minimize else max
    value = [Fraction(0)] * model.n
    for _ in range(horizon):
        value = [
            pick(
                (r + Fraction(gamma) * sum(p * value[t] for t, p in row.items()) for r, row in offered),
                default=Fraction(0),
            )
            for offered in model.choices
        ]
    mdp = model.mdp()
    solution = solve(mdp, gamma=gamma, horizon=horizon, minimize=minimize)
    assert verify(mdp, solution) == []
    np.testing.assert_allclose(solution.value, [float(x) for x in value], rtol=1e-12, atol=1e-12)


TARGETS = st.sets(st.integers(0, 3), max_size=2)


def attained(model: Exact, solution: Solution, evaluate: Evaluate) -> None:
    """The policy of the solution, evaluated exactly, is worth what the solution says."""
    policy = tuple(0 if c < 0 else int(a) for c, a in zip(solution.choice, solution.policy, strict=True))
    value = evaluate(model.chain(policy))
    assert value is not None
    np.testing.assert_allclose(solution.value, [float(x) for x in value], rtol=1e-6, atol=1e-6)


@settings(max_examples=80, deadline=None)
@given(models(), TARGETS, st.booleans(), METHODS)
def test_reachability(model: Exact, target: set[int], minimize: bool, method: str) -> None:
    target &= set(range(model.n))

    def evaluate(chain: Chain) -> Value:
        return chain_reach(chain, target)

    exact = optimum(model, evaluate, minimize)
    assert exact is not None
    mdp = model.mdp()
    solution = solve(mdp, objective="reach-prob", target=sorted(target), minimize=minimize, method=method)
    assert solution.converged
    assert verify(mdp, solution) == []
    within(solution, exact)
    attained(model, solution, evaluate)


@settings(max_examples=80, deadline=None)
@given(models("positive"), TARGETS, st.booleans(), METHODS)
def test_reward_before_a_target(model: Exact, target: set[int], minimize: bool, method: str) -> None:
    target &= set(range(model.n))

    def evaluate(chain: Chain) -> Value:
        return chain_reach_reward(chain, target)

    exact = optimum(model, evaluate, minimize)
    assert exact is not None
    mdp = model.mdp()
    solution = solve(mdp, objective="reach-reward", target=sorted(target), minimize=minimize, method=method)
    assert solution.converged
    assert verify(mdp, solution) == []
    within(solution, exact)
    if all(abs(x) != INF for x in exact):
        attained(model, solution, evaluate)


@settings(max_examples=80, deadline=None)
@given(models(), st.booleans())
def test_average_reward(model: Exact, minimize: bool) -> None:
    exact = optimum(model, chain_gain, minimize)
    assert exact is not None
    mdp = model.mdp()
    solution = solve(mdp, objective="average", minimize=minimize)
    assert solution.converged
    assert verify(mdp, solution) == []
    within(solution, exact)
    attained(model, solution, chain_gain)


@settings(max_examples=60, deadline=None)
@given(models(), st.sampled_from([0.9, 1.0]), st.booleans(), st.data())
def test_a_wrong_certificate_is_found(
    model: Exact, gamma: float, minimize: bool, data: st.DataObject
) -> None:
    """Bounds drawn past the optimum, or a policy exchanged for a worse one, do not pass."""
    exact = optimum(model, of_discount(gamma), minimize)
    assume(exact is not None and all(abs(x) != INF for x in exact))
    mdp = model.mdp()
    assume(mdp.n_choices > 0)
    solution = solve(mdp, gamma=gamma, minimize=minimize)
    state = data.draw(st.sampled_from([s for s in range(model.n) if model.choices[s]]))
    shift = np.zeros(model.n)
    shift[state] = 0.01
    too_low = replace(solution, upper=solution.value - shift, value=solution.value - shift)
    too_high = replace(solution, lower=solution.value + shift, value=solution.value + shift)
    assert verify(mdp, too_high if not minimize else too_low) != []
    if gamma < 1:
        assert verify(mdp, too_low if not minimize else too_high) != []


def test_the_comparison_can_fail() -> None:
    """Bounds that miss the optimum by more than rounding, or that lie about their width, are noticed."""
    model = Exact([[(Fraction(1), {0: Fraction(1, 2), 1: Fraction(1, 2)})], []])
    solution = solve(model.mdp())
    exact = optimum(model, of_discount(1.0), minimize=False)
    assert exact == [2, 0]
    within(solution, exact)
    for wrong in (
        [Fraction(2) + Fraction(1, 10**6), Fraction(0)],
        [INF, 0],
        [Fraction(2), Fraction(-1, 10**6)],
    ):
        with pytest.raises(AssertionError):
            within(solution, wrong)
