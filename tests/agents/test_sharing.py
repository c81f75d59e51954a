"""Training on an environment that others step too, that fails, or that is of another library."""

from itertools import count
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import ArrayConversion, NumpyToTorch
from scripted import Says, Vector, entered

from rlkit.agents import (
    DQN,
    PPO,
    Agent,
    EnvironmentFault,
    PPOConfig,
    QLearning,
    UnsupportedError,
)
from rlkit.envs import make_torch
from rlkit.experience.evaluation import evaluate_on

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*WARN:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*WARN:DeprecationWarning"),
]


def test_training_restarts_cleanly_where_others_stepped_the_environment() -> None:
    env = SyncVectorEnv([lambda: Says(length=10)] * 2)
    for agent in (
        PPO(env, rollout_steps=8),
        QLearning(SyncVectorEnv([lambda: Says(spaces.Discrete(1), length=10, obs=lambda env: 0)] * 2)),
    ):
        agent.train(14)
        evaluate_on(agent.policy, agent.source.given, episodes=2, seed=0, stochastic=False)
        agent.train(60)
        agent.source.given.reset(seed=3)
        agent.train(60)
        assert set(agent.stepper.finished) == {(10.0, 10)}


@pytest.mark.filterwarnings("ignore::rlkit.agents.NothingLearned")  # in the first steps
def test_two_agents_may_share_an_environment() -> None:
    env = SyncVectorEnv([lambda: Says(length=10)] * 2)
    first, second = DQN(env, learning_starts=20, train_every=4), PPO(env, rollout_steps=8)
    for _ in range(3):
        first.train(14)
        second.train(14)
    assert set(first.stepper.finished) | set(second.stepper.finished) <= {(10.0, 10)}
    rows = first.experience.replay.obs.shape[0]
    joined = [
        r
        for r in range(rows)
        if first.experience.replay.start[r] and first.experience.replay.reset[(r + 2) % rows]
    ]
    assert not [
        r
        for r in joined
        if first.experience.replay.discount[r] and first.experience.replay.start[(r + 2) % rows]
    ]


def test_a_callback_may_evaluate_on_the_training_environment() -> None:
    env = SyncVectorEnv([lambda: Says(length=10)] * 2)
    agent = PPO(env, rollout_steps=8)

    def evaluated(learning: Agent, metrics: dict[str, float]) -> None:
        evaluate_on(learning.policy, env, episodes=2, seed=0, stochastic=False)

    agent.train(64, callback=evaluated)
    assert set(agent.stepper.finished) <= {(10.0, 10)}
    assert agent.steps == 64


def test_training_restarts_cleanly_after_an_error() -> None:
    steps = count()
    env_id = entered(length=10, reward=lambda env, action: 1 / (next(steps) != 33))
    agent = PPO(env_id, num_envs=2, rollout_steps=8)
    with pytest.raises(EnvironmentFault, match="ZeroDivisionError"):
        agent.train(64)
    agent.train(64)
    assert set(agent.stepper.finished) == {(10.0, 10)}


# Time limits


def test_a_time_limit_within_the_entry_point_cuts_nothing_earlier() -> None:
    gym.register("Says-v0", entry_point=lambda: TimeLimit(Says(length=10**9), 1500))
    found = PPO("Says-v0").evaluate(2)
    assert (found.mean_return, found.cut) == (1500.0, 0)


# Other libraries' arrays


def test_tensors_of_other_environments_are_read() -> None:
    returned: list[Any] = []
    for wrap in (lambda env: env, NumpyToTorch):
        env = gym.make_vec("CartPole-v1", 4, vectorization_mode="sync")
        returned.append(list(PPO(wrap(env), config=PPOConfig()).train(512).stepper.finished))
    assert returned[0] == returned[1] != []
    own = make_torch("rlkit/Exam-v0", 4, "cpu")
    arrays = ArrayConversion(make_torch("rlkit/Exam-v0", 4, "cpu"), torch, np)
    found = [PPO(env, config=PPOConfig()).train(512).stepper.finished for env in (own, arrays)]
    assert list(found[0]) == list(found[1]) != []


class Named(Says):
    """Its own names for its own things, which are none of rlkit's."""

    device, model, P, envs, s = "arm", "resnet", "power", 3, "speed"

    def get_state(self) -> str:
        return "solid"


class NamedVector(Vector):
    device, model, P, envs, s, held, max_episode_steps = "arm", "resnet", "power", 3, "speed", 4, "long"

    def get_state(self) -> str:
        return "solid"


def test_names_of_an_environments_own_mean_nothing(tmp_path: Any) -> None:
    for env in (SyncVectorEnv([Named] * 2), NamedVector()):
        agent = PPO(env).train(64)
        agent.save(tmp_path / type(env).__name__)
        assert agent.steps == 64


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_environment_that_is_wrapped_within_has_no_id(mode: str) -> None:
    def tripled(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        return gym.wrappers.TransformReward(env, lambda reward: 3 * reward)

    env = gym.make_vec("FrozenLake-v1", 2, vectorization_mode=mode, wrappers=[tripled])
    agent = QLearning(env)
    assert agent.env_id is None
    with pytest.raises(UnsupportedError, match="without an id, or a wrapped one"):
        agent.evaluate(2)
    env.close()
