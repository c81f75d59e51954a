"""Wrapped models: what changes, what does not, and that they stay exact."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rlkit
from rlkit.core import MDP, POMDP, TableModel, enumerate_model, from_successors
from rlkit.envs.grids.frozen_lake import frozen_lake
from rlkit.envs.options import OptionError
from rlkit.envs.wrappers import (
    FrameStack,
    ObservationNoise,
    RewardDelay,
    RewardNoise,
    StickyActions,
    TimeAware,
)
from rlkit.registry import RegistryError
from rlkit.solvers import belief_mdp, evaluate_policy, solve

OPTIONS = {
    "sticky": 0.25,
    "reward_noise": 0.5,
    "reward_delay": 3,
    "observation_noise": 0.2,
    "frame_stack": 2,
    "time_aware": 20,
}


def line() -> Any:
    """Go right from 0 to 3; every step pays its number, staying pays nothing."""
    return TableModel(
        from_successors(
            lambda s: {} if s == 3 else {"stay": [(1.0, s, 0.0)], "go": [(1.0, s + 1, float(s + 1))]},
            0,
            discount=0.9,
        )
    )


@pytest.mark.parametrize("option", OPTIONS)
def test_every_wrapper_keeps_the_interfaces_and_the_model_in_step(option: Any) -> None:
    env = gym.make("rlkit/FrozenLake-v0", **{option: OPTIONS[option]})
    rlkit.check_env(env)
    rlkit.check_model(env.unwrapped.model)
    batch = gym.make_vec(
        "rlkit/FrozenLake-v0", 4, vectorization_mode="vector_entry_point", **{option: OPTIONS[option]}
    )
    rlkit.check_vector_env(batch)


def test_wrappers_go_inside_each_other() -> None:
    env = gym.make("rlkit/FrozenLake-v0", sticky=0.1, reward_noise=1.0, frame_stack=2, render_mode="ansi")
    rlkit.check_env(env)
    assert env.observation_space == gym.spaces.MultiDiscrete([16, 16])
    assert "@" in env.render()


def test_sticky_actions_repeat_the_last_one_with_their_probability() -> None:
    model = StickyActions(frozen_lake(slip=0.0), 0.25)
    mdp = enumerate_model(model)
    start = int(np.argmax(mdp.initial))
    assert set(mdp.matrix[[mdp.state_ptr[start]]].data) == {1.0}  # nothing to repeat at first
    sizes = np.diff(mdp.choice_ptr)
    assert set(np.round(mdp.probability[np.repeat(sizes, sizes) == 2], 12)) == {0.25, 0.75}
    easy, sticky = (solve(m, horizon=6) for m in (enumerate_model(frozen_lake(slip=0.0)), mdp))
    assert easy.initial.value == 1.0
    assert sticky.initial.value == pytest.approx(0.75**2)  # right, right, down x 3, right: two turns


def test_a_sticky_action_that_is_not_legal_does_not_stick() -> None:
    masked = from_successors(
        lambda s: {
            "a": {"on": [(1.0, "b", 0.0)], "wait": [(1.0, "a", 0.0)]},
            "b": {"wait": [(1.0, "b", -1.0)], "off": [(1.0, "end", 1.0)]},
        }.get(s, {}),
        "a",
    )
    mdp = enumerate_model(StickyActions(TableModel(masked), 0.5))
    assert solve(mdp).initial.value == 1.0  # after `on`, which b does not offer, `off` is free of it


def test_reward_noise_has_no_mean() -> None:
    mdp = enumerate_model(RewardNoise(line(), 2.0))
    assert solve(mdp).initial.value == pytest.approx(solve(line().mdp).initial.value, abs=1e-12)
    assert sorted(set(mdp.transition_reward)) == [-2, -1, 0, 1, 2, 3, 4, 5]


def test_delayed_rewards_come_together() -> None:
    delayed = RewardDelay(line(), 2)
    mdp = enumerate_model(delayed)
    go = np.full(mdp.n_states, 1)
    value = mdp.expectation(evaluate_policy(mdp, go))
    assert value == pytest.approx(0.9 * (1 + 2) + 0.81 * 3)  # after two steps, and at the end
    assert delayed.partially_observable


def test_a_stack_shows_the_last_observations() -> None:
    env = gym.make("rlkit/FrozenLake-v0", slip=0.0, frame_stack=3)
    assert env.reset(seed=0)[0].tolist() == [0, 0, 0]
    assert env.step(2)[0].tolist() == [0, 0, 1]
    assert env.step(2)[0].tolist() == [0, 1, 2]
    assert env.step(1)[0].tolist() == [1, 2, 6]


def test_noise_hides_the_state_and_memory_helps() -> None:
    model = rlkit.exact("rlkit/GridWorld-v0", observation_noise=0.3, map="S.G/.H.", slip=0.0)
    assert isinstance(model, POMDP)
    seen = solve(model.mdp, horizon=6).initial.value
    remembered = solve(belief_mdp(model, horizon=6).mdp, horizon=6).initial.value
    assert remembered <= seen + 1e-12
    clear = rlkit.exact("rlkit/GridWorld-v0", map="S.G/.H.", slip=0.0)
    assert isinstance(clear, MDP)
    assert seen == pytest.approx(solve(clear, horizon=6).initial.value)


def test_time_awareness_makes_the_limit_part_of_the_problem() -> None:
    mdp = enumerate_model(TimeAware(frozen_lake(), 100))
    exact = solve(rlkit.exact("rlkit/FrozenLake-v0"), horizon=100).initial.value
    assert solve(mdp).initial.value == pytest.approx(exact, abs=1e-9)
    env = gym.make("rlkit/FrozenLake-v0", time_aware=2)
    env.reset(seed=0)
    assert env.step(0)[0]["time"] == 1
    observation, _, terminated, truncated, _ = env.step(0)
    assert (observation["time"], terminated, truncated) == (2, True, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sticky": 1.5}, "sticky must be"),
        ({"reward_noise": -1}, "reward_noise must be"),
        ({"reward_delay": 0}, "reward_delay must be"),
        ({"observation_noise": "much"}, "observation_noise must be"),
        ({"frame_stack": 0}, "frame_stack must be"),
        ({"time_aware": 2.5}, "time_aware must be"),
        ({"frame_stack": 2, "time_aware": 5, "stick": 1}, "unexpected keyword argument 'stick'"),
    ],
)
def test_bad_options_are_named(options: Any, message: str) -> None:
    with pytest.raises((OptionError, RegistryError), match=message):
        rlkit.exact("rlkit/FrozenLake-v0", **options)


def test_observations_that_cannot_be_wrapped_are_refused() -> None:
    aware = TimeAware(frozen_lake(), 5)
    with pytest.raises(OptionError, match="frame_stack needs"):
        FrameStack(aware, 2)
    with pytest.raises(OptionError, match="observation_noise needs"):
        ObservationNoise(aware, 0.1)
