"""The checkers find what is wrong, in rlkit's environments and in others', and nothing where nothing is."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.vector import AutoresetMode

import rlkit
from rlkit.check import CheckError, check_id
from rlkit.core import Step, TableModel
from rlkit.envs import MDPEnv, ModelEnv, ModelVectorEnv
from rlkit.envs.grids.frozen_lake import frozen_lake
from rlkit.envs.grids.grid import Grid


def findings(check: Any, subject: Any, **options: Any) -> Any:
    with pytest.raises(CheckError) as caught:
        check(subject, **options)
    return " / ".join(caught.value.findings)


@pytest.mark.parametrize("id", ["FrozenLake-v1", "CliffWalking-v1", "CartPole-v1", "Blackjack-v1"])
def test_sound_environments_of_gymnasium_pass(id: str) -> None:
    rlkit.check_env(gym.make(id))


def test_the_two_defects_of_taxi_are_found() -> None:
    assert "reward_threshold 8 lies above the optimum 7.93" in findings(rlkit.check_env, gym.make("Taxi-v4"))
    fickle = findings(rlkit.check_env, gym.make("Taxi-v4", fickle_passenger=True))
    assert "which the model rules out" in fickle


class Liar(FrozenLakeEnv):
    """A lake that moves by one table and shows another."""

    def step(self, action: Any) -> Any:
        shown = self.P
        self.P = self.true
        try:
            return super().step(action)
        finally:
            self.P = shown


def test_wrong_frequencies_are_found() -> None:
    env = Liar()
    env.true = env.P
    env.P = {
        s: {
            a: [(p, *rest) for p, (_, *rest) in zip((0.4, 0.3, 0.3), outcomes, strict=True)]
            if len(outcomes) == 3
            else outcomes
            for a, outcomes in by_action.items()
        }
        for s, by_action in env.P.items()
    }
    assert "frequencies after" in findings(rlkit.check_env, env, steps=20_000)


def test_a_table_whose_rows_do_not_sum_to_one_is_found() -> None:
    env = FrozenLakeEnv()
    env.P[0][0] = [(0.7, *env.P[0][0][0][1:])]
    assert "sum to 0.7, not 1" in findings(rlkit.check_env, env)


class Odd(ModelEnv):
    """Pays words, or says with a number that it is over."""

    def __init__(self, reward: Any, terminated: Any) -> None:
        super().__init__(frozen_lake())
        self.odd = reward, terminated

    def step(self, action: Any) -> Any:
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, self.odd[0](reward), self.odd[1](terminated), truncated, info


@pytest.mark.parametrize(
    ("reward", "terminated", "message"),
    [
        (lambda r: np.array([r]), bool, "is not a finite number"),
        (lambda r: r, int, "terminated is 0, not a bool"),
    ],
)
def test_odd_types_are_found(reward: Any, terminated: Any, message: str) -> None:
    assert message in findings(rlkit.check_env, Odd(reward, terminated))


class Forgetful(ModelEnv):
    """Ignores the seed of a reset."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self._count = getattr(self, "_count", 0) + 1
        return super().reset(seed=None if seed is None else seed + self._count, options=options)


def test_a_seed_that_is_ignored_is_found() -> None:
    assert "seed" in findings(rlkit.check_env, Forgetful(frozen_lake()))


def table_lake() -> Any:
    return TableModel(rlkit.exact("rlkit/FrozenLake-v0"))


def broken(**methods: Any) -> Any:
    """A lake with some methods replaced."""
    return type("Broken", (TableModel,), methods)(rlkit.exact("rlkit/FrozenLake-v0"))


def half(self: Any, state: Any, action: Any) -> Any:
    return TableModel.event_probs(self, state, action) / 2


def first(self: Any, state: Any, action: Any, u: Any) -> Any:
    return np.zeros(len(u), dtype=np.int64)


def nothing(self: Any, state: Any) -> Any:
    return np.zeros((len(state.index), 4), dtype=np.bool_)


def outside(self: Any, state: Any) -> Any:
    return state.index + 100


def mixing(self: Any, state: Any, action: Any, event: Any) -> Any:
    step = TableModel.transition(self, state, action, event)
    return Step(step.state, step.reward + len(action), step.terminated)


def changing(self: Any, state: Any, action: Any, event: Any) -> Any:
    step = TableModel.transition(self, state, action, event)
    state.index[:] = step.state.index
    return step


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"event_probs": half}, "event_probs has a row that sums to 0.5"),
        ({"sample_event": first}, "sample_event does not choose"),
        ({"legal": nothing}, "has no legal action"),
        ({"observe": outside}, "an observation is not in Discrete"),
        ({"transition": mixing}, "depends on the rest of the batch"),
        ({"transition": changing}, "transition changes the state it was given"),
        ({"start_probs": lambda self: np.array([0.5])}, "start_probs sums to 0.5"),
    ],
)
def test_broken_models_are_found(methods: Any, message: str) -> None:
    assert message in findings(rlkit.check_model, broken(**methods))


def test_models_and_mdps_pass() -> None:
    rlkit.check_model(table_lake())
    rlkit.check_model(rlkit.exact("FrozenLake-v1"))
    rlkit.check_model(Grid(("S.", ".G")))


class Paying(ModelVectorEnv):
    """Pays for the step that begins an episode."""

    def step(self, actions: Any) -> Any:
        resetting = np.array(self._done)
        obs, reward, terminated, truncated, info = super().step(actions)
        return obs, reward + resetting, terminated, truncated, info


class Hiding(ModelVectorEnv):
    """Leaves the final observations out."""

    def _final(self) -> Any:
        return {}


class Careless(ModelVectorEnv):
    """Begins anew everywhere, whatever the mask says."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=seed)


@pytest.mark.parametrize(
    ("kind", "mode", "message"),
    [
        (Paying, AutoresetMode.NEXT_STEP, "pays a reward"),
        (Hiding, AutoresetMode.SAME_STEP, "lacks 'final_obs'"),
        (Careless, AutoresetMode.DISABLED, "a reset touches an environment"),
    ],
)
def test_broken_batches_are_found(kind: Any, mode: Any, message: str) -> None:
    env = kind(frozen_lake(), num_envs=6, max_episode_steps=30, autoreset_mode=mode)
    assert message in findings(rlkit.check_vector_env, env)


def test_batches_of_others_pass() -> None:
    rlkit.check_vector_env(gym.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point"))
    rlkit.check_vector_env(gym.make_vec("CartPole-v1", 3, vectorization_mode="sync"))


def test_an_unreachable_threshold_of_ours_would_be_found() -> None:
    env = gym.make("rlkit/FrozenLake-v0")
    env.unwrapped.spec.reward_threshold = 0.75
    env.spec.reward_threshold = 0.75
    assert "above the optimum 0.74419" in findings(rlkit.check_env, env)


def test_a_model_registered_by_hand_is_checked_in_copies() -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    gym.register("ByHand-v0", entry_point=lambda: MDPEnv(mdp))
    checks = {check["part"]: check["findings"] for check in check_id("ByHand-v0")["checks"]}
    assert list(checks) == ["environment", "model", "batch", "training"]
    assert not any(checks.values())
