"""Operators, exact solvers with certificates, and exact evaluation of policies."""

from rlkit.solvers.evaluation import average_reward, evaluate_policy, state_distribution
from rlkit.solvers.operators import bellman, best, greedy, policy_kernel, q_values, uniform_policy
from rlkit.solvers.solution import Interval, Solution
from rlkit.solvers.solve import SolveError, solve
from rlkit.solvers.verify import verify

__all__ = [
    "Interval",
    "Solution",
    "SolveError",
    "average_reward",
    "bellman",
    "best",
    "evaluate_policy",
    "greedy",
    "policy_kernel",
    "q_values",
    "solve",
    "state_distribution",
    "uniform_policy",
    "verify",
]
