"""Inventory against Puterman's numbers, queues against closed forms and the shape of their best policies."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import rlkit
from rlkit.envs.chains.inventory import inventory
from rlkit.envs.chains.queue import queue
from rlkit.envs.options import OptionError
from rlkit.solvers import evaluate_policy, solve

gym.register_envs(rlkit)


def test_rewards_are_putermans_table() -> None:
    mdp = inventory().mdp
    table = mdp.table(mdp.reward)
    expected = [[0, -1, -2, -5], [5, 0, -3, np.nan], [6, -1, np.nan, np.nan], [5, np.nan, np.nan, np.nan]]
    assert np.allclose(table, expected, equal_nan=True)


def test_the_three_period_example() -> None:
    """Puterman (1994), section 4.6.1: values 67/16, 129/16, 194/16, 227/16; order three if there are none."""
    solution = solve(inventory(discount=1.0).mdp, horizon=3)
    assert (solution.value * 16).tolist() == pytest.approx([67, 129, 194, 227])
    assert solution.policy.tolist() == [3, 0, 0, 0]


def test_products_that_share_no_cost_are_worth_their_sum() -> None:
    one, two = (solve(inventory(products=k, fixed_cost=0.0).mdp).initial.value for k in (1, 2))
    assert two == pytest.approx(2 * one)
    one, two = (solve(inventory(products=k).mdp).initial.value for k in (1, 2))
    assert two > 2 * one + 1, "ordering together saves the fixed cost"


def test_several_products_are_ordered_at_once() -> None:
    env = gym.make("rlkit/Inventory-v0", products=2, capacity=2)
    assert env.action_space == spaces.MultiDiscrete([3, 3])
    env.reset(seed=0)
    stock, reward, *_, info = env.step(np.array([2, 1]))
    left = [int(units) for units in env.unwrapped.model.mdp.state_names[stock].split(" + ")]
    assert left[0] <= 2
    assert left[1] <= 1
    assert reward == 8 * (3 - sum(left)) - 4 - 2 * 3 - 3
    assert "action_mask" not in info


def test_of_several_products_what_finds_no_room_is_not_paid() -> None:
    mdp = inventory(products=2, capacity=2, demand=(1.0,)).mdp
    row = mdp.table(mdp.reward)[mdp.state_names.index("2 + 1")]
    paid = dict(zip(mdp.action_names, row.tolist(), strict=True))
    assert paid["order 2 + 0"] == paid["order 0 + 0"] == -3
    assert paid["order 2 + 2"] == paid["order 0 + 1"] == -4 - 2 - 4


def test_a_queue_without_choice_is_a_birth_and_death_process() -> None:
    """Long run: one step up has probability arrival (1 - rate), one down rate (1 - arrival)."""
    arrival, rate, capacity = 0.3, 0.4, 8
    mdp = queue(
        capacity=capacity, arrival=arrival, rates=(rate,), rate_costs=(0.0,), fee=0.0, holding_cost=1.0
    ).mdp
    up = np.array([arrival, *[arrival * (1 - rate)] * (capacity - 1)])
    weight = np.cumprod(np.concatenate([[1.0], up / (rate * (1 - arrival))]))
    length = weight @ np.arange(capacity + 1) / weight.sum()
    gain = solve(mdp, objective="average").initial.value
    assert gain == pytest.approx(-length, abs=1e-6)


def test_fees_are_paid_by_those_who_enter() -> None:
    mdp = queue(capacity=1, arrival=1.0, rates=(0.5,), rate_costs=(0.0,), holding_cost=0.0, fee=2.0).mdp
    value = evaluate_policy(mdp, np.zeros(2, dtype=np.int64), gamma=0.5)
    full = 1.0 / (1 - 0.5)  # half of the time there is room
    assert value.tolist() == pytest.approx([2 + 0.5 * full, full])


def test_longer_queues_are_served_no_slower_and_admitted_no_sooner() -> None:
    mdp = queue(capacity=30).mdp
    rate = solve(mdp).policy
    assert (np.diff(rate[:25]) >= 0).all()
    assert rate[0] == 0 < rate[20]
    gate = solve(queue(capacity=30, admission=True, rates=(0.4,), rate_costs=(0.0,)).mdp).policy
    assert (np.diff(gate[:25]) <= 0).all()
    assert gate[0] == 1 > gate[20]


def test_a_gate_that_may_be_shut_costs_nothing() -> None:
    free, gated = queue(), queue(admission=True)
    assert gated.n_actions == 2 * free.n_actions
    assert solve(gated.mdp).initial.value > solve(free.mdp).initial.value


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (inventory, {"capacity": 0}, "capacity must be a whole number >= 1, not 0"),
        (inventory, {"demand": (0.5, 0.6)}, "demand must be probabilities >= 0 that sum to 1"),
        (inventory, {"fixed_cost": -1}, "fixed_cost must be a finite number >= 0, not -1"),
        (inventory, {"price": "high"}, "price must be a finite number, not 'high'"),
        (inventory, {"products": 4, "capacity": 9}, "lower capacity or products"),
        (queue, {"arrival": 1.1}, "arrival must be a finite number from 0 to 1"),
        (queue, {"rates": (0.1, 0.2)}, "rates and rate_costs must be equally many"),
        (queue, {"rates": 0.5}, r"rates must be a list, as in \[1, 2\], not 0.5"),
        (queue, {"rate_costs": 1}, "rate_costs must be a list"),
        (queue, {"rates": (), "rate_costs": ()}, "rates and rate_costs must be equally many, at least one"),
        (queue, {"rates": (2,), "rate_costs": (0,)}, "rates must be a finite number from 0 to 1, not 2"),
        (queue, {"admission": "open"}, "admission must be True or False, not 'open'"),
    ],
)
def test_bad_options(make: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)
