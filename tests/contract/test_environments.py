"""What every registered environment must do; a new entry gets these tests for nothing."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import rlkit
from rlkit.core import TableModel
from rlkit.envs.suite import ENTRIES
from rlkit.solvers import solve

IDS = [entry.id for entry in ENTRIES if not entry.needs]


@pytest.fixture(params=IDS)
def id(request):
    return request.param


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def test_gymnasiums_checker(id):
    check_env(gym.make(id, render_mode="rgb_array").unwrapped)


def test_stable_baselines3s_checker(id):
    sb3_check_env(gym.make(id), warn=True)


def test_pickles_and_copies_go_on_alike(id):
    env = gym.make(id)
    env.reset(seed=3)
    env.step(0)
    twins = [env, copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    traces = []
    for twin in twins:
        rng = np.random.default_rng(0)
        trace = []
        for _ in range(40):
            if trace and (trace[-1][2] or trace[-1][3]):
                twin.reset()
            trace.append(twin.step(int(rng.integers(twin.action_space.n)))[:4])
        traces.append(trace)
    assert traces[0] == traces[1] == traces[2]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vectors(id, mode):
    envs = gym.make_vec(id, num_envs=3, vectorization_mode=mode)
    own = gym.make_vec(id, num_envs=3, vectorization_mode="vector_entry_point")
    try:
        assert (envs.reset(seed=5)[0] == own.reset(seed=5)[0]).all()
        for action in np.random.default_rng(0).integers(envs.single_action_space.n, size=(60, 3)):
            theirs, ours = envs.step(action), own.step(action)
            assert all((a == b).all() for a, b in zip(theirs[:4], ours[:4], strict=True))
    finally:
        envs.close()


def test_every_sampled_step_is_in_the_model(id):
    mdp = rlkit.exact(id)
    choice = TableModel(mdp).choice.reshape(mdp.n_states, -1)
    env = gym.make(id)
    seen = {(int(c), int(t)): set() for c in range(mdp.n_choices) for t in mdp.matrix[[c]].indices}
    for p in range(mdp.n_transitions):
        c = int(np.searchsorted(mdp.choice_ptr, p, side="right")) - 1
        reward = mdp.reward[c] if mdp.transition_reward is None else mdp.transition_reward[p]
        seen[c, int(mdp.successor[p])].add(float(reward))
    rng = np.random.default_rng(1)
    state, _ = env.reset(seed=1)
    assert mdp.initial[state] > 0
    for _ in range(300):
        action = int(rng.integers(mdp.n_actions))
        after, reward, terminated, truncated, _ = env.step(action)
        assert reward in seen[int(choice[state, action]), int(after)]
        assert terminated == mdp.terminal[after]
        state = env.reset()[0] if terminated or truncated else after


def test_reward_threshold_can_be_reached(id):
    threshold = gym.spec(id).reward_threshold
    assert threshold is None or threshold <= solve(rlkit.exact(id)).initial.value
