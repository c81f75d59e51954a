"""Reaching a target within so many steps, or before states to avoid, against fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from exact_models import Chain, Exact, Value, chain_reach, models, optimum, within
from hypothesis import given, settings, strategies as st

import rlkit
from rlkit.solvers import SolveError, solve, verify
from rlkit.solvers.methods.run import method_names

STATES = st.sets(st.integers(0, 3), max_size=2)


def backward(
    model: Exact, target: set[int], avoid: set[int], horizon: int, minimize: bool
) -> list[list[Fraction]]:
    """The best probability with 0, 1, ..., `horizon` steps to go."""
    pick = min if minimize else max
    value = [[Fraction(int(s in target)) for s in range(model.n)]]
    for _ in range(horizon):
        later = value[-1]
        value.append(
            [
                later[s]
                if s in target or s in avoid or not offered
                else pick(sum(p * later[t] for t, p in row.items()) for _, row in offered)
                for s, offered in enumerate(model.choices)
            ]
        )
    return value


@settings(max_examples=80, deadline=None)
@given(models(), STATES, STATES, st.integers(0, 5), st.booleans())
def test_within_steps(model: Exact, target: set[int], avoid: set[int], horizon: int, minimize: bool) -> None:
    target, avoid = ({s for s in states if s < model.n} for states in (target, avoid))
    exact = backward(model, target, avoid, horizon, minimize)
    mdp = model.mdp()
    solution = solve(
        mdp,
        objective="reach-prob",
        target=sorted(target),
        avoid=sorted(avoid),
        horizon=horizon,
        minimize=minimize,
    )
    assert solution.converged
    assert verify(mdp, solution) == []
    np.testing.assert_allclose(solution.value, [float(x) for x in exact[-1]], rtol=1e-12, atol=1e-12)
    assert solution.plan is not None
    followed = exact[0]
    for choice in reversed(solution.plan):
        assert all(c < 0 for s, c in enumerate(choice) if s in target | avoid)
        rows = [
            model.choices[s][c - mdp.state_ptr[s]][1] if c >= 0 else {s: Fraction(1)}
            for s, c in enumerate(choice)
        ]
        followed = [sum((p * followed[t] for t, p in row.items()), Fraction(0)) for row in rows]
    assert followed == exact[-1]


@settings(max_examples=80, deadline=None)
@given(models(), STATES, STATES, st.booleans(), st.sampled_from(method_names()))
def test_before_states_to_avoid(
    model: Exact, target: set[int], avoid: set[int], minimize: bool, method: str
) -> None:
    target, avoid = ({s for s in states if s < model.n} for states in (target, avoid))

    def evaluate(chain: Chain) -> Value:
        return chain_reach([(r, {} if s in avoid else row) for s, (r, row) in enumerate(chain)], target)

    exact = optimum(model, evaluate, minimize)
    assert exact is not None
    mdp = model.mdp()
    asked = {"objective": "reach-prob", "target": sorted(target), "minimize": minimize, "method": method}
    solution = solve(mdp, avoid=sorted(avoid), **asked)
    assert solution.converged
    assert verify(mdp, solution) == []
    within(solution, exact)
    assert (solution.choice[sorted(target | avoid)] == -1).all()
    np.testing.assert_array_equal(np.isnan(solution.q), np.isin(mdp.state_of_choice, [*target, *avoid]))
    policy = tuple(0 if c < 0 else int(a) for c, a in zip(solution.choice, solution.policy, strict=True))
    value = evaluate(model.chain(policy))
    np.testing.assert_allclose(solution.value, [float(x) for x in value], rtol=1e-6, atol=1e-6)


def test_a_lake_by_hand() -> None:
    """From the goal's neighbour, state 14, it is reached in one slippery step of three; two steps add a third
    of what its neighbours 13 and 10 or 14 itself have."""
    mdp = rlkit.exact("FrozenLake-v1")
    one, two = (solve(mdp, objective="reach-prob", target=[15], horizon=h) for h in (1, 2))
    assert one.value[[13, 14, 10]] == pytest.approx([0, 1 / 3, 0])
    assert two.value[14] == pytest.approx(1 / 3 + 1 / 9)
    shut = solve(mdp, objective="reach-prob", target=[15], avoid=[14])
    assert shut.converged
    assert shut.initial[:2] == (0.0, 0.0)


def test_a_plan_exchanged_for_a_worse_one_is_found() -> None:
    """The negative control of what verify says of plans."""
    mdp = rlkit.exact("FrozenLake-v1")
    solution = solve(mdp, objective="reach-prob", target=[15], horizon=6)
    assert verify(mdp, solution) == []
    assert solution.plan is not None
    first = np.where(solution.plan >= 0, mdp.state_ptr[:-1], -1)
    assert verify(mdp, replace(solution, plan=first)) != []
    assert verify(mdp, replace(solution, value=solution.value + 0.01)) != []
    careless = np.zeros(16, dtype=bool)
    careless[10] = True
    assert verify(mdp, replace(solution, avoid=careless)) != []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"objective": "reach-reward", "target": [1], "avoid": [2]}, "reach-reward has no states to avoid"),
        ({"objective": "total", "avoid": [2]}, "total has no states to avoid; reach-prob has"),
        ({"objective": "reach-prob", "avoid": [2]}, "needs a target"),
        ({"objective": "reach-prob", "target": [15], "avoid": [16]}, r"avoid state 16 is none of 0\.\.15"),
        ({"objective": "reach-reward", "target": [15], "horizon": 3}, "finite-horizon and reach-prob have"),
    ],
)
def test_what_does_not_go_together(asked: dict[str, object], message: str) -> None:
    with pytest.raises(SolveError, match=message):
        solve(rlkit.exact("FrozenLake-v1"), **asked)
