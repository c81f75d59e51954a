"""TorchRL's GymEnv takes rlkit's ids, and its ActionMask reads what is legal."""

import multiprocessing
from typing import Any

import pytest
import torch
from client_ids import MADE, MASKED

before = multiprocessing.get_start_method(allow_none=True)
torchrl = pytest.importorskip("torchrl.envs")
data = pytest.importorskip("torchrl.data")
utils = pytest.importorskip("torchrl.envs.utils")
multiprocessing.set_start_method(before, force=True)  # importing TorchRL has made it spawn


@pytest.mark.parametrize("id", MADE)
def test_specifications_hold(id: Any) -> None:
    chosen = {"illegal": "lose"} if id in MASKED else {}
    env = torchrl.GymEnv(id, categorical_action_encoding=True, **chosen)
    utils.check_env_specs(env)
    assert len(env.rollout(20, break_when_any_done=False)) == 20


@pytest.mark.parametrize("id", MASKED)
def test_its_action_mask_keeps_to_what_is_legal(id: Any) -> None:
    env = torchrl.GymEnv(id, categorical_action_encoding=True)
    mask = data.Composite(action_mask=data.Binary(env.action_spec.space.n, dtype=torch.bool), shape=[])
    env.set_info_dict_reader(torchrl.default_info_dict_reader(["action_mask"], spec=mask))
    env = torchrl.TransformedEnv(env, torchrl.ActionMask())
    assert len(env.rollout(40, break_when_any_done=False)) == 40
