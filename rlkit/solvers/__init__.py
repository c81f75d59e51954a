"""Operators, exact solvers with certificates, and exact evaluation of policies."""

from rlkit.solvers.evaluation import average_reward, evaluate_policy, state_distribution
from rlkit.solvers.operators import bellman, best, greedy, policy_kernel, q_values, uniform_policy
from rlkit.solvers.solution import Interval, Solution
from rlkit.solvers.solve import SolveError, solve
from rlkit.solvers.stationary import Stationary, best_stationary
from rlkit.solvers.verify import verify

__all__ = [
    "Interval",
    "Solution",
    "SolveError",
    "Stationary",
    "average_reward",
    "bellman",
    "best",
    "best_stationary",
    "evaluate_policy",
    "greedy",
    "policy_kernel",
    "q_values",
    "solve",
    "state_distribution",
    "uniform_policy",
    "verify",
]
