"""Agents that learn on any Gymnasium environment, and on rlkit's own, with exact treatment of time limits."""

from rlkit.settings import ConfigError

from .base import Agent
from .config import AgentConfig
from .dqn import DQN, DQNConfig
from .errors import AgentError, LoadError, NonFiniteError, StepsError, UnsupportedError
from .evaluation import Evaluation
from .ppo import PPO, PPOConfig
from .presets import default_steps

AGENTS: dict[str, type[Agent]] = {agent.name: agent for agent in (DQN, PPO)}

__all__ = [
    "AGENTS",
    "DQN",
    "PPO",
    "Agent",
    "AgentConfig",
    "AgentError",
    "ConfigError",
    "DQNConfig",
    "Evaluation",
    "LoadError",
    "NonFiniteError",
    "PPOConfig",
    "StepsError",
    "UnsupportedError",
    "default_steps",
]
