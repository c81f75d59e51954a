"""What the second opinion notices: every false bound and every worse policy, and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

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
    optimum,
    triplets,
)

from rlkit.solvers import Solution, SolveError, solve, verify

OBJECTIVES = ("discounted", "total", "average", "reach-prob", "until", "reach-reward")
SHIFTS = (-1.0, -0.01, 0.01, 1.0)


def small(seed: int, *, costs: bool) -> Exact:
    """Two to four states with self-loops, end components, ways out and ends; half of the rewards are 0."""
    rng = np.random.default_rng(seed)
    n, choices = int(rng.integers(2, 5)), []
    for _state in range(n):
        offered = []
        for _action in range(int(rng.integers(0, 4))):
            after = rng.choice(n, size=int(rng.integers(1, min(n, 3) + 1)), replace=False)
            weight = rng.integers(1, 5, size=len(after))
            row = {int(t): Fraction(int(w), int(weight.sum())) for t, w in zip(after, weight, strict=True)}
            reward = Fraction(int(rng.integers(-8 if costs else 0, 9)), 8) * int(rng.integers(2))
            offered.append((reward, row))
        choices.append(offered)
    return Exact(choices)


def problem(objective: str, n: int, seed: int) -> tuple[dict[str, object], Evaluate]:
    """What `solve` is asked, and the value of a policy by fractions."""
    target, avoid = {seed % n}, {(seed + 1) % n}

    def before(chain: Chain) -> Value:
        return chain_reach([(r, {} if s in avoid else row) for s, (r, row) in enumerate(chain)], target)

    reach = {"objective": "reach-prob", "target": sorted(target)}
    return {
        "discounted": ({"gamma": 0.75}, lambda chain: chain_value(chain, Fraction(3, 4))),
        "total": ({"objective": "total"}, lambda chain: chain_value(chain, Fraction(1))),
        "average": ({"objective": "average"}, chain_gain),
        "reach-prob": (reach, lambda chain: chain_reach(chain, target)),
        "until": (reach | {"avoid": sorted(avoid)}, before),
        "reach-reward": (
            {"objective": "reach-reward", "target": sorted(target)},
            lambda chain: chain_reach_reward(chain, target),
        ),
    }[objective]


def tampered(solution: Solution) -> Iterator[Solution]:
    """The solution with one number moved, a state's value with both its bounds, or one choice exchanged."""
    mdp = solution.mdp
    for s in range(mdp.n_states):
        for shift in SHIFTS:
            moved = np.where(np.arange(mdp.n_states) == s, shift, 0.0)
            yield replace(solution, value=solution.value + moved)
            yield replace(solution, lower=solution.lower + moved)
            yield replace(solution, upper=solution.upper + moved)
            yield claim(solution, solution.value + moved)
        for claimed in (-INF, INF, 0.0, 1.0):
            yield claim(solution, np.where(np.arange(mdp.n_states) == s, claimed, solution.value))
        for choice in range(mdp.state_ptr[s], mdp.state_ptr[s + 1]):
            other = np.where(np.arange(mdp.n_states) == s, choice, solution.choice)
            yield replace(solution, choice=other)
            for shift in (-0.01, 0.01):
                yield replace(claim(solution, solution.value + shift), choice=other)


def claim(solution: Solution, value: np.ndarray) -> Solution:
    return replace(solution, value=value, lower=value, upper=value)


def at_most(small: np.ndarray, large: np.ndarray) -> bool:
    finite = np.isfinite(large)
    slack = 1e-6 * np.maximum(1.0, np.abs(large, where=finite, out=np.zeros(len(large))))
    return bool((small <= large + slack).all())


def is_true(model: Exact, solution: Solution, exact: np.ndarray, evaluate: Evaluate) -> bool:
    """Whether the bounds hold the optimum and the value, and the policy is worth what they say."""
    policy = tuple(0 if c < 0 else int(a) for c, a in zip(solution.choice, solution.policy, strict=True))
    value = evaluate(model.chain(policy))
    assert value is not None
    worth = np.array([float(x) for x in value])
    attained = at_most(worth, solution.upper) if solution.minimize else at_most(solution.lower, worth)
    return (
        attained
        and at_most(solution.lower, exact)
        and at_most(exact, solution.upper)
        and at_most(solution.lower, solution.value)
        and at_most(solution.value, solution.upper)
    )


