"""Proximal policy optimisation (Schulman et al. 2017) with exact treatment of time limits.

Rollouts of T steps in B environments; advantages by GAE; several epochs of minibatches on

    L = L_clip + c_v L_value - c_e H

where L_clip is the clipped surrogate, L_value half the squared error to the lambda-return, H the entropy.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import Tensor, nn

from rlkit.experience.experience import Experience, Figures
from rlkit.experience.rollout import Batch, Rollout, Rollouts
from rlkit.experience.stepper import Stepper
from rlkit.nn import Encoder, Head, distribution
from rlkit.settings import option

from .actor_critic import PROBES, ActorCriticConfig, actor_critic, total_loss, with_advantages
from .agent import CriticAgent
from .learner import NeuralLearner
from .losses import kl_estimate, ppo_clip, value_loss


@dataclass(frozen=True, kw_only=True)
class PPOConfig(ActorCriticConfig):
    """With memory a minibatch is some of the environments over the whole rollout, else any of its steps."""

    probe_options: ClassVar = {**PROBES, "rollout_steps": 16, "minibatches": 2}

    epochs: int = option(4, "Passes over a rollout", least=1, search=(1, 2, 4, 8, 16))
    minibatches: int = option(4, "Minibatches in a pass", least=1, search=(1, 2, 4, 8, 16))
    clip: float = option(0.2, "Clip range of the probability ratio", positive=True, search=(0.1, 0.4))


class PPOLearner(NeuralLearner):
    """Several epochs of minibatches on each rollout."""

    config: PPOConfig

    def check_actions(self, space: Space[Any]) -> None:
        """Discrete, MultiDiscrete and Box."""
        distribution(space)

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """An actor and a critic."""
        return actor_critic(encoder, self.action_space, self.config, generator)

    def experience(self, stepper: Stepper) -> Experience:
        """Rollouts of the present policy."""
        return Rollouts(stepper, self)

    def batch(self, given: Rollout) -> Batch:
        """The rollout with advantages."""
        return with_advantages(self, given)

    def update(self, batch: Batch) -> Figures:
        """L_clip + c_v L_value - c_e H on every minibatch."""
        c = self.config
        for _ in range(c.epochs):
            for b in batch.minibatches(c.minibatches, self.generator):
                params, value = self.network(b.obs, b.state, b.reset)
                action, *rest = b.columns
                log_prob, h = (b.keep(x) for x in self.head.log_prob_and_entropy(params, action, b.mask))
                old_log_prob, advantage, target = (b.keep(x) for x in rest)
                if c.normalize_advantage:
                    advantage = normalise(advantage)

                l_clip = ppo_clip(
                    log_prob=log_prob, old_log_prob=old_log_prob, advantage=advantage, clip=c.clip
                )
                l_value, h = value_loss(b.keep(value), target), h.mean()
                grad_norm = self.descend(total_loss(c, l_clip, l_value, h))

        kl = kl_estimate(log_prob=log_prob, old_log_prob=old_log_prob)
        return {"policy_loss": l_clip, "value_loss": l_value, "entropy": h, "kl": kl, "grad_norm": grad_norm}


class PPO(CriticAgent):
    """Proximal policy optimisation."""

    name = "ppo"
    Config = PPOConfig
    Learner = PPOLearner


def normalise(advantage: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1; a single advantage, or equal ones, become 0."""
    return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
