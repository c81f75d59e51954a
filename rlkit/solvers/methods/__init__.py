"""The methods that `solve` chooses from: public functions, which `trace=` follows sweep by sweep."""

from rlkit.solvers.methods.fractions import solve_in_fractions as solve_in_fractions
from rlkit.solvers.methods.linear_programming import linear_programming as linear_programming
from rlkit.solvers.methods.policy_iteration import policy_iteration as policy_iteration
from rlkit.solvers.methods.prioritized import prioritized_sweeping as prioritized_sweeping
from rlkit.solvers.methods.synchronous import (
    modified_policy_iteration as modified_policy_iteration,
    synchronous as synchronous,
)
from rlkit.solvers.methods.value_iteration import (
    gauss_seidel as gauss_seidel,
    value_iteration as value_iteration,
)
from rlkit.solvers.methods.values import (
    Sweep as Sweep,
    Trace as Trace,
    Values as Values,
    near_enough as near_enough,
    reporter as reporter,
)