def false_claims(objective: str, minimize: bool, seed: int) -> tuple[int, int]:
    """How many tampered solutions of a model are false, and how many of these pass."""
    model = small(seed, costs=objective != "reach-reward")
    asked, evaluate = problem(objective, model.n, seed)
    found = optimum(model, evaluate, minimize)
    mdp = model.mdp()
    if found is None or not mdp.n_choices:
        return 0, 0
    exact = np.array([float(x) for x in found])
    solution = solve(mdp, minimize=minimize, epsilon=1e-9, **asked)
    assert is_true(model, solution, exact, evaluate)
    assert verify(mdp, solution) == []
    false = [t for t in tampered(solution) if not is_true(model, t, exact, evaluate)]
    return len(false), sum(verify(mdp, t) == [] for t in false)


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_false_claim_is_noticed(objective: str, minimize: bool) -> None:
    counts = [false_claims(objective, minimize, seed) for seed in range(6)]
    false, passed = np.sum(counts, axis=0)
    assert false > 150
    assert passed == 0


def backward(model: Exact, objective: str, horizon: int, seed: int, minimize: bool) -> Any:
    """Values with 0, 1, ..., `horizon` steps to go, and of each choice with 1, 2, ..., `horizon`."""
    target, avoid = (
        ({seed % model.n}, {(seed + 1) % model.n}) if objective == "reach-prob" else (set(), set())
    )
    value, q = [[Fraction(s in target) for s in range(model.n)]], []
    for _step in range(horizon):
        q.append(
            [
                [r * (not target) + sum(p * value[-1][t] for t, p in row.items()) for r, row in offered]
                if s not in target | avoid
                else []
                for s, offered in enumerate(model.choices)
            ]
        )
        pick = min if minimize else max
        value.append([pick(q[-1][s], default=value[0][s]) for s in range(model.n)])
    return value, q


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize("objective", ["finite-horizon", "reach-prob"])
def test_every_false_plan_is_noticed(objective: str, minimize: bool) -> None:
    worse = 0
    for seed in range(12):
        model = small(seed, costs=True)
        mdp = model.mdp()
        reach = {"target": [seed % model.n], "avoid": [(seed + 1) % model.n]}
        asked = reach if objective == "reach-prob" else {"gamma": 1.0}
        solution = solve(mdp, objective=objective, horizon=3, minimize=minimize, **asked)
        exact, q = backward(model, objective, 3, seed, minimize)
        np.testing.assert_allclose(solution.value, [float(x) for x in exact[-1]], atol=1e-12)
        assert verify(mdp, solution) == []
        for s in range(model.n):
            for shift in SHIFTS:
                moved = solution.value + np.where(np.arange(model.n) == s, shift, 0.0)
                assert verify(mdp, claim(solution, moved)) != []
                assert verify(mdp, replace(solution, **{"lower" if shift > 0 else "upper": moved})) != []
                moved = solution.next_value + np.where(np.arange(model.n) == s, shift, 0.0)
                assert verify(mdp, replace(solution, next_value=moved)) != []
            for step in range(3):
                for a, x in enumerate(q[2 - step][s]):
                    plan = solution.plan.copy()
                    plan[step, s] = mdp.state_ptr[s] + a
                    if x != exact[3 - step][s]:
                        worse += 1
                        assert verify(mdp, replace(solution, plan=plan, choice=plan[0])) != []
                        assert step or verify(mdp, replace(solution, choice=plan[0])) != []
    assert worse > 10


@pytest.mark.parametrize("avoid", [None, [2]])
@pytest.mark.parametrize(("minimize", "wrong"), [(True, 0.01), (True, 1.0), (False, 0.99), (False, -0.01)])
def test_staying_is_worth_0_to_a_probability(minimize: bool, wrong: float, avoid: list[int] | None) -> None:
    """Of all constants one backup makes nothing else; that one may stay makes the least probability 0."""
    rows = [(0, 0, 0, 1.0, 0.0), (0, 1, 1, 1.0, 0.0), (2, 0, 0, 1.0, 0.0)]
    mdp = triplets(rows, initial=[0.0, 0.0, 1.0])
    solution = solve(mdp, objective="reach-prob", target=[1], minimize=minimize, avoid=avoid)
    assert solution.value[0] == (0.0 if minimize else 1.0)
    assert verify(mdp, solution) == []
    assert verify(mdp, claim(solution, np.array([wrong, 1.0, solution.value[2]]))) != []


