"""The smallest values that no choice improves, by linear programming."""

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.methods.policy_iteration import evaluated, first_policy, improve, proper_greedy
from rlkit.solvers.methods.values import Trace, Values, begin
from rlkit.solvers.operators import greedy, q_values
from rlkit.solvers.options import SolveError


def linear_programming(
    mdp: MDP,
    *,
    gamma: float | None = None,
    max_sweeps: int = 100_000,
    start: IntArray | None = None,
    trace: Trace | None = None,
) -> Values:
    """Values by HiGHS, whose greedy policy is then solved for and, where rounding asks for it, improved."""
    gamma, report = begin("linear_programming", mdp, gamma, trace)
    v = linear_program(mdp, gamma=gamma)
    if report is not None:
        report(v)
    if gamma < 1:
        start = greedy(mdp, q_values(mdp, v, gamma))
    else:
        start = proper_greedy(mdp, v, first_policy(mdp, gamma) if start is None else start)
    found = improve(mdp, evaluated(mdp, start, gamma), gamma=gamma, max_rounds=max_sweeps, report=report)
    return Values(found.value, found.rounds)


def linear_program(mdp: MDP, *, gamma: float) -> FloatArray:
    """Values as the smallest v with v >= r + gamma P v for every choice (Puterman 1994, section 6.9).

    They exist wherever a policy ends; raises `SolveError` where HiGHS is too coarse to find them.
    """
    from scipy.optimize import linprog  # slow to import, and seldom needed

    alive = np.flatnonzero(~mdp.terminal)
    rows = np.arange(mdp.n_choices)
    own = csr_array((np.ones(mdp.n_choices), (rows, mdp.state_of_choice)), shape=mdp.matrix.shape)
    above = (own - gamma * mdp.matrix)[:, alive]
    v = np.zeros(mdp.n_states)
    if len(alive):
        found = linprog(
            np.ones(len(alive)), A_ub=-above, b_ub=-mdp.reward, bounds=(None, None), method="highs"
        )
        if found.x is None:
            raise SolveError(
                "HiGHS did not solve the linear program, take another method "
                "(auto, policy-iteration or exact): its tolerance of 1e-7 is too coarse for this model, "
                f"whose smallest probability is {mdp.probability.min():.3g}"
            )
        v[alive] = found.x
    return v
