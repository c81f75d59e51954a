"""Masks: those of Gymnasium's SyncVectorEnv over scalar environments, and what can be sampled from them."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rlkit.envs import make_torch

OPTIONS = {
    "rlkit/Gambler-v0": {},
    "rlkit/Inventory-v0": {},
    "rlkit/Taxi-v0": {"masked": True},
    "rlkit/TicTacToe-v0": {"first": "random"},
    "rlkit/ConnectFour-v0": {},
    "rlkit/Othello6x6-v0": {"size": 4},
    "rlkit/Go5x5-v0": {},
    "rlkit/Go9x9-v0": {"sticky": 0.1},
}
SIZE, LIMIT, STEPS = 5, 9, 60


@pytest.fixture(params=OPTIONS)
def id(request: pytest.FixtureRequest) -> Any:
    return request.param


def sync(id: Any, mode: Any) -> Any:
    return SyncVectorEnv(
        [lambda: gym.make(id, max_episode_steps=LIMIT, **OPTIONS[id])] * SIZE, autoreset_mode=mode
    )


def own(id: Any, mode: Any) -> Any:
    return gym.make_vec(
        id,
        SIZE,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        max_episode_steps=LIMIT,
        **OPTIONS[id],
    )


def assert_told_alike(theirs: Any, ours: Any) -> None:
    """The same names and flags, and the same wherever the flags hold."""
    assert set(theirs) == set(ours)
    for name, value in theirs.items():
        if name.startswith("_"):
            assert np.array_equal(value, ours[name]), name
        elif isinstance(value, dict):
            assert_told_alike(value, ours[name])
        else:
            for i in np.flatnonzero(theirs[f"_{name}"]):
                assert np.array_equal(value[i], ours[name][i]), (name, i)
                assert np.asarray(value[i]).dtype == np.asarray(ours[name][i]).dtype


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_infos_are_those_of_gymnasiums_vectors(id: Any, mode: Any) -> None:
    theirs, ours = sync(id, mode), own(id, mode)
    rng = np.random.default_rng(0)
    told = [env.reset(seed=7) for env in (theirs, ours)]
    assert_told_alike(told[0][1], told[1][1])
    ours.action_space.seed(0)
    ends = 0
    for _ in range(STEPS):
        action = ours.action_space.sample()
        before, after = theirs.step(action), ours.step(action)
        for one, other in zip(before[:4], after[:4], strict=True):
            assert np.array_equal(one, other)
        assert_told_alike(before[4], after[4])
        done = before[2] | before[3]
        ends += done.sum()
        if mode is AutoresetMode.DISABLED and (done.any() or rng.random() < 0.2):
            mask = done | (rng.random(SIZE) < rng.choice([0.0, 0.5, 1.0]))
            mask[rng.integers(SIZE)] |= not mask.any()
            how = {"seed": [None, 3, 50][rng.integers(3)]}
            fresh = [env.reset(options={"reset_mask": mask.copy()}, **how) for env in (theirs, ours)]
            assert np.array_equal(fresh[0][0], fresh[1][0])
            assert_told_alike(fresh[0][1], fresh[1][1])
    assert ends > SIZE


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_row_of_every_mask_can_be_sampled_from(id: Any, mode: Any) -> None:
    """Also after the end: a network's logits without any legal action are no distribution."""
    batches = (
        own(id, mode),
        make_torch(id, SIZE, "cpu", autoreset_mode=mode, max_episode_steps=LIMIT, **OPTIONS[id]),
    )
    ended = False
    for batch in batches:
        _, info = batch.reset(seed=0)
        rng = np.random.default_rng(1)
        for _ in range(30):
            mask = np.asarray(info["action_mask"])
            assert mask.any(axis=1).all()
            assert np.asarray(batch.unwrapped.action_masks()).any(axis=1).all()
            action = (rng.random(mask.shape) * mask).argmax(axis=1)
            _, _, terminated, truncated, info = batch.step(
                torch.as_tensor(action) if batch is batches[1] else action
            )
            over = terminated | truncated
            ended |= bool(over.any())
            if mode is AutoresetMode.SAME_STEP and over.any():
                assert np.asarray(info["final_info"]["action_mask"]).any(axis=1).all()
            if mode is AutoresetMode.DISABLED and over.any():
                assert np.asarray(info["action_mask"]).any(axis=1).all()
                info = batch.reset(options={"reset_mask": over})[1]
    assert ended


def test_the_scalar_mask_after_the_end_can_be_sampled_from(id: Any) -> None:
    env = gym.make(id, **OPTIONS[id])
    env.reset(seed=0)
    env.action_space.seed(0)
    over = False
    while not over:
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        over = terminated or truncated
    assert info["action_mask"].any()
    assert env.unwrapped.action_masks().any()
    assert env.action_space.contains(env.action_space.sample(info["action_mask"]))


def test_seeding_the_action_space_keeps_what_is_legal(id: Any) -> None:
    """In any state; and what is drawn next may be done at the start, too, wherever that can be."""
    env = gym.make(id, **OPTIONS[id])
    _, info = env.reset(seed=1)
    for seed in range(60):
        env.action_space.seed(seed)
        again = copy.deepcopy(env.action_space)
        again.seed(seed)
        action = env.action_space.sample()
        assert info["action_mask"][action]
        assert again.sample() == action
        *_, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            _, info = env.reset()
