"""Every solver against exact rational arithmetic: all policies of small random models, one by one."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rlkit.core import MDP, ModelWarning, from_triplets
from rlkit.solvers import bellman, evaluate_policy, solve

INF = float("inf")
METHODS = ("auto", "value-iteration", "policy-iteration")
Row = dict[int, Fraction]


@dataclass(frozen=True)
class Exact:
    """A model in fractions: for each state its choices, each a reward and a row of probabilities."""

    choices: list[list[tuple[Fraction, Row]]]
    doubled: bool = False  # whether each transition is given as two parallel ones of different reward

    @property
    def n(self) -> int:
        return len(self.choices)

    def mdp(self) -> MDP:
        parts = [(0.5, 1.0), (0.5, -1.0)] if self.doubled else [(1.0, 0.0)]
        rows = [
            (s, a, t, share * float(p), float(reward) + more)
            for s, offered in enumerate(self.choices)
            for a, (reward, row) in enumerate(offered)
            for t, p in row.items()
            for share, more in parts
        ]
        columns = np.array(rows, dtype=float).reshape(-1, 5).T
        s, a, t = (columns[i].astype(int) for i in range(3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)  # unreachable states are part of the test
            return from_triplets(s, a, t, columns[3], n_states=self.n, reward=columns[4])

    def policies(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(range(max(len(offered), 1)) for offered in self.choices))

    def chain(self, policy: tuple[int, ...]) -> list[tuple[Fraction, Row]]:
        stop: tuple[Fraction, Row] = (Fraction(0), {})
        return [offered[a] if offered else stop for offered, a in zip(self.choices, policy, strict=True)]


def linear(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solve by Gauss and Jordan; each row ends with its right-hand side."""
    n = len(rows)
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], [x / rows[pivot][k] for x in rows[pivot]]
        for i in range(n):
            if i != k and rows[i][k]:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def reached_from(chain: list[tuple[Fraction, Row]]) -> list[set[int]]:
    reach = [{s} for s in range(len(chain))]
    for _ in chain:
        reach = [r.union(*(reach[t] for t in chain[s][1])) for s, r in enumerate(reach)]
    return reach


def solve_chain(chain: list[tuple[Fraction, Row]], states: list[int], gamma: Fraction) -> dict[int, Fraction]:
    rows = [
        [Fraction(s == t) - gamma * chain[s][1].get(t, Fraction(0)) for t in states] + [chain[s][0]]
        for s in states
    ]
    return dict(zip(states, linear(rows), strict=True))


def chain_value(chain: list[tuple[Fraction, Row]], gamma: Fraction) -> list[Fraction | float] | None:
    """Value of a Markov chain in every state; None where the total reward is not defined."""
    n = len(chain)
    if gamma < 1:
        return list(solve_chain(chain, list(range(n)), gamma).values())
    reach = reached_from(chain)
    value: list[Fraction | float] = [Fraction(0)] * n
    recurrent = [all(s in reach[t] for t in reach[s]) for s in range(n)]
    endless: dict[int, float] = {}
    for s in range(n):
        members = sorted(reach[s]) if recurrent[s] else []
        if any(chain[t][0] for t in members):
            balance = [
                [chain[t][1].get(u, Fraction(0)) - (t == u) for t in members] + [Fraction(0)]
                for u in members[1:]
            ]
            stationary = linear([[Fraction(1)] * (len(members) + 1), *balance])
            gain = sum(p * chain[t][0] for p, t in zip(stationary, members, strict=True))
            if not gain:
                return None
            endless[s] = INF if gain > 0 else -INF
    for s in range(n):
        ends = {endless[t] for t in reach[s] if t in endless}
        if len(ends) == 2:
            return None
        if ends:
            value[s] = ends.pop()
    finite = [s for s in range(n) if value[s] == 0 and not recurrent[s]]
    for s, v in solve_chain(chain, finite, Fraction(1)).items():
        value[s] = v
    return value


def optimum(model: Exact, gamma: float, minimize: bool) -> list[Fraction | float] | None:
    """Best value over all stationary policies; None where some policy has no defined value."""
    pick = min if minimize else max
    best: list[Fraction | float] | None = None
    for policy in model.policies():
        value = chain_value(model.chain(policy), Fraction(gamma))
        if value is None:
            return None
        best = value if best is None else [pick(a, b) for a, b in zip(best, value, strict=True)]
    return best


