"""The three autoreset modes give one stream of transitions."""

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from rlkit.agents import NonFiniteError, UnsupportedError
from rlkit.core import from_successors
from rlkit.core.table import TableModel
from rlkit.envs.adapters.torch import TorchVectorEnv
from rlkit.envs.adapters.vector import ModelVectorEnv
from rlkit.experience.stepper import Step, Stepper, as_given
from rlkit.experience.torch_stepper import TorchStepper, stepper_for
from rlkit.nn import Encoder

CPU = torch.device("cpu")

Transition = tuple[Any, ...]


def make(env_id: str, num_envs: int, mode: AutoresetMode) -> gym.vector.VectorEnv[Any, Any, Any]:
    return gym.make_vec(env_id, num_envs, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})


def first_legal(obs: Any, mask: Any) -> Any:
    return mask.int().argmax(-1)


def walk(env: gym.vector.VectorEnv[Any, Any, Any]) -> Stepper:
    return stepper_for(env, Encoder(env.single_observation_space), seed=7, device=CPU)


def streams(mode: AutoresetMode, rows: int = 40, env_id: str = "probe/Ragged-v0") -> list[list[Transition]]:
    """The first `rows` transitions of each environment, acting on nothing but what the stepper shows."""
    return transitions(walk(make(env_id, 3, mode)), rows)


def transitions(stepper: Stepper, rows: int = 40) -> list[list[Transition]]:
    found: list[list[Transition]] = [[] for _ in range(stepper.num_envs)]
    while min(map(len, found)) < rows:
        obs, mask, reset = stepper.obs, stepper.mask, stepper.reset
        action = first_legal(obs, mask)
        step = stepper.step(action)
        for i in step.valid.nonzero().flatten().tolist():
            found[i].append(
                (
                    *(obs[i].tolist(), None if mask is None else mask[i].tolist(), bool(reset[i])),
                    *(int(action[i]), float(step.reward[i]), float(step.discount[i])),
                    *(step.next_obs[i].tolist(), bool(step.done[i])),
                    None if step.next_mask is None else step.next_mask[i].tolist(),
                )
            )
    return [steps[:rows] for steps in found]


def test_the_autoreset_modes_give_the_same_transitions() -> None:
    same = streams(AutoresetMode.SAME_STEP)
    assert streams(AutoresetMode.NEXT_STEP) == same
    assert streams(AutoresetMode.DISABLED) == same


def test_the_transitions_are_those_of_the_environment() -> None:
    steps = streams(AutoresetMode.SAME_STEP)[0]
    ended = [t for t in steps if t[7]]
    assert {t[5] for t in ended} == {0.0, 1.0}, "both ways to end must occur"
    for obs, mask, reset, action, reward, discount, next_obs, done, next_mask in steps:
        assert next_obs == [obs[0], obs[1] + 1, action]
        assert reward == obs[1] + 1 + 10 * action
        assert reset == (obs[1] == 0)
        assert done or discount == 1
        assert mask[action]
        assert next_mask == [a != (next_obs[0] + next_obs[1]) % 3 for a in range(3)]
    for before, after in pairwise(steps):
        assert after[0] == ([before[0][0] + 1, 0, -1] if before[7] else before[6])


def counting_the_reset(step: Step) -> Step:
    return step._replace(valid=torch.ones_like(step.valid))


def next_obs_after_the_reset(step: Step) -> Step:
    fresh = torch.stack([step.next_obs[:, 0] + 1, 0 * step.next_obs[:, 1], 0 * step.next_obs[:, 2] - 1], 1)
    return step._replace(next_obs=torch.where(step.done[:, None], fresh, step.next_obs))


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
    stepper = walk(gym.make_vec("CartPole-v1", 4))
    lengths = torch.zeros(4)
    for _ in range(300):
        step = stepper.step((stepper.obs[:, 2] > 0).long())
        lengths += step.valid
        assert (stepper.reset == ~step.valid).all()
        assert (step.reward == step.valid).all()
        assert (stepper.obs[stepper.reset].abs() <= 0.05).all()
    done = sum(length for _, length in stepper.finished)
    assert stepper.episodes > 4
    assert all(value == length for value, length in stepper.finished)
    assert done <= lengths.sum() < done + 4 * 200


def test_bad_observations_are_named() -> None:
    stepper = walk(make("probe/Broken-v0", 2, AutoresetMode.SAME_STEP))
    for _ in range(19):
        stepper.step(torch.zeros(2, dtype=torch.int64))
    with pytest.raises(
        NonFiniteError, match=r"observation is not finite in float32, at entry \[1\], in environment 0"
    ):
        stepper.step(torch.zeros(2, dtype=torch.int64))


def test_environment_without_a_mode_is_refused() -> None:
    env = make("probe/Constant-v0", 2, AutoresetMode.SAME_STEP)
    env.metadata = {}
    with pytest.raises(UnsupportedError, match="NEXT_STEP, SAME_STEP, DISABLED"):
        walk(env)


def ragged() -> TableModel:
    """Four states that forbid one action each, with chances to end; a step may pay."""

    def successors(s: int) -> dict[int, list[tuple[float, int, float]]]:
        if s == 4:
            return {}
        legal = [a for a in range(3) if a != s % 3]
        return {a: [(0.3, 4, 1.0), (0.7, (s + a + 1) % 4, float(a))] for a in legal}

    return TableModel(from_successors(successors, 0))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_torch_face_gives_the_same_transitions(mode: AutoresetMode) -> None:
    options: dict[str, Any] = {"num_envs": 3, "max_episode_steps": 4, "autoreset_mode": mode}
    numpy_face = walk(ModelVectorEnv(ragged(), **options))
    torch_face = walk(TorchVectorEnv(ragged(), device="cpu", **options))
    assert isinstance(torch_face, TorchStepper)
    assert not isinstance(numpy_face, TorchStepper)
    found = transitions(torch_face)
    assert found == transitions(numpy_face)
    ends = [(discount, done) for steps in found for *_, discount, _, done, _ in steps]
    assert {(0.0, True), (1.0, True), (1.0, False)} <= set(ends)
    assert list(torch_face.finished) == list(numpy_face.finished)
    assert torch_face.episodes == numpy_face.episodes > 0


@pytest.mark.parametrize("interface", [ModelVectorEnv, TorchVectorEnv])
def test_a_saved_stepper_resumes_alike(interface: Callable[..., Any]) -> None:
    def fresh() -> Stepper:
        extra = {"device": "cpu"} if interface is TorchVectorEnv else {}
        return walk(interface(ragged(), num_envs=3, max_episode_steps=4, **extra))

    first, second = fresh(), fresh()
    transitions(first, 11)
    assert second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.recount(first.finished, first.episodes)
    assert transitions(second, 9) == transitions(first, 9)
    assert list(second.finished) == list(first.finished)


def test_actions_as_the_environment_takes_them() -> None:
    assert as_given(torch.tensor([0, 2]), gym.spaces.Discrete(3, start=5)).tolist() == [5, 7]
    parts = gym.spaces.MultiDiscrete([3, 2], start=[1, -1])
    assert as_given(torch.tensor([[0, 0], [2, 1]]), parts).tolist() == [[1, -1], [3, 0]]
    box = gym.spaces.Box(np.array([-2, 0, -np.inf], np.float32), np.array([2, 10, np.inf], np.float32))
    units = torch.tensor([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1], [5, -5, 5]])
    expected = [[-2, 0, -1], [0, 5, 0], [2, 10, 1], [2, 0, 5]]
    assert as_given(units, box).tolist() == expected
    assert as_given(units, box).dtype == np.float32
