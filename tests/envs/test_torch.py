"""A model that does not run in torch gets one error, which names the method."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import rlkit
from rlkit.core import Model, ModelError, Step
from rlkit.core.arrays import Array, namespace
from rlkit.envs.adapters.torch import TorchVectorEnv
from rlkit.envs.wrappers import StickyActions


@dataclass(frozen=True)
class Place:
    number: Array


class Walk(Model[Place]):
    """From 0 or 1 one step up or none to 4; `broken` makes arrays of numpy where it should not."""

    n_actions = n_events = n_starts = 2
    observation_space = spaces.Discrete(5)

    def __init__(self, broken: Any) -> None:
        self.broken = broken
        self.even = np.array([0.5, 0.5])

    def start_probs(self) -> Any:
        return np.array([0.5, 0.5]) if self.broken == "start_probs" else self.even

    def initial(self, event: Any) -> Any:
        return Place(np.arange(2)[event] if self.broken == "initial" else event)

    def event_probs(self, state: Any, action: Any) -> Any:
        if self.broken == "event_probs":
            return np.full((len(state.number), 2), 0.5)
        return self.even + namespace(action).zeros_like(action)[:, None]

    def transition(self, state: Any, action: Any, event: Any) -> Any:
        place = (state.number + event).clip(0, 4)
        paid = np.zeros(len(place)) if self.broken == "transition" else place * 1.0
        return Step(Place(place), paid, place >= 4)

    def observe(self, state: Any) -> Any:
        return np.zeros(len(state.number), np.int64) if self.broken == "observe" else state.number


METHODS = ("start_probs", "initial", "event_probs", "transition", "observe")


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: StickyActions(model, 0.1)])
@pytest.mark.parametrize("method", METHODS)
def test_the_method_that_gives_no_tensors_is_named(method: Any, wrap: Any) -> None:
    rlkit.check_model(Walk(method))  # in numpy all is well
    with pytest.raises(ModelError, match=rf"^Walk\.{method} must give tensors in torch, not .*__init__"):
        TorchVectorEnv(wrap(Walk(method)), num_envs=3, device="cpu")


def test_what_fails_within_a_method_is_named_too() -> None:
    class Mixed(Walk):
        def observe(self, state: Any) -> Any:
            return np.concatenate([state.number[:, None].numpy(), torch.zeros(1)], axis=1)

    with pytest.raises(ModelError, match=r"^Mixed\.observe fails in torch \(ValueError: .*\): make constant"):
        TorchVectorEnv(Mixed(""), num_envs=3, device="cpu")


def test_the_same_model_runs_where_nothing_is_broken() -> None:
    env = TorchVectorEnv(Walk(""), num_envs=3, device="cpu")
    env.reset(seed=0)
    assert torch.is_tensor(env.step(torch.zeros(3, dtype=torch.int64))[0])
