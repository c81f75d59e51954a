"""Agents that learn on any Gymnasium environment, and on rlkit's own, with exact treatment of time limits."""

from rlkit.errors import (
    AgentError as AgentError,
    ConfigError as ConfigError,
    EnvironmentFault as EnvironmentFault,
    LoadError as LoadError,
    NonFiniteError as NonFiniteError,
    NothingLearned as NothingLearned,
    StepsError as StepsError,
    UnsupportedError as UnsupportedError,
)
from rlkit.experience.evaluation import Evaluation as Evaluation
from rlkit.registry import find, names

from .a2c import (
    A2C as A2C,
    REINFORCE as REINFORCE,
    A2CConfig as A2CConfig,
    REINFORCEConfig as REINFORCEConfig,
)
from .agent import ActionValueAgent as ActionValueAgent, Agent as Agent, CriticAgent as CriticAgent
from .config import AgentConfig as AgentConfig
from .dqn import DQN as DQN, DQNConfig as DQNConfig, Rainbow as Rainbow, RainbowConfig as RainbowConfig
from .learner import Learner as Learner, NeuralLearner as NeuralLearner
from .ppo import PPO as PPO, PPOConfig as PPOConfig
from .pqn import PQN as PQN, PQNConfig as PQNConfig
from .presets import default_steps as default_steps
from .sac import SAC as SAC, SACConfig as SACConfig
from .tabular.base import TabularConfig as TabularConfig
from .tabular.learners import (
    MC as MC,
    DoubleQ as DoubleQ,
    DynaQ as DynaQ,
    ExpectedSarsa as ExpectedSarsa,
    NStepSarsa as NStepSarsa,
    PrioritizedSweeping as PrioritizedSweeping,
    QLambda as QLambda,
    QLearning as QLearning,
    Sarsa as Sarsa,
    TDLambda as TDLambda,
)

AGENTS: dict[str, type[Agent]] = {name: find("agent", name) for name in names("agent")}
NEURAL = {name: agent for name, agent in AGENTS.items() if issubclass(agent.Learner, NeuralLearner)}
TABULAR = {name: agent for name, agent in AGENTS.items() if name not in NEURAL}
