"""What every registered environment must do; a new entry gets these tests for nothing."""

import copy
import pickle
from functools import cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import rlkit
from rlkit.envs import ModelEnv, make_torch
from rlkit.envs.suite import ENTRIES

IDS = [entry.id for entry in ENTRIES if not entry.needs]
MODES = ("NextStep", "SameStep", "Disabled")
SIZE, STEPS, LIMIT = 4, 40, 12


@pytest.fixture(params=IDS)
def id(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setitem(ModelEnv.metadata, "render_fps", 1000)


def leaves(value: Any) -> Any:
    """The arrays of an observation, whatever holds them and whichever library they are of."""
    if isinstance(value, dict):
        return [leaf for name in sorted(value) for leaf in leaves(value[name])]
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [np.asarray(value)]


def at(value: Any, i: Any) -> Any:
    """Row i of a batch of observations."""
    return [leaf[i] for leaf in leaves(value)]


def alike(a: Any, b: Any) -> Any:
    return all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def act(space: Any, info: Any, rng: Any) -> Any:
    """A random legal action, the same for the same mask and generator."""
    mask = info.get("action_mask")
    if mask is None:
        return (
            np.asarray(space.sample())
            if not isinstance(space, gym.spaces.Discrete)
            else rng.integers(space.n)
        )
    return int((rng.random(len(mask)) * (np.asarray(mask) > 0)).argmax())


def test_gymnasiums_checker(id: Any) -> None:
    check_env(gym.make(id, render_mode="rgb_array").unwrapped)


# It warns of three axes that are no picture, as those of indicators are: tests/envs/test_indicators.py.
@pytest.mark.filterwarnings("ignore:It seems that your observation", "ignore:The minimal resolution")
def test_stable_baselines3s_checker(id: Any) -> None:
    sb3_check_env(gym.make(id), warn=True)


def test_rlkits_checkers(id: Any) -> None:
    env = gym.make(id)
    rlkit.check_env(env, steps=300)
    rlkit.check_model(env.unwrapped.model, steps=30)
    for mode in MODES:
        batch = gym.make_vec(id, num_envs=4, vectorization_mode="vector_entry_point", autoreset_mode=mode)
        rlkit.check_vector_env(batch, steps=60)


def test_pickles_and_copies_go_on_alike(id: Any) -> None:
    env = gym.make(id)
    env.reset(seed=3)
    if any(env.step(env.action_space.sample())[2:4]):
        env.reset()
    twins = [env, copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    traces = []
    for twin in twins:
        rng = np.random.default_rng(0)
        twin.action_space.seed(0)
        trace, info = [], {}
        if twin.unwrapped.model.masked:
            info = {"action_mask": twin.unwrapped.action_masks()}
        for _ in range(40):
            step = twin.step(act(twin.action_space, info, rng))
            info = step[-1]
            trace.append((*leaves(step[0]), *step[1:4]))
            if step[2] or step[3]:
                info = twin.reset()[1]
        traces.append(trace)
    for other in traces[1:]:
        assert all(alike(a, b) for a, b in zip(traces[0], other, strict=True))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vectors(id: Any, mode: str) -> None:
    envs = gym.make_vec(id, num_envs=3, vectorization_mode=mode)
    own = gym.make_vec(id, num_envs=3, vectorization_mode="vector_entry_point")
    try:
        assert alike(envs.reset(seed=5)[0], own.reset(seed=5)[0])
        own.action_space.seed(0)
        for _ in range(40):
            action = own.action_space.sample()
            theirs, ours = envs.step(action), own.step(action)
            assert all(alike(a, b) for a, b in zip(theirs[:4], ours[:4], strict=True))
    finally:
        envs.close()


@cache
def scalar_episodes(id: Any, seed: Any, steps: Any) -> Any:
    """(observation, action taken there, reward, terminated, truncated) of one environment, step by step."""
    env = gym.make(id, max_episode_steps=LIMIT)
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    trace: list[Any] = []
    while len(trace) < steps:
        action = act(env.action_space, info, rng)
        after, reward, terminated, truncated, info = env.step(action)
        trace.append((observation, action, reward, terminated, truncated, after))
        observation = after
        if terminated or truncated:
            observation, info = env.reset()
    return trace


def check_replay(env: Any, traces: Any, mode: Any) -> None:
    """Take the actions of the traces in a batch and compare everything it says."""
    first = np.array([0] * SIZE)
    obs, _ = env.reset(seed=11)
    over = np.zeros(SIZE, dtype=bool)
    zero = np.zeros_like(np.asarray(traces[0][0][1]))
    while (first < STEPS).all():
        for i in range(SIZE):
            if not over[i]:
                assert alike(tuple(at(obs, i)), tuple(leaves(traces[i][first[i]][0])))
        actions = [zero if over[i] else traces[i][first[i]][1] for i in range(SIZE)]
        obs, reward, terminated, truncated, info = env.step(np.array(actions))
        done = np.asarray(terminated) | np.asarray(truncated)
        for i in np.flatnonzero(~over):
            _, _, expected, ended, cut, after = traces[i][first[i]]
            assert float(reward[i]) == np.asarray(expected, dtype=np.asarray(reward).dtype)
            assert (bool(terminated[i]), bool(truncated[i])) == (ended, cut)
            if mode == "SameStep" and done[i]:
                final = info["final_obs"]
                listed = isinstance(final, np.ndarray) and final.dtype == np.dtype(object)
                last = leaves(final[i]) if listed else at(final, i)
                assert alike(tuple(last), tuple(leaves(after)))
            first[i] += 1
        if mode == "NextStep":
            over = done
        elif mode == "Disabled" and done.any():
            obs, _ = env.reset(
                options={"reset_mask": torch.as_tensor(done) if torch.is_tensor(reward) else done}
            )


@pytest.mark.parametrize("mode", MODES)
def test_scalar_vector_and_torch_give_the_same_episodes(id: Any, mode: Any) -> None:
    traces = [scalar_episodes(id, 11 + i, STEPS) for i in range(SIZE)]
    batch = gym.make_vec(
        id,
        num_envs=SIZE,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        max_episode_steps=LIMIT,
    )
    check_replay(batch, traces, mode)
    check_replay(make_torch(id, SIZE, "cpu", autoreset_mode=mode, max_episode_steps=LIMIT), traces, mode)
