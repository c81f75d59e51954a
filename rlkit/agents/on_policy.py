"""Learning from rollouts of the present policy: what REINFORCE, A2C, PPO and PQN share."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..nn import State
from .base import Metrics
from .config import NeuralConfig
from .neural import NeuralAgent
from .returns import gae
from .rollout import Batch, Final, Rollout, collect


@dataclass(frozen=True, kw_only=True)
class OnPolicyConfig(NeuralConfig):
    """A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over."""

    rollout_steps: int = 128  # steps of each environment before an update
    schedule: str = "linear"

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
    def _update(self, batch: Batch) -> Metrics:
        """Learn from a batch."""

    def _begin(self) -> None:
        c = self.config
        self.rows = max(1, c.num_envs * c.rollout_steps // self.stepper.num_envs)

    def _iterate(self, budget: int) -> Metrics:
        rollout, self.state, taken = collect(
            self.stepper,
            self._scores,
            self.head,
            rows=self.rows,
            budget=budget,
            state=self.state,
            generator=self.generator,
        )
        self.steps += taken
        with torch.no_grad():
            batch = self._batch(rollout)
        self.network.train()
        metrics = self._update(batch)
        self.network.eval()
        return metrics

    def _returns(
        self,
        r: Rollout,
        value_of: Callable[[Tensor, State, Tensor, Tensor | None], Tensor],
        *,
        lambda_: float,
    ) -> tuple[Tensor, Tensor]:
        """(advantages, lambda-returns) [T, B], where `value_of` (obs, state, reset, mask) gives V."""

        def of_final(final: Final) -> Tensor:
            going_on = torch.zeros_like(final.where, dtype=torch.bool)
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
