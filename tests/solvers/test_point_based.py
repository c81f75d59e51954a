"""Bounds by search enclose the optimum that policy trees give, and close in on it."""

from __future__ import annotations

import numpy as np
import pytest
from pomdps import random_pomdp, tiger, tree_value

from rlkit.core import POMDP, from_sensor, from_triplets
from rlkit.solvers import belief_mdp, optimum, point_based, solve
from rlkit.solvers.partial.point_based import _Bounds


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("minimize", [False, True])
def test_a_horizon_against_policy_trees(seed: int, minimize: bool) -> None:
    pomdp = random_pomdp(seed)
    truth = solve(belief_mdp(pomdp, horizon=4).mdp, horizon=4, minimize=minimize).initial.value
    if not minimize:
        assert truth == pytest.approx(float(tree_value(pomdp, 4)), abs=1e-9)
    found = point_based(pomdp, horizon=4, gamma=1.0, minimize=minimize)
    assert found.lower - 1e-9 <= truth <= found.upper + 1e-9
    assert found.upper - found.lower <= 2e-6 * max(1, abs(truth))
    assert found.value == (found.upper if minimize else found.lower)


def test_rewards_that_fade() -> None:
    plain = random_pomdp(2)
    pomdp = POMDP(mdp=plain.mdp.with_reward_decay(0.25), observation=plain.observation)
    assert point_based(pomdp, horizon=4).value == pytest.approx(float(tree_value(pomdp, 4)), abs=1e-5)


def test_tiger_without_end() -> None:
    found = point_based(tiger(), gamma=0.95, epsilon=1e-3)
    assert found.lower <= 19.37137 <= found.upper
    assert found.upper - found.lower < 0.03


def test_a_sensor_and_its_states_of_pairs_agree() -> None:
    """The same problem over hidden states with a sensor, and over states that contain what was observed."""
    rng = np.random.default_rng(0)
    n = 3
    p, sight = rng.dirichlet(np.ones(n), size=(n, 2)), rng.dirichlet(np.ones(2), size=2 * n)
    s, a, t = (x.ravel() for x in np.indices(p.shape))
    reward, initial = rng.normal(size=p.size), np.full(n, 1 / n)
    mdp = from_triplets(s, a, t, p.ravel(), n_states=n, reward=reward, initial=initial)
    pomdp = from_sensor(mdp, sight)
    pairs = POMDP(mdp=pomdp.mdp, observation=pomdp.observation)
    for how in ({"horizon": 5}, {"gamma": 0.6}):
        one, other = point_based(pomdp, **how), point_based(pairs, **how)
        assert max(one.lower, other.lower) <= min(one.upper, other.upper) + 1e-9


def test_less_work_gives_wider_bounds_that_enclose_all_the_same() -> None:
    widths = []
    for work in (0, 1e5, 1e8):
        found = point_based(tiger(), gamma=0.95, epsilon=1e-3, most_work=work)
        assert found.lower - 1e-6 <= 19.37137 <= found.upper + 1e-6
        widths.append(found.upper - found.lower)
    assert widths[0] > widths[1] > widths[2]


def test_what_it_is_not_for() -> None:
    assert point_based(tiger(), gamma=1.0) is None
    assert point_based(tiger(), gamma=1.0, horizon=10_000) is None
    uneven = from_triplets([0, 0, 1], [0, 1, 0], [1, 0, 1], [1.0, 1.0, 1.0], n_states=2)
    assert point_based(POMDP(mdp=uneven, observation=np.array([0, 1])), gamma=0.9) is None


def test_a_bound_that_is_wrong_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that take away twice as much put the upper bound below the optimum."""
    original = _Bounds._less
    monkeypatch.setattr(_Bounds, "_less", lambda *given: 2 * original(*given))
    assert point_based(tiger(), gamma=0.95, epsilon=1e-3, most_work=1e7).upper < 19.3


def test_too_many_beliefs_are_bounded_closely() -> None:
    found = optimum(tiger(), gamma=0.95, epsilon=1e-2, max_beliefs=20, enclose=True)
    assert found.beliefs is None
    assert found.converged
    assert found.initial.lower <= 19.37137 <= found.initial.upper
