"""Agents that learn on any Gymnasium environment, and on rlkit's own, with exact treatment of time limits."""

from rlkit.errors import (
    AgentError,
    ConfigError,
    EnvironmentFault,
    LoadError,
    NonFiniteError,
    NothingLearned,
    StepsError,
    UnsupportedError,
)
from rlkit.experience.evaluation import Evaluation
from rlkit.registry import find, names

from .a2c import A2C, REINFORCE, A2CConfig, REINFORCEConfig
from .agent import ActionValueAgent, Agent, CriticAgent
from .config import AgentConfig
from .dqn import DQN, DQNConfig, Rainbow, RainbowConfig
from .learner import Learner, NeuralLearner
from .ppo import PPO, PPOConfig
from .pqn import PQN, PQNConfig
from .presets import default_steps
from .sac import SAC, SACConfig
from .tabular import (
    MC,
    DoubleQ,
    DynaQ,
    ExpectedSarsa,
    NStepSarsa,
    PrioritizedSweeping,
    QLambda,
    QLearning,
    Sarsa,
    TabularConfig,
    TDLambda,
)

AGENTS: dict[str, type[Agent]] = {name: find("agent", name) for name in names("agent")}
NEURAL = {name: agent for name, agent in AGENTS.items() if issubclass(agent.Learner, NeuralLearner)}
TABULAR = {name: agent for name, agent in AGENTS.items() if name not in NEURAL}

__all__ = [
    "A2C",
    "AGENTS",
    "DQN",
    "MC",
    "NEURAL",
    "PPO",
    "PQN",
    "REINFORCE",
    "SAC",
    "TABULAR",
    "A2CConfig",
    "ActionValueAgent",
    "Agent",
    "AgentConfig",
    "AgentError",
    "ConfigError",
    "CriticAgent",
    "DQNConfig",
    "DoubleQ",
    "DynaQ",
    "EnvironmentFault",
    "Evaluation",
    "ExpectedSarsa",
    "Learner",
    "LoadError",
    "NStepSarsa",
    "NeuralLearner",
    "NonFiniteError",
    "NothingLearned",
    "PPOConfig",
    "PQNConfig",
    "PrioritizedSweeping",
    "QLambda",
    "QLearning",
    "REINFORCEConfig",
    "Rainbow",
    "RainbowConfig",
    "SACConfig",
    "Sarsa",
    "StepsError",
    "TDLambda",
    "TabularConfig",
    "UnsupportedError",
    "default_steps",
]
