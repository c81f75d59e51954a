"""Every seed of rlkit's fits into the 32 bits with a sign in which some environments keep theirs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from rlkit.agents import PPO, QLearning
from rlkit.agents.seeds import stream
from rlkit.check import check_env, check_vector_env
from rlkit.envs.foreign import SEEDS, seed_of
from rlkit.films import film, random_policy


class Narrow(gym.Env):
    """Keeps its seed in an int32, as ale-py does."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(2)
    render_mode = "rgb_array"

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        if seed is not None:
            self.seed = np.int32(seed)
        return 0, {}

    def step(self, action: Any) -> Any:
        return 0, float(action), bool(self.np_random.random() < 0.2), False, {}

    def render(self) -> Any:
        return np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def narrow() -> Iterator[Any]:
    gym.register("Narrow-v0", Narrow, max_episode_steps=10)
    yield "Narrow-v0"
    gym.registry.pop("Narrow-v0")


def large(name: Any) -> Any:
    """A seed of an agent whose `name` stream, as it is, fits into no int32."""
    return next(seed for seed in range(99) if stream(seed, name) >= SEEDS)


def test_training_resuming_and_evaluating(narrow: Any, tmp_path: Path) -> None:
    agent = PPO(narrow, seed=large("environment"), num_envs=4, rollout_steps=8).train(64)
    agent.evaluate(4, seed=2**62)
    other = PPO(narrow, seed=large("resume"), num_envs=4, rollout_steps=8).train(64)
    other.save(tmp_path)
    with pytest.warns(UserWarning, match="start over"):
        PPO.load(tmp_path).train(64)
    QLearning(narrow, seed=large("environment")).train(64)


@pytest.mark.parametrize("seed", [SEEDS, 2**40])
def test_filming_and_checking(narrow: Any, seed: int) -> None:
    env = gym.make(narrow)
    assert film(env, random_policy(env, seed), seed=seed)
    check_env(env, steps=50, seed=seed)
    check_vector_env(gym.make_vec(narrow, 4), steps=20, seed=seed - 2)


@pytest.mark.parametrize("seed", [0, SEEDS - 3, SEEDS - 1, 2**62])
def test_a_batch_has_room_for_the_seed_of_each_environment(narrow: Any, seed: int) -> None:
    envs = gym.make_vec(narrow, 3)
    assert 0 <= seed_of(seed, envs) <= SEEDS - 1 - 3
    envs.reset(seed=seed_of(seed, envs))


def test_seeds_of_our_own_environments_are_kept() -> None:
    given = 2**62
    for env in (gym.make("rlkit/Exam-v0"), gym.make_vec("rlkit/Exam-v0", 3)):
        assert seed_of(given, env) == given
