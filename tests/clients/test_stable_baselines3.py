"""Stable-Baselines3 and sb3-contrib learn on rlkit's ids; its checker sees all of them in tests/contract."""

from typing import Any

import pytest
from client_ids import MADE, MASKED, ONE_OF_EACH_KIND
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

FEW = {"n_steps": 16, "batch_size": 32, "n_epochs": 1, "device": "cpu"}


@pytest.mark.parametrize("id", ONE_OF_EACH_KIND)
def test_ppo_learns_on_every_kind_of_observation(id: Any) -> None:
    envs = make_vec_env(id, 2, seed=0, env_kwargs={"illegal": "random"} if id in MASKED else {})
    several = isinstance(MADE[id].observation_space, spaces.Dict)
    model = PPO("MultiInputPolicy" if several else "MlpPolicy", envs, **FEW).learn(32)
    action, _ = model.predict(envs.reset(), deterministic=True)
    envs.step(action)
    assert model.num_timesteps == 32


@pytest.mark.parametrize("id", MASKED)
def test_maskable_ppo_reads_what_is_legal(id: Any) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    masking = pytest.importorskip("sb3_contrib.common.maskable.utils")
    envs = make_vec_env(id, 2, seed=0)
    assert masking.is_masking_supported(envs)
    contrib.MaskablePPO("MlpPolicy", envs, **FEW).learn(32)  # an action that is not legal is an error
