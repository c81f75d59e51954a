"""Prioritized sweeping: always the state that may change most."""

import numpy as np

from rlkit.core.mdp import MDP
from rlkit.solvers.backends.kernels import arrays, kernel, prioritized
from rlkit.solvers.methods.value_iteration import limits, per_state, stretch_of
from rlkit.solvers.methods.values import Trace, Values, begin, near_enough


def prioritized_sweeping(
    mdp: MDP,
    *,
    gamma: float | None = None,
    epsilon: float = 1e-6,
    max_sweeps: int = 100_000,
    give_up: bool = False,
    trace: Trace | None = None,
) -> Values:
    """Back up next the state that may change most (Moore and Atkeson 1993); a sweep is one state's backup."""
    gamma, report = begin("prioritized_sweeping", mdp, gamma, trace)
    most, _ = limits(mdp, max_sweeps, give_up)
    v, into = np.zeros(mdp.n_states), mdp.incoming
    run = kernel(prioritized, mdp.n_transitions * most) if report is None else prioritized
    edges = (mdp.state_of_choice, into.indptr, into.indices, into.data)
    enough, stretch = near_enough(epsilon, gamma), stretch_of(mdp, gamma)
    backups = run(arrays(mdp), gamma, stretch, v, *edges, enough, most * mdp.n_states, report)
    return Values(v, per_state(mdp, backups))
