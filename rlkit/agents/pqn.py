"""Parallelised Q-network (Gallici et al. 2024): Q(lambda) from rollouts of many environments, without replay.

Environments are stepped epsilon-greedily; each step's target is the lambda-return of max_a Q,

    G_t = r_t + gamma_t (lambda G_{t+1} + (1 - lambda) max_a Q(x_{t+1}, a))

cut where an episode ends, and several epochs of minibatches lower the squared error of Q(x_t, a_t). Layer
normalisation takes the place of target networks in keeping this stable.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..nn import mask_logits
from .base import Metrics
from .config import AgentConfig
from .losses import value_loss
from .q_network import QAgent, QConfig
from .returns import gae
from .rollout import Batch, Final, Rollout, batch_of, collect


@dataclass(frozen=True, kw_only=True)
class PQNConfig(QConfig):
    """A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over."""

    num_envs: int = 16
    norm: str = "layer"
    schedule: str = "linear"
    rollout_steps: int = 32  # steps of each environment before an update
    lambda_: float = 0.65  # 0: one-step targets; 1: full returns
    epochs: int = 2  # passes over a rollout
    minibatches: int = 4  # in a pass

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "rollout_steps", "epochs", "minibatches")
        self._within(0, 1, "lambda_")


class PQN(QAgent):
    """Parallelised Q-network."""

    name: ClassVar[str] = "pqn"
    Config: ClassVar[type[AgentConfig]] = PQNConfig
    config: PQNConfig

    def _begin(self) -> None:
        c = self.config
        self.rows = max(1, c.num_envs * c.rollout_steps // self.stepper.num_envs)

    def _iterate(self, budget: int) -> Metrics:
        self.head.epsilon = epsilon = self.epsilon
        rollout, self.state, taken = collect(
            self.stepper,
            self.network,
            self.head,
            rows=self.rows,
            budget=budget,
            state=self.state,
            generator=self.generator,
        )
        self.steps += taken
        self.head.epsilon = self.config.epsilon_end
        batch = self._batch(rollout)
        self.network.train()
        metrics = self._update(batch)
        self.network.eval()
        return {"epsilon": epsilon, **metrics}

    @torch.no_grad()
    def _batch(self, r: Rollout) -> Batch:
        """The steps of a rollout with their lambda-returns."""

        def best(obs: Tensor, state: tuple[Tensor, ...], reset: Tensor, mask: Tensor | None) -> Tensor:
            return mask_logits(self.network(obs, state, reset)[0], mask).amax(-1)

        def of_final(final: Final) -> Tensor:
            going_on = torch.zeros_like(final.where, dtype=torch.bool)
            return best(final.obs, final.state, going_on, final.mask)

        value = best(r.obs, r.state, r.reset, r.mask)
        advantage = gae(
            reward=self.statistics.scaled(r.reward),
            discount=self.config.gamma * r.discount,
            value=value[:-1],
            next_value=r.successors(value, of_final),
            cut=r.cut,
            lambda_=self.config.lambda_,
        )
        return batch_of(r, r.action, advantage + value[:-1])

    def _update(self, batch: Batch) -> Metrics:
        c = self.config
        for _ in range(c.epochs):
            for b in batch.minibatches(c.minibatches, self.generator):
                action, target = b.columns
                q, _ = self.network(b.obs, b.state, b.reset)
                taken = q.gather(-1, action.unsqueeze(-1)).squeeze(-1)
                loss = value_loss(b.keep(taken), b.keep(target))
                grad_norm = self._descend(loss)
        return {"loss": loss.item(), "q": taken.mean().item(), "grad_norm": grad_norm.item()}
