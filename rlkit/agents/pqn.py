"""Parallelised Q-network (Gallici et al. 2024): Q(lambda) from rollouts of many environments, without replay.

Environments are stepped epsilon-greedily; each step's target is the lambda-return of max_a Q,

    G_t = r_t + gamma_t (lambda G_{t+1} + (1 - lambda) max_a Q(x_{t+1}, a))

cut where an episode ends, and several epochs of minibatches lower the squared error of Q(x_t, a_t). Layer
normalisation takes the place of target networks in keeping this stable.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rlkit.experience.experience import Experience, Figures, Metrics
from rlkit.experience.rollout import Batch, Rollout, Rollouts, batch_of
from rlkit.experience.stepper import Stepper
from rlkit.nn import Encoder, EpsilonGreedy, Head, State, mask_logits
from rlkit.nn.actions import mask_width
from rlkit.settings import option

from .agent import ActionValueAgent
from .config import SMALL, OnPolicyConfig
from .learner import NeuralLearner
from .losses import value_loss
from .q_network import QConfig, QNetwork
from .returns import rollout_returns


@dataclass(frozen=True, kw_only=True)
class PQNConfig(QConfig, OnPolicyConfig):
    """Short rollouts in many environments."""

    probe_options: ClassVar = {**SMALL, "rollout_steps": 16, "norm": "none"}
    probe_times: ClassVar = 2

    num_envs: int = 16
    norm: str = "layer"
    schedule: str = "linear"
    rollout_steps: int = 32
    lambda_: float = option(0.65, "0: one-step targets; 1: full returns", least=0, most=1, search=(0.0, 1.0))
    epochs: int = option(2, "Passes over a rollout", least=1, search=(1, 2, 4))
    minibatches: int = option(4, "Minibatches in a pass", least=1, search=(1, 2, 4, 8, 16))


class PQNLearner(NeuralLearner):
    """Several epochs of minibatches on each rollout."""

    config: PQNConfig

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """A network of action values."""
        head = EpsilonGreedy(mask_width(self.action_space))
        head.epsilon = self.config.epsilon_end
        return QNetwork(encoder, head.n_params, self.config, generator), head

    def experience(self, stepper: Stepper) -> Experience:
        """Rollouts of the present policy."""
        return Rollouts(stepper, self)

    def learn(self, experience: Experience, budget: int) -> Metrics:
        """One rollout with the present epsilon."""
        self.head.epsilon = epsilon = self.config.epsilon(self.clock.progress)
        metrics = super().learn(experience, budget)
        self.head.epsilon = self.config.epsilon_end
        return {"epsilon": epsilon, **metrics}

    def batch(self, given: Rollout) -> Batch:
        """The rollout with lambda-returns."""

        def best(obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> Tensor:
            return mask_logits(self.network.scores(obs, state, reset)[0], mask).amax(-1)

        c, reward = self.config, self.statistics.scaled(given.reward)
        _, target = rollout_returns(given, best, reward=reward, gamma=c.gamma, lambda_=c.lambda_)
        return batch_of(given, given.action, target)

    def update(self, batch: Batch) -> Figures:
        """The squared error of Q(x, a) on every minibatch."""
        c = self.config
        for _ in range(c.epochs):
            for b in batch.minibatches(c.minibatches, self.generator):
                action, target = b.columns
                q, _ = self.network.scores(b.obs, b.state, b.reset)
                taken = b.keep(q.gather(-1, action.unsqueeze(-1)).squeeze(-1))
                loss = value_loss(taken, b.keep(target))
                grad_norm = self.descend(loss)
        return {"loss": loss, "q": taken.mean(), "grad_norm": grad_norm}


class PQN(ActionValueAgent):
    """Parallelised Q-network."""

    name = "pqn"
    Config = PQNConfig
    Learner = PQNLearner
