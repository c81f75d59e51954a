"""The methods that `solve` chooses from: public functions, which `trace=` follows sweep by sweep."""

from rlkit.solvers.methods.fractions import solve_in_fractions
from rlkit.solvers.methods.linear_programming import linear_programming
from rlkit.solvers.methods.policy_iteration import policy_iteration
from rlkit.solvers.methods.prioritised import prioritised_sweeping
from rlkit.solvers.methods.synchronous import modified_policy_iteration, synchronous
from rlkit.solvers.methods.value_iteration import gauss_seidel, value_iteration
from rlkit.solvers.methods.values import Sweep, Trace, Values, near_enough, reporter

__all__ = [
    "Sweep",
    "Trace",
    "Values",
    "gauss_seidel",
    "linear_programming",
    "modified_policy_iteration",
    "near_enough",
    "policy_iteration",
    "prioritised_sweeping",
    "reporter",
    "solve_in_fractions",
    "synchronous",
    "value_iteration",
]
