"""Operators, exact solvers with certificates, and exact evaluation of policies."""

from rlkit.solvers.evaluation import average_reward, evaluate_policy, state_distribution
from rlkit.solvers.operators import (
    backward_induction,
    bellman,
    best,
    greedy,
    policy_kernel,
    q_values,
    uniform_policy,
)
from rlkit.solvers.optima import Optimum, optimum
from rlkit.solvers.options import SolveError
from rlkit.solvers.partial.belief import Beliefs, belief_mdp
from rlkit.solvers.partial.bounds import BeliefBounds, belief_bounds
from rlkit.solvers.partial.memoryless import (
    MemoryGain,
    Memoryless,
    Stochastic,
    best_memoryless,
    memory_gain,
    stochastic_memoryless,
)
from rlkit.solvers.partial.point_based import point_based
from rlkit.solvers.partial.stationary import Stationary, best_stationary
from rlkit.solvers.solution import Interval, Solution
from rlkit.solvers.solve import solve
from rlkit.solvers.verify import verify

__all__ = [
    "BeliefBounds",
    "Beliefs",
    "Interval",
    "MemoryGain",
    "Memoryless",
    "Optimum",
    "Solution",
    "SolveError",
    "Stationary",
    "Stochastic",
    "average_reward",
    "backward_induction",
    "belief_bounds",
    "belief_mdp",
    "bellman",
    "best",
    "best_memoryless",
    "best_stationary",
    "evaluate_policy",
    "greedy",
    "memory_gain",
    "optimum",
    "point_based",
    "policy_kernel",
    "q_values",
    "solve",
    "state_distribution",
    "stochastic_memoryless",
    "uniform_policy",
    "verify",
]
