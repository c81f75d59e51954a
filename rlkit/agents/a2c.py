"""Advantage actor-critic (Mnih et al. 2016) and REINFORCE (Williams 1992): one step along the policy gradient

    grad L = -E[A_t grad log pi(a_t | x_t)] + c_v grad L_value - c_e grad H

for each rollout. A2C estimates advantages by GAE over short rollouts. REINFORCE is the same with lambda = 1
over long ones: what an episode truly paid after a step, minus the critic as its baseline, which also stands
for what lies beyond a time limit or the end of the rollout.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rlkit.experience.rollout import Batch

from .actor_critic import ActorCriticAgent, ActorCriticConfig
from .config import AgentConfig
from .losses import policy_gradient, value_loss
from .ppo import normalise


@dataclass(frozen=True, kw_only=True)
class A2CConfig(ActorCriticConfig):
    """Short rollouts in many environments."""

    num_envs: int = 16
    rollout_steps: int = 8
    gae_lambda: float = 0.95
    learning_rate: float = 2e-3
    normalize_advantage: bool = False


class A2C(ActorCriticAgent):
    """Advantage actor-critic."""

    name: ClassVar[str] = "a2c"
    Config: ClassVar[type[AgentConfig]] = A2CConfig
    config: A2CConfig

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        c, b = self.config, batch
        params, value = self.network(b.obs, b.state, b.reset)
        action, _, *rest = b.columns
        log_prob, h = (b.keep(x) for x in self.head.log_prob_and_entropy(params, action, b.mask))
        advantage, target = (b.keep(x) for x in rest)
        if c.normalize_advantage:
            advantage = normalise(advantage)

        l_policy = policy_gradient(log_prob=log_prob, advantage=advantage)
        l_value, h = value_loss(b.keep(value), target), h.mean()
        grad_norm = self._descend(self._loss(l_policy, l_value, h))
        return {"policy_loss": l_policy, "value_loss": l_value, "entropy": h, "grad_norm": grad_norm}


@dataclass(frozen=True, kw_only=True)
class REINFORCEConfig(A2CConfig):
    """Long rollouts, so that most episodes end within one."""

    rollout_steps: int = 64
    gae_lambda: float = 1.0
    learning_rate: float = 5e-3
    normalize_advantage: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(1, 1, "gae_lambda")


class REINFORCE(A2C):
    """REINFORCE with a learned baseline."""

    name: ClassVar[str] = "reinforce"
    Config: ClassVar[type[AgentConfig]] = REINFORCEConfig
