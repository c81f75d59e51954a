"""Environments of others: a table P is used where it is one, and no name of theirs is taken for ours."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import rlkit
from rlkit.agents import QLearning
from rlkit.catalogue import describe, layout
from rlkit.core import ModelError, NoExactModel
from rlkit.envs.foreign import table_of
from rlkit.evaluate import grade, grade_record
from rlkit.solvers import solve

TABLE = {
    0: {0: [(1.0, 1, 1.0, True)], 1: [(0.5, 0, 0.0, False), (0.5, 1, 0.5, True)]},
    1: {0: [(1.0, 1, 0.0, True)], 1: [(1.0, 1, 0.0, True)]},
}


class Bandit(gym.Env):
    """Goes by `TABLE`; whatever names it is given are its own."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

    def __init__(self, **names: Any) -> None:
        self.P, self.initial_state_distrib = TABLE, np.array([1.0, 0.0])
        vars(self).update(names)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: Any) -> Any:
        outcomes = TABLE[0][int(action)]
        _, successor, reward, over = outcomes[self.np_random.integers(len(outcomes))]
        return successor, reward, over, False, {}


def registered(**names: Any) -> Any:
    gym.registry.pop("Bandit-v0", None)
    gym.register("Bandit-v0", lambda: Bandit(**names), max_episode_steps=10)
    return "Bandit-v0"


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        [list(by_action.values()) for by_action in TABLE.values()],
        {np.int64(s): {np.int64(a): tuple(x) for a, x in b.items()} for s, b in TABLE.items()},
    ],
)
def test_a_table_of_dicts_or_lists_is_one(table: Any) -> None:
    mdp = rlkit.exact(registered(P=table))
    assert solve(mdp, gamma=1.0).initial.value == 1
    assert mdp.n_choices == 2


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"P": np.full((2, 2, 2), 0.5)}, "the table must map the numbers of states, or list them, not array"),
        ({"P": "resnet"}, "or list them, not 'resnet'"),
        ({"P": None}, "or list them, not None"),
        ({"P": {"left": TABLE[0], "right": TABLE[1]}}, "the table has 'left' among its states"),
        ({"P": {1: TABLE[1], 2: TABLE[1]}}, "its states|numbered from 0"),
        ({"P": {0: TABLE[0]}}, "state 0, action 0 of the table leads to state 1, but states are"),
        ({"P": {0: {2: [(1.0, 0, 0.0, True)]}}, "initial_state_distrib": [1.0]}, "has an action 2"),
        (
            {"P": {0: TABLE[0], 1: {0: [(1.0, 1, 0.0, False)]}}},
            r"state 1 of the table has no action 1, which is in Discrete\(2\)",
        ),
        ({"P": [[[(1.0, 1, 0.0, True)]], []]}, "state 0 of the table has no action 1, which is in"),
        (
            {"P": {0: {a: [(1.0, 1, 0.0, False)] for a in (0, 1)}, 1: {}}},
            "state 1 of the table has no action 0",
        ),
        ({"P": {0: {0: [(1.0, 0, 0.0)]}}}, r"has the outcome \(1.0, 0, 0.0\), expected \(probability"),
        ({"P": {0: {0: [(1.0, 0, 0.0, True, {})]}}}, "expected .probability, successor, reward, terminated"),
        ({"P": {0: {0: [(1.0, (0, 0), 0.0, True)]}}}, "expected .probability, successor, reward, terminated"),
        ({"P": {0: {0: []}}}, "has no outcome"),
        ({"P": {0: {0: 0.5}}}, "must have a list of outcomes .*, not 0.5"),
        ({"initial_state_distrib": "uniform"}, "initial must hold real numbers"),
        ({"initial_state_distrib": [0.5, 0.25, 0.25]}, r"initial has shape \(3,\), expected \(2,\)"),
        ({"action_space": spaces.Discrete(2, start=1)}, "actions are not numbered from 0"),
    ],
)
def test_a_name_of_another_meaning_is_no_table(names: Any, reason: str) -> None:
    id = registered(**names)
    with pytest.raises(NoExactModel, match=f"Bandit-v0 has no exact model: .*({reason})"):
        rlkit.exact(id)
    record = grade_record(QLearning(id), episodes=3)
    assert record["exact"] is None
    assert "no exact model" in record["reason"]
    assert describe(id)["optimum"] is None


