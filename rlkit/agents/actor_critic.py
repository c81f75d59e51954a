"""Policies with a critic, learned from rollouts: what REINFORCE, A2C and PPO share."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from gymnasium import Space
from torch import Tensor, nn

from rlkit.experience.rollout import Batch, Rollout, batch_of
from rlkit.nn import Distribution, Encoder, State, build, distribution, linear, resolve
from rlkit.settings import option

from .config import SMALL, OnPolicyConfig
from .learner import NeuralLearner
from .returns import rollout_returns

PROBES = {**SMALL, "entropy_coef": 0.02, "max_grad_norm": 10.0}


@dataclass(frozen=True, kw_only=True)
class ActorCriticConfig(OnPolicyConfig):
    """What policies with a critic have in common."""

    gae_lambda: float = option(
        0.95, "0: one-step advantages; 1: full returns", least=0, most=1, search=(0.8, 1.0)
    )
    value_coef: float = option(0.5, "Weight of the value loss", least=0, search=(0.25, 1.0))
    entropy_coef: float = option(0.0, "Weight of the entropy bonus", least=0, search=(1e-4, 0.1))
    normalize_advantage: bool = option(
        True, "Normalise advantages in each batch to mean 0 and standard deviation 1"
    )
    adam_eps: float = 1e-5


class ActorCritic(nn.Module):
    """The numbers of a policy and a state value.

    Fully connected networks are two, one for each; a larger backbone is one that both read.
    """

    def __init__(
        self, encoder: Encoder, n_params: int, config: ActorCriticConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.actor = build(encoder, config, generator=generator)
        self.shared = resolve(config.backbone, encoder)[0] != "mlp"
        self.critic = self.actor if self.shared else build(encoder, config, generator=generator)
        self.policy_head = linear(self.actor.n_features, n_params, gain=0.01, generator=generator)
        self.value_head = linear(self.critic.n_features, 1, gain=1.0, generator=generator)

    def initial_state(self, batch: int) -> State:
        """The actor's state at the start of episodes."""
        return self.actor.initial_state(batch)

    def scores(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """The parameters of the policy [..., P] at packed observations."""
        features, state = self.actor(obs, state, reset)
        return self.policy_head(features), state

    def value(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """V [...] at packed observations."""
        features, state = self.critic(obs, state, reset)
        return self.value_head(features).squeeze(-1), state

    def forward(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, Tensor]:
        """The parameters of the policy and V."""
        features, _ = self.actor(obs, state, reset)
        own = features if self.shared else self.critic(obs, state, reset)[0]
        return self.policy_head(features), self.value_head(own).squeeze(-1)


def actor_critic(
    encoder: Encoder, space: Space[Any], config: ActorCriticConfig, generator: torch.Generator
) -> tuple[ActorCritic, Distribution]:
    """A network and a head for the actions of a space."""
    head = distribution(space)
    return ActorCritic(encoder, head.n_params, config, generator), head


def with_advantages(learner: NeuralLearner, rollout: Rollout) -> Batch:
    """The steps of a rollout with their actions, log-probabilities, advantages and lambda-returns."""
    c = cast(ActorCriticConfig, learner.config)

    def v(obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> Tensor:
        value: Tensor = learner.network.value(obs, state, reset)[0]
        return value

    reward = learner.statistics.scaled(rollout.reward)
    advantage, target = rollout_returns(rollout, v, reward=reward, gamma=c.gamma, lambda_=c.gae_lambda)
    mask = None if rollout.mask is None else rollout.mask[:-1]
    log_prob, _ = learner.head.log_prob_and_entropy(rollout.params, rollout.action, mask)
    return batch_of(rollout, rollout.action, log_prob, advantage, target)


def total_loss(c: ActorCriticConfig, l_policy: Tensor, l_value: Tensor, h: Tensor) -> Tensor:
    """L_policy + c_v L_value - c_e H, without a gradient of the entropy that would be 0."""
    loss = l_policy + c.value_coef * l_value
    return loss - c.entropy_coef * h if c.entropy_coef else loss
