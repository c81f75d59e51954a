"""Advantage actor-critic (Mnih et al. 2016) and REINFORCE (Williams 1992): one step along the policy gradient

    grad L = -E[A_t grad log pi(a_t | x_t)] + c_v grad L_value - c_e grad H

for each rollout. A2C estimates advantages by GAE over short rollouts. REINFORCE is the same with lambda = 1
over long ones: what an episode truly paid after a step, minus the critic as its baseline, which also stands
for what lies beyond a time limit or the end of the rollout.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import nn

from rlkit.experience.experience import Experience, Figures
from rlkit.experience.rollout import Batch, Rollout, Rollouts
from rlkit.experience.stepper import Stepper
from rlkit.nn import Encoder, Head, distribution
from rlkit.settings import option

from .actor_critic import PROBES, ActorCriticConfig, actor_critic, total_loss, with_advantages
from .agent import CriticAgent
from .learner import NeuralLearner
from .losses import policy_gradient, value_loss
from .ppo import normalise


@dataclass(frozen=True, kw_only=True)
class A2CConfig(ActorCriticConfig):
    """Short rollouts in many environments."""

    probe_options: ClassVar = {**PROBES, "learning_rate": 1.5e-2, "rollout_steps": 4}
    probe_times: ClassVar = 2

    num_envs: int = 16
    rollout_steps: int = 8
    gae_lambda: float = 0.95
    learning_rate: float = 2e-3
    normalize_advantage: bool = False


class A2CLearner(NeuralLearner):
    """One step for each rollout."""

    config: A2CConfig

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
        """One step along the policy gradient."""
        c, b = self.config, batch
        params, value = self.network(b.obs, b.state, b.reset)
        action, _, *rest = b.columns
        log_prob, h = (b.keep(x) for x in self.head.log_prob_and_entropy(params, action, b.mask))
        advantage, target = (b.keep(x) for x in rest)
        if c.normalize_advantage:
            advantage = normalise(advantage)

        l_policy = policy_gradient(log_prob=log_prob, advantage=advantage)
        l_value, h = value_loss(b.keep(value), target), h.mean()
        grad_norm = self.descend(total_loss(c, l_policy, l_value, h))
        return {"policy_loss": l_policy, "value_loss": l_value, "entropy": h, "grad_norm": grad_norm}


class A2C(CriticAgent):
    """Advantage actor-critic."""

    name = "a2c"
    Config = A2CConfig
    Learner = A2CLearner


@dataclass(frozen=True, kw_only=True)
class REINFORCEConfig(A2CConfig):
    """Long rollouts, so that most episodes end within one."""

    probe_options: ClassVar = {**PROBES, "rollout_steps": 4}
    probe_times: ClassVar = 2

    rollout_steps: int = 64
    gae_lambda: float = option(1.0, "Full returns", least=1, most=1)
    learning_rate: float = 5e-3
    normalize_advantage: bool = True


class REINFORCE(CriticAgent):
    """REINFORCE with a learned baseline."""

    name = "reinforce"
    Config = REINFORCEConfig
    Learner = A2CLearner
