"""The three autoreset modes give one stream of transitions."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from rlkit.agents import NonFiniteError, UnsupportedError
from rlkit.agents.stepper import Step, Stepper
from rlkit.nn import Encoder

Transition = tuple[Any, ...]


def make(env_id: str, num_envs: int, mode: AutoresetMode) -> gym.vector.VectorEnv[Any, Any, Any]:
    return gym.make_vec(env_id, num_envs, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})


def first_legal(obs: Any, mask: Any) -> Any:
    return mask.argmax(-1)


def streams(mode: AutoresetMode, rows: int = 40, env_id: str = "probe/Ragged-v0") -> list[list[Transition]]:
    """The first `rows` transitions of each environment, acting on nothing but what the stepper shows."""
    env = make(env_id, 3, mode)
    stepper = Stepper(env, Encoder(env.single_observation_space), seed=7)
    found: list[list[Transition]] = [[] for _ in range(env.num_envs)]
    while min(map(len, found)) < rows:
        obs, mask, reset = stepper.obs, stepper.mask, stepper.reset
        action = first_legal(obs, mask)
        step = stepper.step(action)
        for i in np.flatnonzero(step.valid):
            found[i].append(
                (
                    *(obs[i].tolist(), None if mask is None else mask[i].tolist(), bool(reset[i])),
                    *(int(action[i]), float(step.reward[i]), float(step.discount[i])),
                    *(step.next_obs[i].tolist(), bool(step.done[i])),
                    None if step.next_mask is None else step.next_mask[i].tolist(),
                )
            )
    return [transitions[:rows] for transitions in found]


def test_the_autoreset_modes_give_the_same_transitions() -> None:
    same = streams(AutoresetMode.SAME_STEP)
    assert streams(AutoresetMode.NEXT_STEP) == same
    assert streams(AutoresetMode.DISABLED) == same


def test_the_transitions_are_those_of_the_environment() -> None:
    transitions = streams(AutoresetMode.SAME_STEP)[0]
    ended = [t for t in transitions if t[7]]
    assert {t[5] for t in ended} == {0.0, 1.0}, "both ways to end must occur"
    for obs, mask, reset, action, reward, discount, next_obs, done, next_mask in transitions:
        assert next_obs == [obs[0], obs[1] + 1, action]
        assert reward == obs[1] + 1 + 10 * action
        assert reset == (obs[1] == 0)
        assert done or discount == 1
        assert mask[action]
        assert next_mask == [a != (next_obs[0] + next_obs[1]) % 3 for a in range(3)]
    for before, after in pairwise(transitions):
        assert after[0] == ([before[0][0] + 1, 0, -1] if before[7] else before[6])


def counting_the_reset(step: Step) -> Step:
    return step._replace(valid=np.ones_like(step.valid))


def next_obs_after_the_reset(step: Step) -> Step:
    fresh = np.stack([step.next_obs[:, 0] + 1, 0 * step.next_obs[:, 1], 0 * step.next_obs[:, 2] - 1], 1)
    return step._replace(next_obs=np.where(step.done[:, None], fresh, step.next_obs))


@pytest.mark.parametrize(
    ("mode", "mistake"),
    [
        (AutoresetMode.NEXT_STEP, counting_the_reset),
        (AutoresetMode.SAME_STEP, next_obs_after_the_reset),
    ],
)
def test_mishandling_a_mode_would_be_noticed(
    mode: AutoresetMode, mistake: Callable[[Step], Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = streams(AutoresetMode.DISABLED)
    step = Stepper.step
    monkeypatch.setattr(Stepper, "step", lambda self, action: mistake(step(self, action)))
    assert streams(mode) != right


def test_native_vector_environment() -> None:
    env = gym.make_vec("CartPole-v1", 4)
    stepper = Stepper(env, Encoder(env.single_observation_space), seed=0)
    lengths = np.zeros(4)
    for _ in range(300):
        step = stepper.step((stepper.obs[:, 2] > 0).astype(np.int64))
        lengths += step.valid
        assert (stepper.reset == ~step.valid).all()
        assert (step.reward == step.valid).all()
        assert (np.abs(stepper.obs[stepper.reset]) <= 0.05).all()
    done = sum(length for _, length in stepper.finished)
    assert stepper.episodes > 4
    assert all(value == length for value, length in stepper.finished)
    assert done <= lengths.sum() < done + 4 * 200


def test_bad_observations_are_named() -> None:
    env = make("probe/Broken-v0", 2, AutoresetMode.SAME_STEP)
    stepper = Stepper(env, Encoder(env.single_observation_space), seed=0)
    for _ in range(19):
        stepper.step(np.zeros(2, np.int64))
    with pytest.raises(NonFiniteError, match=r"observation of environment 0 .* entry \[1\]"):
        stepper.step(np.zeros(2, np.int64))


def test_environment_without_a_mode_is_refused() -> None:
    env = make("probe/Constant-v0", 2, AutoresetMode.SAME_STEP)
    env.metadata = {}
    with pytest.raises(UnsupportedError, match="NEXT_STEP, SAME_STEP, DISABLED"):
        Stepper(env, Encoder(env.single_observation_space), seed=0)
