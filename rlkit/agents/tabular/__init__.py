"""Tabular agents: one number for every state and action (Sutton and Barto 2018, chapters 5 to 8)."""

from .base import TabularConfig
from .learners import (
    MC,
    DoubleQ,
    DynaQ,
    ExpectedSarsa,
    NStepSarsa,
    PrioritizedSweeping,
    QLambda,
    QLearning,
    Sarsa,
    TDLambda,
)

__all__ = [
    "MC",
    "DoubleQ",
    "DynaQ",
    "ExpectedSarsa",
    "NStepSarsa",
    "PrioritizedSweeping",
    "QLambda",
    "QLearning",
    "Sarsa",
    "TDLambda",
    "TabularConfig",
]
