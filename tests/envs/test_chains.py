"""Chains against their papers' tables, closed forms, and other ways to compute the same."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from rlkit.core import enumerate_model
from rlkit.core.table import TableState
from rlkit.envs.chains.deep_sea import deep_sea
from rlkit.envs.chains.gambler import gambler
from rlkit.envs.chains.garnet import _subsets, garnet
from rlkit.envs.chains.river_swim import river_swim
from rlkit.envs.options import OptionError
from rlkit.solvers import evaluate_policy, solve, uniform_policy


def dense(mdp: Any) -> Any:
    """Transitions [S, A, S] and rewards [S, A] of a model that offers every action everywhere."""
    shape = (mdp.n_states, mdp.n_actions)
    return mdp.matrix.toarray().reshape(*shape, -1), mdp.reward.reshape(shape)


def test_river_swim_is_figure_3() -> None:
    mdp = river_swim().mdp
    transition, reward = dense(mdp)
    down, up = transition[:, 0], transition[:, 1]
    assert (down == np.eye(6)[[0, 0, 1, 2, 3, 4]]).all()
    assert up[0].tolist() == [0.7, 0.3, 0, 0, 0, 0]
    assert up[3].tolist() == [0, 0, 0.1, 0.6, 0.3, 0]
    assert up[5].tolist() == [0, 0, 0, 0, 0.7, 0.3]
    assert mdp.initial.tolist() == [0, 0.5, 0.5, 0, 0, 0]
    assert reward[0].tolist() == [5, 0]
    assert reward[5].tolist() == [0, 3000]
    assert np.count_nonzero(reward) == 2


def test_the_best_is_to_swim_up_and_worth_what_equations_say() -> None:
    mdp = river_swim(n=9).mdp
    transition, reward = dense(mdp)
    always_up = np.linalg.solve(np.eye(9) - 0.95 * transition[:, 1], reward[:, 1])
    solution = solve(mdp)
    assert solution.policy.tolist() == [1] * 9
    assert np.allclose(solution.value, always_up)
    assert solve(river_swim(large_reward=5.0).mdp).policy[0] == 0


def bold(p_heads: Any, share: Any, depth: int = 60) -> Any:
    """Value of staking all one may: the recursion of Dubins and Savage on the share of the goal."""
    if depth == 0 or share in (0, 1):
        return float(share == 1)
    if share <= 0.5:
        return p_heads * bold(p_heads, 2 * share, depth - 1)
    return p_heads + (1 - p_heads) * bold(p_heads, 2 * share - 1, depth - 1)


def test_bold_play_is_best_with_a_bad_coin() -> None:
    model = gambler()
    value = solve(model.mdp, epsilon=1e-9).value
    assert value[[25, 50, 75]] == pytest.approx([0.16, 0.4, 0.64], abs=1e-8)
    assert value[1:100] == pytest.approx([bold(0.4, s / 100) for s in range(1, 100)], abs=1e-6)
    assert (value[0], value[100]) == (0, 0), "the goal is paid on the way in"


def test_a_fair_coin_makes_every_way_of_staking_equal() -> None:
    mdp = gambler(p_heads=0.5, goal=20).mdp
    expected = np.arange(20) / 20
    assert solve(mdp).value[:20] == pytest.approx(expected, abs=1e-6)
    assert evaluate_policy(mdp, uniform_policy(mdp))[:20] == pytest.approx(expected, abs=1e-6)
    good = evaluate_policy(gambler(p_heads=0.6, goal=20).mdp, np.zeros(21, dtype=np.int64))
    ruin = (1 - (2 / 3) ** np.arange(20)) / (1 - (2 / 3) ** 20)
    assert good[:20] == pytest.approx(ruin, abs=1e-6)


def test_stakes_are_masked_and_capital_is_the_state() -> None:
    model = gambler(goal=10, capital=4)
    assert model.masked
    assert model.legal(TableState(np.array([4, 9, 1]))).sum(axis=1).tolist() == [4, 1, 1]
    assert model.mdp.initial[4] == 1
    assert model.mdp.state_names == tuple(str(s) for s in range(11))
    assert gambler().mdp.initial[1:100] == pytest.approx(1 / 99)


def test_garnets_are_what_they_are_said_to_be() -> None:
    mdp = garnet(states=200, actions=3, branching=4, seed=1).mdp
    assert (np.diff(mdp.choice_ptr) == 4).all()
    assert all(len(set(row)) == 4 for row in mdp.successor.reshape(-1, 4).tolist())
    assert kstest(mdp.reward, "norm").pvalue > 1e-3
    largest = mdp.probability.reshape(-1, 4)
    assert kstest(largest[:, 0], lambda x: 1 - (1 - x) ** 3).pvalue > 1e-3, "gaps of three uniform cuts"
    again, other = (garnet(states=200, actions=3, branching=4, seed=s).mdp for s in (1, 2))
    assert np.array_equal(mdp.probability, again.probability)
    assert not np.array_equal(mdp.probability, other.probability)


def test_subsets_are_equally_likely() -> None:
    drawn = np.sort(_subsets(6, 3, 20_000, np.random.default_rng(0)), axis=1) @ [36, 6, 1]
    counts = [np.count_nonzero(drawn == np.dot(c, [36, 6, 1])) for c in combinations(range(6), 3)]
    assert sum(counts) == 20_000
    assert chisquare(counts).pvalue > 1e-3


def test_a_garnet_by_dense_value_iteration() -> None:
    mdp = garnet(discount=0.9).mdp
    transition, reward = dense(mdp)
    value = np.zeros(20)
    for _ in range(400):
        value = (reward + 0.9 * transition @ value).max(axis=1)
    assert np.allclose(solve(mdp).value, value, atol=1e-6)


def test_one_dive_of_many_finds_the_treasure() -> None:
    mdp = deep_sea(n=6, move_cost=0.0).mdp
    assert solve(mdp).initial.value == pytest.approx(1)
    found = mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp)))
    assert found == pytest.approx(2.0**-6)
    assert solve(deep_sea().mdp).initial.value == pytest.approx(0.99)
    assert solve(deep_sea(n=25).mdp).initial.value == pytest.approx(0.99)
    assert solve(deep_sea().mdp, horizon=9).initial.value == 0, "the treasure takes ten steps"


@pytest.mark.parametrize("n", [2, 5, 10])
def test_a_stochastic_sea_pays_until_the_first_slip(n: int) -> None:
    """Whoever slips once cannot come to the treasure any more, and steers left for nothing."""
    value = 1 - 0.01 / n
    for _ in range(n - 1):
        value = max(0, (1 - 1 / n) * value - 0.01 / n)
    assert solve(deep_sea(n=n, stochastic=True).mdp).initial.value == pytest.approx(value)


def test_a_seed_hides_which_action_is_right() -> None:
    plain, drawn = deep_sea().mdp, deep_sea(seed=3).mdp
    right = np.ones(plain.n_states, dtype=np.int64)
    assert plain.expectation(evaluate_policy(plain, right)) == pytest.approx(0.99)
    assert drawn.expectation(evaluate_policy(drawn, right)) < 0.01
    assert solve(drawn).initial.value == pytest.approx(0.99)
    assert 15 < np.count_nonzero(drawn.action[drawn.reward != 0]) < 40, "of 55 coins"


def test_the_diver_falls_one_row_a_step() -> None:
    model = deep_sea(n=4)
    state = model.initial(np.array([0]))
    for action in (1, 0, 1):
        assert "@" in model.text(state)
        state = model.transition(state, np.array([action]), np.array([0])).state
    assert model.text(state) == ".###\n..##\n...#\n.@.G"
    assert model.picture(state).shape == (256, 256, 3)
    ground = model.transition(state, np.array([1]), np.array([0]))
    assert ground.terminated.all()
    assert ground.reward[0] == pytest.approx(-0.01 / 4)
    assert "@" not in model.text(ground.state)
    assert enumerate_model(model).n_states == 11


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (river_swim, {"n": 2}, "n must be a whole number >= 3, not 2"),
        (river_swim, {"discount": 2}, "discount must be a finite number from 0 to 1, not 2"),
        (gambler, {"goal": 1}, "goal must be a whole number from 2 to 2000, not 1"),
        (gambler, {"p_heads": -0.1}, "p_heads must be a finite number from 0 to 1"),
        (gambler, {"capital": 100}, "capital must be a whole number from 1 to 99, not 100"),
        (garnet, {"states": 0}, "states must be a whole number >= 1, not 0"),
        (garnet, {"branching": 21}, "branching must be a whole number from 1 to 20, not 21"),
        (garnet, {"states": 10**6, "branching": 100}, "multiply to at most 50000000"),
        (deep_sea, {"n": 0}, "n must be a whole number from 2 to 2000, not 0"),
        (deep_sea, {"stochastic": "no"}, "stochastic must be True or False, not 'no'"),
        (deep_sea, {"seed": 1.5}, "seed must be a whole number >= 0, not 1.5"),
    ],
)
def test_bad_options(make: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)
