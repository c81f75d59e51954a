"""Agents that learn on any Gymnasium environment, and on rlkit's own, with exact treatment of time limits."""

from rlkit.settings import ConfigError

from .a2c import A2C, REINFORCE, A2CConfig, REINFORCEConfig
from .base import Agent
from .config import AgentConfig
from .dqn import DQN, DQNConfig, Rainbow, RainbowConfig
from .errors import AgentError, LoadError, NonFiniteError, StepsError, UnsupportedError
from .evaluation import Evaluation
from .ppo import PPO, PPOConfig
from .pqn import PQN, PQNConfig
from .presets import default_steps
from .sac import SAC, SACConfig

AGENTS: dict[str, type[Agent]] = {
    agent.name: agent for agent in (A2C, DQN, PPO, PQN, REINFORCE, SAC, Rainbow)
}

__all__ = [
    "A2C",
    "AGENTS",
    "DQN",
    "PPO",
    "PQN",
    "REINFORCE",
    "SAC",
    "A2CConfig",
    "Agent",
    "AgentConfig",
    "AgentError",
    "ConfigError",
    "DQNConfig",
    "Evaluation",
    "LoadError",
    "NonFiniteError",
    "PPOConfig",
    "PQNConfig",
    "REINFORCEConfig",
    "Rainbow",
    "RainbowConfig",
    "SACConfig",
    "StepsError",
    "UnsupportedError",
    "default_steps",
]
