"""What every experience is: environments that stand somewhere, and a learner that learns from their steps."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from rlkit.nn import State
from rlkit.nn.policy import Policy

from .stepper import Step, Stepper

Metrics: TypeAlias = dict[str, float]
Figures: TypeAlias = dict[str, Tensor]
StateDict: TypeAlias = dict[str, Any]  # a tree of tensors, arrays and JSON values


@dataclass
class Clock:
    """How far a training is; learner, experience and loop share one."""

    steps: int = 0  # environment steps taken
    horizon: int = 0  # environment steps after which schedules end

    @property
    def progress(self) -> float:
        """The part of the present training that is done, for schedules."""
        return self.steps / self.horizon if self.horizon else 0.0


class Student(Protocol):
    """What an experience asks of the learner that it is for."""

    config: Any
    policy: Policy
    clock: Clock
    generator: torch.Generator

    def begin(self, num_envs: int) -> None:
        """Get ready for the steps of so many environments."""

    def see(self, obs: Tensor, reset: Tensor, step: Step) -> None:
        """Take note of one step of all environments, from where they stood."""

    def behave(self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> tuple[Tensor, State]:
        """Actions to explore with, and the network's next state."""

    def learn_from(self, batch: Any) -> Any:
        """Learn from a batch, if one is due; figures of the last step."""


class Experience(ABC):
    """Environments at `stepper`, stepped for `learner`; `state` is its network's where they stand."""

    def __init__(self, stepper: Stepper, learner: Student) -> None:
        self.stepper, self.learner, self.clock = stepper, learner, learner.clock
        self.state = learner.policy.initial_state(stepper.num_envs)
        learner.begin(stepper.num_envs)

    @abstractmethod
    def iterate(self, budget: int) -> Metrics:
        """Take at most `budget` environment steps, count them on the clock, and let the learner learn."""

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        self.stepper.restart(seed)
        self.state = self.learner.policy.initial_state(self.stepper.num_envs)
        self.interrupted()

    def interrupted(self) -> None:
        """Episodes were restarted early: join nothing to what came before."""
        return

    def idle(self, since: int) -> str | None:
        """Why nothing was learned since that step, if nothing was."""
        return None

    def step(self, action: Tensor) -> Step:
        """Take one action in every environment, before the learner's eyes."""
        obs, reset = self.stepper.obs, self.stepper.reset
        step = self.stepper.step(action)
        self.learner.see(obs, reset, step)
        return step

    def state_dict(self) -> StateDict:
        """Everything that changes with a step, where it lies."""
        state = {str(i): part for i, part in enumerate(self.state)}
        return {"stepper": self.stepper.state_dict(), "state": state}

    def load_state_dict(self, saved: Mapping[str, Any]) -> bool:
        """Go back to a state of as many environments; False if the episodes could not and start over."""
        known = self.stepper.load_state_dict(saved["stepper"])
        parts = saved.get("state", {})
        self.state = tuple(parts[str(i)].to(self.stepper.device) for i in range(len(self.state)))
        return known
