"""Indicators in a Box of bytes, which other programs take, and the same in MultiBinary."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecFrameStack

import rlkit
from rlkit.agents import AGENTS
from rlkit.envs import make_torch
from rlkit.envs.options import OptionError
from rlkit.nn import Encoder, grid_of

OPTIONS = {
    "rlkit/DoorKey5x5-v0": {},
    "rlkit/PushBox-v0": {},
    "rlkit/Empty8x8-v0": {"observation": "grid-one-hot", "frame_stack": 2, "time_aware": 30},
    "rlkit/TicTacToe-v0": {"illegal": "random"},
    "rlkit/Othello6x6-v0": {"illegal": "lose"},
    "rlkit/Go5x5-v0": {"illegal": "random", "sticky": 0.1},
}


@pytest.fixture(params=OPTIONS)
def id(request: pytest.FixtureRequest) -> Any:
    return request.param


def leaves(value: Any) -> Any:
    """The parts of an observation, or of its space, by name."""
    if isinstance(value, dict | spaces.Dict):
        return {f"{name}.{key}": x for name in value for key, x in leaves(value[name]).items()}
    return {"": value}


def test_both_spaces_hold_the_same_numbers_in_every_interface(id: Any) -> None:
    made = [
        (
            gym.make(id, **OPTIONS[id], **more),
            gym.make_vec(id, 3, vectorization_mode="vector_entry_point", **OPTIONS[id], **more),
            make_torch(id, 3, "cpu", **OPTIONS[id], **more),
        )
        for more in ({}, {"multi_binary": True})
    ]
    kinds = [leaves(scalar.observation_space) for scalar, _, _ in made]
    binary = [name for name, space in kinds[1].items() if isinstance(space, spaces.MultiBinary)]
    assert binary
    for name in kinds[0]:
        assert kinds[0][name] == (
            spaces.Box(0, 1, kinds[1][name].shape, np.uint8) if name in binary else kinds[1][name]
        )
    rng = np.random.default_rng(0)
    seen = [[env.reset(seed=4)[0] for env in envs] for envs in made]
    for _ in range(20):
        for box, other in zip(*seen, strict=True):
            for name, part in leaves(box).items():
                assert np.array_equal(part, leaves(other)[name])
                if name in binary:
                    assert str(part.dtype).endswith("uint8")
                    assert not str(leaves(other)[name].dtype).endswith("uint8")
        action = rng.integers(made[0][0].action_space.n, size=3)
        given = int(action[0]), action, torch.as_tensor(action)
        told = [[env.step(a) for env, a in zip(envs, given, strict=True)] for envs in made]
        seen = [[step[0] for step in steps] for steps in told]
        if told[0][0][2] or told[0][0][3]:
            for envs, observations in zip(made, seen, strict=True):
                observations[0] = envs[0].reset()[0]


# SB3 warns of whatever has three axes and is not bytes of the full range; it does not read it as a picture.
@pytest.mark.filterwarnings(
    "ignore:It seems that your observation", "ignore:The minimal resolution", "ignore:Your observation"
)
@pytest.mark.parametrize("more", [{}, {"multi_binary": True}])
def test_checkers_take_both(id: Any, more: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = gym.make(id, render_mode="rgb_array", **OPTIONS[id], **more)
    check_env(env.unwrapped)
    sb3_check_env(env)
    rlkit.check_env(env, steps=50)
    assert not any(is_image_space(space) for space in leaves(env.observation_space).values())


def test_stable_baselines3_stacks_frames() -> None:
    envs = make_vec_env("rlkit/TicTacToe-v0", 2, env_kwargs={"illegal": "random"})
    stacked = VecFrameStack(envs, 3, channels_order="first")
    assert stacked.observation_space.shape == (6, 3, 3)
    PPO("MlpPolicy", stacked, n_steps=16, batch_size=16, n_epochs=1, device="cpu").learn(32)


def test_networks_read_both_alike(id: Any) -> None:
    box, binary = (
        gym.make(id, **OPTIONS[id], **more).observation_space for more in ({}, {"multi_binary": True})
    )
    for one, other in zip(leaves(box).values(), leaves(binary).values(), strict=True):
        assert grid_of(one) == grid_of(other)
    env = gym.make(id, **OPTIONS[id])
    one, other = Encoder(box), Encoder(binary)
    seen = env.reset(seed=0)[0]
    assert torch.equal(*(e(torch.as_tensor(e.pack_one(seen))[None]) for e in (one, other)))


def test_a_table_reads_integers_of_a_box() -> None:
    agent = AGENTS["q_learning"]("rlkit/TicTacToe-v0").train(10_000)
    assert agent.network.q.shape == (2**18, 9)
    assert agent.evaluate(20).mean_return > -1
    with pytest.raises(rlkit.errors.RlkitError, match="too many for a table"):
        AGENTS["q_learning"]("rlkit/ConnectFour-v0")
    with pytest.raises(rlkit.errors.RlkitError, match="too many for a table"):
        AGENTS["q_learning"](
            gym.make_vec(
                "rlkit/DoorKey5x5-v0", 2, vectorization_mode="vector_entry_point", observation="pixels"
            )
        )


def test_only_indicators_can_be_multi_binary() -> None:
    with pytest.raises(OptionError, match="multi_binary needs an observation of indicators"):
        gym.make("rlkit/FrozenLake-v0", multi_binary=True)
    with pytest.raises(OptionError, match="multi_binary must be True or False"):
        gym.make("rlkit/TicTacToe-v0", multi_binary=1)