def test_that_one_may_stay_is_seen_by_looking_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a policy that goes attains the false bound, and no backup improves it."""
    mdp = triplets([(0, 0, 0, 1.0, 0.0), (0, 1, 1, 1.0, 0.0)])
    solution = solve(mdp, objective="reach-prob", target=[1], minimize=True)
    going = replace(claim(solution, np.array([1.0, 1.0])), choice=np.array([1, -1]))
    assert verify(mdp, going) == ["staying where one is improves the upper bound in state 0"]
    monkeypatch.setattr(sys.modules["rlkit.solvers.verify"], "_staying", lambda *given: [])
    assert verify(mdp, going) == []


@pytest.mark.parametrize("rare", [1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("objective", ["average", "reach-prob"])
@pytest.mark.parametrize("policy", [0, 1])
def test_a_way_out_that_is_seldom_found_counts(rare: float, objective: str, policy: int) -> None:
    """One backup changes a wrong bound by less than the tolerance, whether the policy is right or not."""
    mdp = triplets(
        [
            (0, 0, 0, 1 - rare, 0.01),
            (0, 0, 1, rare, 0.01),
            (0, 1, 0, 1.0, 0.01),
            (1, 0, 1, 1.0, 0.0),
        ]
    )
    average = objective == "average"
    asked = {"minimize": True} if average else {"target": [1]}
    solution = solve(mdp, objective=objective, **asked)
    assert verify(mdp, solution) == []
    wrong = np.array([0.01, 0.0]) if average else np.array([0.0, 1.0])
    assert verify(mdp, replace(claim(solution, wrong), choice=np.array([policy, 2]))) != []


def test_costs_without_end_are_no_claim_that_passes_unseen() -> None:
    """A least cost of -inf, which no policy attains, needs a cycle that earns and a way on to the target."""
    rows = [(0, 0, 0, 1.0, 1.0), (0, 1, 1, 1.0, 2.0)]
    costly = triplets(rows)
    paying = triplets([*rows, (2, 0, 0, 1.0, 0.0), (0, 2, 0, 1.0, -1.0)], initial=[0.0, 0.0, 1.0])
    solution = solve(costly, objective="reach-reward", target=[1], minimize=True)
    assert verify(costly, solution) == []
    assert verify(costly, claim(solution, np.array([-INF, 0.0]))) == [
        "what is collected is claimed to have no end, and has one in state 0"
    ]
    solution = solve(paying, objective="reach-reward", target=[1], minimize=True)
    assert solution.value.tolist() == [-INF, 0.0, -INF]
    assert verify(paying, solution) == []


@pytest.mark.parametrize("minimize", [False, True])
def test_whether_the_target_can_be_missed_is_no_matter_of_the_policy(minimize: bool) -> None:
    mdp = triplets([(0, 0, 0, 1.0, 0.0), (0, 1, 0, 0.5, 1.0), (0, 1, 1, 0.5, 1.0)])
    solution = solve(mdp, objective="reach-reward", target=[1], minimize=minimize)
    assert solution.value[0] == (2.0 if minimize else INF)
    assert verify(mdp, solution) == []
    wrong = claim(solution, np.array([INF if minimize else 2.0, 0.0]))
    wrong = replace(wrong, choice=np.array([0 if minimize else 1, -1]))
    assert verify(mdp, wrong) == ["the bounds say otherwise whether the target can be missed in state 0"]


@pytest.mark.parametrize("choice", [-1, 2, 99])
def test_a_choice_of_another_state_is_no_choice(choice: int) -> None:
    mdp = triplets([(0, 0, 1, 1.0, 0.0), (0, 1, 1, 1.0, 0.0), (1, 0, 2, 1.0, 1.0)])
    for asked in ({"objective": "total"}, {"horizon": 2}):
        solution = solve(mdp, **asked)
        assert verify(mdp, solution) == []
        wrong = replace(solution, choice=np.where(np.arange(3) == 0, choice, solution.choice))
        said = "the choice is not the plan's" if solution.horizon else "no choice that is offered is taken"
        assert verify(mdp, wrong) == [f"{said} in state 0"]
    plan = solution.plan.copy()
    plan[1, 0] = choice
    wrong = replace(solution, plan=plan)
    assert verify(mdp, wrong) == ["no choice that is offered is taken in state 0"]


def test_what_float64_cannot_tell_is_no_defect() -> None:
    """At gamma = 1 - 1e-9 the rounding of one probability moves the value by more than the tolerance."""
    rare = 1e-8
    mdp = triplets([(0, 0, 0, 1 - rare, 0.01), (0, 0, 1, rare, 0.01), (1, 0, 1, 1.0, 0.0)])
    solution = solve(mdp, gamma=1 - rare / 10, epsilon=1e-9)
    assert solution.method == "exact"
    assert verify(mdp, solution) == []
    off = 1.0 + np.array([1e-5, 0.0])
    assert verify(mdp, claim(solution, solution.value * off)) != []


@pytest.mark.parametrize("rare", [1e-10, 2.0**-40])
def test_a_linear_program_too_fine_for_its_solver_says_so(rare: float) -> None:
    mdp = triplets([(0, 0, 0, 1 - rare, -1.0), (0, 0, 1, rare, -1.0)])
    with pytest.raises(SolveError) as raised:
        solve(mdp, objective="total", method="linear-programming", epsilon=1e-9)
    message = str(raised.value)
    assert "tolerance of 1e-7 is too coarse" in message
    assert f"smallest probability is {rare:.3g}" in message
    assert "policy-iteration or exact" in message
    assert "infeasible" not in message
