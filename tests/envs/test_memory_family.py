"""What holds of every task that asks for memory."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import rlkit  # noqa: F401
from rlkit.core import enumerate_pomdp
from rlkit.core.model import inverse_cdf, leaves
from rlkit.envs.adapters.gym import time_limit
from rlkit.envs.adapters.torch import TorchVectorEnv
from rlkit.envs.adapters.vector import ModelVectorEnv
from rlkit.envs.registry import build
from rlkit.envs.suite import FAMILIES
from rlkit.solvers import memory_gain


def limit_of(entry: Any) -> Any:
    """Steps after which its episodes are cut."""
    return time_limit(gym.make(entry.id))


@pytest.fixture(params=FAMILIES["memory"], ids=lambda entry: entry.id)
def entry(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_memory_buys_at_least_5_percent(entry: Any) -> None:
    pomdp = enumerate_pomdp(build(entry, entry.kwargs))
    gain = memory_gain(pomdp, horizon=limit_of(entry), max_nodes=10, starts=2)
    assert gain.random <= gain.memoryless + 1e-9
    assert gain.memoryless <= gain.with_memory.upper + 1e-9
    assert gain.with_memory.lower <= gain.full_information.upper + 1e-9
    assert gain.share >= 0.05


def test_torch_plays_the_same_episodes(entry: Any) -> None:
    model = build(entry, entry.kwargs)
    options = {"num_envs": 16, "max_episode_steps": limit_of(entry), "autoreset_mode": "SameStep"}
    ours, theirs = ModelVectorEnv(model, **options), TorchVectorEnv(model, device="cpu", **options)
    a, b = ours.reset(seed=7)[0], theirs.reset(seed=7)[0]
    rng = np.random.default_rng(0)
    assert ours.observation_space.contains(a)
    for _ in range(80):
        np.testing.assert_array_equal(a, b.numpy())
        assert a.dtype == ours.single_observation_space.dtype
        actions = rng.integers(model.n_actions, size=16)
        a, *ends, _ = ours.step(actions)
        b, *others, _ = theirs.step(torch.as_tensor(actions))
        assert ends[0].dtype == np.float64
        np.testing.assert_allclose(ends[0], others[0].numpy(), rtol=1e-6)
        for x, y in zip(ends[1:], others[1:], strict=True):
            np.testing.assert_array_equal(x, y.numpy())
    assert ours.observation_space.contains(a)


def test_events_are_drawn_as_their_probabilities_say(entry: Any) -> None:
    model = build(entry, entry.kwargs)
    u = (np.arange(3000) + 0.5) / 3000
    starts = model.start_event(u)
    np.testing.assert_array_equal(starts, inverse_cdf(model.start_probs()[None], u))
    state = model.initial(starts)
    for action in range(model.n_actions):
        actions = np.full(len(u), action)
        drawn = model.sample_event(state, actions, u)
        np.testing.assert_array_equal(drawn, inverse_cdf(model.event_probs(state, actions), u))


def test_nothing_fails_after_the_end(entry: Any) -> None:
    model = build(entry, entry.kwargs)
    rng = np.random.default_rng(0)
    state = model.initial(rng.integers(model.n_starts, size=50))
    for _ in range(2 * limit_of(entry)):
        before = [leaf.copy() for leaf in leaves(state)]
        actions, events = rng.integers(model.n_actions, size=50), rng.integers(model.n_events, size=50)
        step = model.transition(state, actions, events)
        assert all((x == y).all() for x, y in zip(before, leaves(state), strict=True))
        assert (step.reward.dtype, step.terminated.dtype) == (np.float64, np.bool_)
        state = step.state
        model.observe(state)


def test_every_task_is_drawn(entry: Any) -> None:
    env = gym.make(entry.id, render_mode="rgb_array")
    env.reset(seed=0)
    for action in (0, 1, 0):
        assert env.render().dtype == np.uint8
        env.step(action)
    assert env.unwrapped.model.text(env.unwrapped.model.initial(np.array([0])))
