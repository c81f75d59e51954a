"""Operators, exact solvers with certificates, and exact evaluation of policies."""

from rlkit.solvers.evaluation import (
    average_reward as average_reward,
    evaluate_policy as evaluate_policy,
    state_distribution as state_distribution,
)
from rlkit.solvers.operators import (
    backward_induction as backward_induction,
    bellman as bellman,
    best as best,
    greedy as greedy,
    policy_kernel as policy_kernel,
    q_values as q_values,
    uniform_policy as uniform_policy,
)
from rlkit.solvers.optima import Optimum as Optimum, optimum as optimum
from rlkit.solvers.options import SolveError as SolveError
from rlkit.solvers.partial.belief import Beliefs as Beliefs, belief_mdp as belief_mdp
from rlkit.solvers.partial.bounds import BeliefBounds as BeliefBounds, belief_bounds as belief_bounds
from rlkit.solvers.partial.memoryless import (
    MemoryGain as MemoryGain,
    Stochastic as Stochastic,
    best_memoryless as best_memoryless,
    memory_gain as memory_gain,
    stochastic_memoryless as stochastic_memoryless,
)
from rlkit.solvers.partial.point_based import point_based as point_based
from rlkit.solvers.partial.stationary import Stationary as Stationary, best_stationary as best_stationary
from rlkit.solvers.solution import Interval as Interval, Solution as Solution
from rlkit.solvers.solve import solve as solve
from rlkit.solvers.verify import verify as verify
