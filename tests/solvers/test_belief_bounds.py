"""Bounds from some beliefs enclose the optimum that all beliefs give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pomdps import random_pomdp

from rlkit.core import POMDP
from rlkit.solvers import belief_bounds, belief_mdp, optima, optimum, solve

LATER = 2 * 0.5**8 / (1 - 0.5)  # rewards are at most 2
HOW = ({"horizon": 4}, {"horizon": 4, "minimize": True}, {"gamma": 0.5}, {"gamma": 0.5, "minimize": True})


def truth(pomdp: POMDP, how: dict[str, Any]) -> float:
    """By all beliefs of the first eight steps: what comes later is worth at most `LATER` at gamma 1/2."""
    how = {"horizon": 8, **how}
    return solve(belief_mdp(pomdp, horizon=how["horizon"]).mdp, **how).initial.value


@pytest.mark.parametrize("how", HOW, ids=str)
def test_bounds_enclose(how: Any) -> None:
    widths = []
    for seed in range(6):
        pomdp = random_pomdp(seed, states=5)
        expected = truth(pomdp, how)
        slack = LATER if "gamma" in how else 1e-9
        for most in (1, 5, 10):
            both = belief_bounds(pomdp, horizon=how.get("horizon"), max_beliefs=most)
            low, high = (solve(m, **how).initial for m in (both.blind, both.revealed))
            if how.get("minimize"):
                low, high = high, low
            assert low.lower - slack <= expected <= high.upper + slack
            widths.append(high.upper - low.lower)
    assert max(widths) > 0.1, "some bounds are apart, so that the test says something"


def test_bounds_exchanged_would_be_noticed() -> None:
    """Revealed is not below, nor blind above."""
    pomdps = [random_pomdp(seed, states=5) for seed in range(6)]
    bounds = [belief_bounds(pomdp, horizon=4, max_beliefs=1) for pomdp in pomdps]
    expected = [truth(pomdp, HOW[0]) for pomdp in pomdps]
    assert any(
        solve(b.revealed, horizon=4).initial.value > v + 1e-3 for b, v in zip(bounds, expected, strict=True)
    )
    assert any(
        solve(b.blind, horizon=4).initial.value < v - 1e-3 for b, v in zip(bounds, expected, strict=True)
    )


def test_all_beliefs_give_the_optimum() -> None:
    """Where nothing is left to bound, both models are the belief MDP."""
    for seed in range(4):
        pomdp = random_pomdp(seed, states=5)
        few, all_of_them = (
            optimum(pomdp, max_beliefs=most, horizon=4, enclose=True) for most in (1, 1_000_000)
        )
        assert few.beliefs is None
        assert all_of_them.beliefs is not None
        assert all_of_them.converged
        both = belief_bounds(pomdp, horizon=4, max_beliefs=1_000_000)
        assert {solve(m, horizon=4).initial.value for m in both[:2]} == {all_of_them.initial.value}


def test_an_action_that_some_classes_lack() -> None:
    """The map that takes it elsewhere takes the first legal one there."""
    pomdp = random_pomdp(1, states=5)
    mdp = pomdp.mdp
    assert not mdp.terminal.all()
    blind = belief_bounds(pomdp, max_beliefs=1).blind
    assert np.diff(blind.state_ptr)[-mdp.n_states :].max() <= 1, "one choice a state behind the beliefs"


def test_the_optimum_says_what_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    pomdp = random_pomdp(0, states=5)
    assert optimum(pomdp, horizon=4).knows == "beliefs"
    assert optimum(pomdp.mdp, horizon=4).knows == "states"
    monkeypatch.setattr(
        optima, "belief_mdp", lambda pomdp, **how: belief_mdp(pomdp, **how | {"max_beliefs": 1})
    )
    found = optimum(pomdp, horizon=4)
    assert found.knows == "hidden states"
    assert found.solution.initial.value == solve(pomdp.mdp, horizon=4).initial.value
