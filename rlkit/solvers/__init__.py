"""Operators, exact solvers with certificates, and exact evaluation of policies."""

from rlkit.solvers.evaluation import evaluate_policy, state_distribution
from rlkit.solvers.operators import bellman, best, greedy, policy_kernel, q_values, uniform_policy
from rlkit.solvers.solution import Interval, Solution
from rlkit.solvers.solve import SolveError, solve

__all__ = [
    "Interval",
    "Solution",
    "SolveError",
    "bellman",
    "best",
    "evaluate_policy",
    "greedy",
    "policy_kernel",
    "q_values",
    "solve",
    "state_distribution",
    "uniform_policy",
]
