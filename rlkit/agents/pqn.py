"""Parallelised Q-network (Gallici et al. 2024): Q(lambda) from rollouts of many environments, without replay.

Environments are stepped epsilon-greedily; each step's target is the lambda-return of max_a Q,

    G_t = r_t + gamma_t (lambda G_{t+1} + (1 - lambda) max_a Q(x_{t+1}, a))

cut where an episode ends, and several epochs of minibatches lower the squared error of Q(x_t, a_t). Layer
normalisation takes the place of target networks in keeping this stable.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rlkit.experience.rollout import Batch, Rollout, batch_of

from ..nn import State, mask_logits
from .base import Metrics
from .config import AgentConfig
from .losses import value_loss
from .on_policy import OnPolicyAgent, OnPolicyConfig
from .q_network import QAgent, QConfig


@dataclass(frozen=True, kw_only=True)
class PQNConfig(QConfig, OnPolicyConfig):
    """Short rollouts in many environments."""

    num_envs: int = 16
    norm: str = "layer"
    schedule: str = "linear"
    rollout_steps: int = 32
    lambda_: float = 0.65  # 0: one-step targets; 1: full returns
    epochs: int = 2  # passes over a rollout
    minibatches: int = 4  # in a pass

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "epochs", "minibatches")
        self._within(0, 1, "lambda_")


class PQN(QAgent, OnPolicyAgent):
    """Parallelised Q-network."""

    name: ClassVar[str] = "pqn"
    Config: ClassVar[type[AgentConfig]] = PQNConfig
    config: PQNConfig

    def _iterate(self, budget: int) -> Metrics:
        self.head.epsilon = epsilon = self.epsilon
        metrics = super()._iterate(budget)
        self.head.epsilon = self.config.epsilon_end
        return {"epsilon": epsilon, **metrics}

    def _batch(self, rollout: Rollout) -> Batch:
        """The steps of a rollout with their lambda-returns."""

        def best(obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> Tensor:
            return mask_logits(self.network(obs, state, reset)[0], mask).amax(-1)

        _, target = self._returns(rollout, best, lambda_=self.config.lambda_)
        return batch_of(rollout, rollout.action, target)

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        c = self.config
        for _ in range(c.epochs):
            for b in batch.minibatches(c.minibatches, self.generator):
                action, target = b.columns
                q, _ = self.network(b.obs, b.state, b.reset)
                taken = b.keep(q.gather(-1, action.unsqueeze(-1)).squeeze(-1))
                loss = value_loss(taken, b.keep(target))
                grad_norm = self._descend(loss)
        return {"loss": loss, "q": taken.mean(), "grad_norm": grad_norm}