def test_where_an_episode_is_over_no_action_is_needed() -> None:
    mdp = rlkit.exact(registered(P={0: {a: [(1.0, 1, 2.0, True)] for a in (0, 1)}, 1: {}}))
    assert solve(mdp, gamma=1.0).initial.value == 2


def test_a_table_without_a_first_state() -> None:
    env = Bandit()
    del env.initial_state_distrib
    with pytest.raises(NoExactModel, match="it has a table P, but no initial_state_distrib"):
        table_of(env)


def test_a_table_that_says_something_impossible_is_an_error() -> None:
    id = registered(P={0: {a: [(0.7, 0, 0.0, True)] for a in (0, 1)}}, initial_state_distrib=[1.0])
    with pytest.raises(ModelError, match=r"sum to 0\.7"):
        rlkit.exact(id)
    assert describe(id)["optimum"] is None


@pytest.mark.parametrize("name", ["action_mask", "model", "desc", "shape", "s", "fickle_passenger"])
@pytest.mark.parametrize("value", ["resnet", np.ones(2, dtype=bool)], ids=["text", "array"])
def test_names_of_ours_are_theirs(name: str, value: Any) -> None:
    id = registered(**{name: value})
    assert grade(QLearning(id)).score.optimum == 1
    found = describe(id)
    assert (found["optimum"], found["actions"], found["action_names"]) == (1, 2, ["0", "1"])
    assert layout(id) is None
    rlkit.check_env(gym.make(id))


class Doubled(gym.RewardWrapper):
    def reward(self, reward: Any) -> Any:
        return 2 * reward


@pytest.mark.parametrize("id", ["FrozenLake-v1", "rlkit/FrozenLake-v0"])
def test_a_wrapper_may_change_what_a_table_says(id: str) -> None:
    """An id can stand for a wrapped environment, whose rewards are others."""
    gym.registry.pop("Doubled-v0", None)
    gym.register("Doubled-v0", lambda: Doubled(gym.make(id)))
    with pytest.raises(NoExactModel, match="Doubled may change what"):
        rlkit.exact("Doubled-v0")
    rlkit.check_env(Doubled(gym.make(id)), steps=300)
    watched = gym.wrappers.RecordEpisodeStatistics(gym.make("FrozenLake-v1"))
    assert table_of(watched).n_states == 16


@pytest.mark.parametrize(("mask", "graded"), [([1, 1], True), ([1, 0], False)])
def test_a_mask_that_contradicts_the_table_leaves_no_grade(mask: Any, graded: bool) -> None:
    class Masking(Bandit):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return super().reset(seed=seed)[0], {"action_mask": np.array(mask, dtype=np.int8)}

        def step(self, action: Any) -> Any:
            return *super().step(action)[:4], {"action_mask": np.array(mask, dtype=np.int8)}

    gym.registry.pop("Bandit-v0", None)
    gym.register("Bandit-v0", Masking, max_episode_steps=10)
    record = grade_record(QLearning("Bandit-v0"), episodes=3)
    assert (record["exact"] is not None) is graded
    assert graded or record["reason"] == "Bandit-v0 masks actions that its table P offers"


def test_a_time_limit_within_the_entry_point_is_that_of_the_grade() -> None:
    gym.registry.pop("Short-v0", None)
    gym.register("Short-v0", lambda: gym.wrappers.TimeLimit(gym.make("FrozenLake-v1").unwrapped, 7))
    found = grade(QLearning("Short-v0")).score
    optimum = solve(rlkit.exact("FrozenLake-v1"), gamma=1.0, horizon=7).initial.value
    assert (found.objective, found.optimum) == ("time-limited", optimum)