@st.composite
def models(draw: st.DrawFn, signs: str = "mixed", acyclic: bool = False) -> Exact:
    """Cycles, end components, unreachable parts, terminal states, parallel transitions, 0 to 3 actions.

    Rewards are eighths, so that they and their sums are exact floats; half of them are 0, so that there
    are components which pay nothing.
    """
    low, high = {"mixed": (-16, 16), "positive": (0, 16), "negative": (-16, 0)}[signs]
    rewards = st.one_of(st.just(0), st.integers(low, high)).map(lambda i: Fraction(i, 8))
    n = draw(st.integers(1, 4))
    choices = []
    for s in range(n):
        offered = []
        successors = range(s + 1, n) if acyclic else range(n)
        for _ in range(draw(st.integers(0, 3)) if len(successors) else 0):
            targets = draw(st.lists(st.sampled_from(successors), min_size=1, max_size=3, unique=True))
            weights = [draw(st.integers(1, 4)) for _ in targets]
            row = {t: Fraction(w, sum(weights)) for t, w in zip(targets, weights, strict=True)}
            offered.append((draw(rewards), row))
        choices.append(offered)
    return Exact(choices, draw(st.booleans()))


def within(solution: object, exact: list[Fraction | float]) -> None:
    """The certificate holds the exact optimum, up to rounding, and is as tight as it says."""
    slack = [1e-11 * max(1.0, abs(float(x))) if abs(x) != INF else 0.0 for x in exact]
    for s, (x, e) in enumerate(zip(exact, slack, strict=True)):
        assert solution.lower[s] - e <= x <= solution.upper[s] + e, (s, x)
        assert solution.lower[s] <= solution.value[s] <= solution.upper[s]
        if solution.converged:
            assert solution.value[s] == pytest.approx(float(x), rel=solution.epsilon, abs=solution.epsilon)


def check(model: Exact, gamma: float, minimize: bool, method: str) -> None:
    exact = optimum(model, gamma, minimize)
    assume(exact is not None)
    assert exact is not None
    mdp = model.mdp()
    solution = solve(mdp, gamma=gamma, minimize=minimize, method=method)
    assert solution.converged
    within(solution, exact)
    if gamma < 1 or all(abs(x) != INF for x in exact):
        achieved = evaluate_policy(mdp, solution.policy, gamma=gamma)
        np.testing.assert_allclose(achieved, [float(x) for x in exact], rtol=1e-6, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(models(), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1 / 3]), st.booleans(), st.sampled_from(METHODS))
def test_discounted(model: Exact, gamma: float, minimize: bool, method: str) -> None:
    check(model, gamma, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("positive"), st.booleans(), st.sampled_from(METHODS))
def test_total_of_rewards(model: Exact, minimize: bool, method: str) -> None:
    check(model, 1.0, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("negative"), st.booleans(), st.sampled_from(METHODS))
def test_total_of_costs(model: Exact, minimize: bool, method: str) -> None:
    check(model, 1.0, minimize, method)


@settings(max_examples=50, deadline=None)
@given(models("mixed"), st.booleans(), st.sampled_from(METHODS))
def test_total_of_mixed_rewards(model: Exact, minimize: bool, method: str) -> None:
    check(model, 1.0, minimize, method)


@settings(max_examples=40, deadline=None)
@given(models("mixed", acyclic=True), st.sampled_from([0.0, 0.9, 1.0]), st.booleans())
def test_one_sweep_solves_an_acyclic_model(model: Exact, gamma: float, minimize: bool) -> None:
    exact = optimum(model, gamma, minimize)
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
    solution = solve(model.mdp(), gamma=gamma, horizon=horizon, minimize=minimize)
    np.testing.assert_allclose(solution.value, [float(x) for x in value], rtol=1e-12, atol=1e-12)


def test_the_comparison_can_fail() -> None:
    """Bounds that miss the optimum by more than rounding, or that lie about their width, are noticed."""
    model = Exact([[(Fraction(1), {0: Fraction(1, 2), 1: Fraction(1, 2)})], []])
    solution = solve(model.mdp())
    exact = optimum(model, 1.0, minimize=False)
    assert exact == [2, 0]
    within(solution, exact)
    for wrong in (
        [Fraction(2) + Fraction(1, 10**6), Fraction(0)],
        [INF, 0],
        [Fraction(2), Fraction(-1, 10**6)],
    ):
        with pytest.raises(AssertionError):
            within(solution, wrong)
