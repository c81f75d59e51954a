"""Learning from rollouts of the present policy: what REINFORCE, A2C, PPO and PQN share."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from rlkit.experience.captured import Captured
from rlkit.experience.rollout import Batch, Final, Rollout, collect
from rlkit.experience.torch_stepper import TorchStepper

from ..nn import State
from .base import Metrics
from .config import NeuralConfig
from .neural import NeuralAgent
from .returns import gae


@dataclass(frozen=True, kw_only=True)
class OnPolicyConfig(NeuralConfig):
    """A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over."""

    rollout_steps: int = 128  # steps of each environment before an update
    schedule: str = "linear"
    capture: bool = True  # on a GPU, replay iterations from a CUDA graph where the environment allows it

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "rollout_steps")


class OnPolicyAgent(NeuralAgent):
    """Collects a rollout, says in `_batch` what is to be learned from it, and learns it in `_update`."""

    config: OnPolicyConfig

    @abstractmethod
    def _batch(self, rollout: Rollout) -> Batch:
        """The steps of a rollout with what belongs to each."""

    @abstractmethod
    def _update(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from a batch; figures of the last step."""

    def _begin(self) -> None:
        c = self.config
        self.rows = max(1, c.num_envs * c.rollout_steps // self.stepper.num_envs)
        self.size = self.rows * self.stepper.num_envs
        can = c.capture and self.monitor is None and self.stepper.can_be_captured(self.rows)
        self._replayed = Captured(self._whole_iteration, self) if can else None

    def _iterate(self, budget: int) -> Metrics:
        if self._replayed is None or budget < self.size:
            taken, figures = self._iteration(budget)
        else:
            self._torch_stepper.read()
            taken, figures, unread = self._replayed()
            self._torch_stepper.recount(unread)
        self.steps += taken
        return {name: x.item() for name, x in figures.items()}

    @property
    def _torch_stepper(self) -> TorchStepper:
        """The stepper, where its steps can be captured."""
        return cast(TorchStepper, self.stepper)

    def _whole_iteration(self) -> tuple[int, dict[str, Tensor], Any]:
        """An iteration that is not cut short, and what is to be read of the episodes that ended in it."""
        return (*self._iteration(self.size), self._torch_stepper.unread)

    def held(self) -> dict[str, Tensor]:
        """The tensors that change with an iteration and are bound anew."""
        return {**self._torch_stepper.held(), **{f"state/{i}": part for i, part in enumerate(self.state)}}

    def hold(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on with these in place of `held`."""
        self._torch_stepper.hold(tensors)
        self.state = tuple(tensors[f"state/{i}"] for i in range(len(self.state)))

    def _iteration(self, budget: int) -> tuple[int, dict[str, Tensor]]:
        """Take at most `budget` steps and learn from them; how many they were, and figures."""
        rollout, self.state, taken = collect(
            self.stepper,
            self._scores,
            self.head,
            rows=self.rows,
            budget=budget,
            state=self.state,
            generator=self.generator,
        )
        with torch.no_grad():
            batch = self._batch(rollout)
        self.network.train()
        figures = {name: x.detach() for name, x in self._update(batch).items()}
        self.network.eval()
        self.statistics.update()
        return taken, figures

    def _returns(
        self,
        r: Rollout,
        value_of: Callable[[Tensor, State, Tensor, Tensor | None], Tensor],
        *,
        lambda_: float,
    ) -> tuple[Tensor, Tensor]:
        """(advantages, lambda-returns) [T, B], where `value_of` (obs, state, reset, mask) gives V."""

        def of_final(final: Final) -> Tensor:
            going_on = torch.zeros_like(final.at, dtype=torch.bool)
            return value_of(final.obs, final.state, going_on, final.mask)

        value = value_of(r.obs, r.state, r.reset, r.mask)
        advantage = gae(
            reward=self.statistics.scaled(r.reward),
            discount=self.config.gamma * r.discount,
            value=value[:-1],
            next_value=r.successors(value, of_final),
            cut=r.cut,
            lambda_=lambda_,
        )
        return advantage, advantage + value[:-1]
