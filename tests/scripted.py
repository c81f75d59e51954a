"""Environments that say what a test tells them to."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode


class Says(gym.Env[Any, Any]):
    """Episodes of `length` steps, each paying 1; functions of (environment, action) change what it says."""

    def __init__(
        self,
        space: spaces.Space[Any] | None = None,
        actions: spaces.Space[Any] | None = None,
        *,
        length: int = 5,
        obs: Callable[["Says"], Any] = lambda env: np.zeros(1, np.float32),
        reward: Callable[["Says", Any], Any] = lambda env, action: 1.0,
        info: Callable[["Says"], dict[str, Any]] = lambda env: {},
    ) -> None:
        self.observation_space = space or spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = actions or spaces.Discrete(2)
        self.length, self.obs, self.reward, self.info = length, obs, reward, info
        self.total = self.time = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self.obs(self), self.info(self)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self.time += 1
        self.total += 1
        return self.obs(self), self.reward(self, action), self.time >= self.length, False, self.info(self)


def entered(**kwargs: Any) -> str:
    gym.register("Says-v0", entry_point=lambda: Says(**kwargs))
    return "Says-v0"


class Vector(gym.vector.VectorEnv[Any, Any, Any]):
    """Two environments that say what they are told to."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    single_observation_space, single_action_space = spaces.Discrete(5), spaces.Discrete(2)
    num_envs = 2

    def __init__(self, **says: Any) -> None:
        never, over = [False, False], [False, True]
        good = {"obs": [1, 2], "reward": [0.0, 0.0], "terminated": over, "truncated": never}
        self.says = good | says

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.array([1, 2]), {}

    def step(self, actions: Any) -> Any:
        return *map(np.array, self.says.values()), {}
