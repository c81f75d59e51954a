"""Probe environments with known values, one per thing that can go wrong."""

from collections.abc import Iterator
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlkit.agents import agent
from rlkit.nn import devices


class Constant(gym.Env[int, int]):
    """One state, reward 1 for ever: its value is 1 / (1 - gamma), whatever time limit cuts it up."""

    observation_space = spaces.Discrete(1)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, 1.0, False, False, {}


class Ragged(gym.Env[Any, int]):
    """Episodes of random length that end by themselves or by a limit of 6, and count every step taken.

    The observation is (episode, time, last action); each state forbids one action, named in the info.
    """

    observation_space = spaces.Box(-1, 1e6, (3,), np.float32)
    action_space = spaces.Discrete(3)
    steps_taken: ClassVar[int] = 0

    def __init__(self) -> None:
        self.episode = -1

    def observe(self, action: int) -> tuple[Any, dict[str, Any]]:
        self.mask = np.arange(3) != (self.episode + self.time) % 3
        return np.array([self.episode, self.time, action], np.float32), {"action_mask": self.mask}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode += 1
        self.time = 0
        return self.observe(-1)

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        Ragged.steps_taken += 1
        assert self.mask[action], "an illegal action was taken"
        self.time += 1
        obs, info = self.observe(int(action))
        terminated = bool(self.np_random.random() < 0.2)
        return obs, float(self.time + 10 * action), terminated, self.time >= 6, info


class OnlyLegal(gym.Env[int, int]):
    """One step; the forbidden action pays most, and only the best legal one is worth 1."""

    observation_space = spaces.Discrete(1)
    action_space = spaces.Discrete(3, start=5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {"action_mask": np.array([0, 1, 1], np.int8)}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert action in (6, 7), "an illegal action was taken"
        return 0, {6: 1.0, 7: 0.0}[int(action)], True, False, {"action_mask": np.array([0, 1, 1], np.int8)}


class Broken(Constant):
    """Observations become NaN after 20 steps."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return np.array([0, np.nan if self.time == 20 else 0], np.float32), 1.0, False, False, {}


PROBES = {
    "probe/Constant-v0": (Constant, 5),
    "probe/Ragged-v0": (Ragged, None),
    "probe/OnlyLegal-v0": (OnlyLegal, None),
    "probe/Broken-v0": (Broken, None),
}


@pytest.fixture(autouse=True, scope="session")
def _probes() -> None:
    torch.set_num_threads(1)
    for id, (entry_point, limit) in PROBES.items():
        gym.register(id, entry_point=entry_point, max_episode_steps=limit)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents compute there unless a test names a GPU: numbers are compared to the last digit."""
    choose = devices.choose_device
    monkeypatch.setattr(agent, "choose_device", lambda name: choose("cpu" if name == "auto" else name))


@pytest.fixture(autouse=True)
def _forget_scripted() -> Iterator[None]:
    yield
    gym.registry.pop("Says-v0", None)
