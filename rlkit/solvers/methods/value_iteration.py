"""Value iteration in place: component after component, or all states in their order."""

import numpy as np

from rlkit.core.mdp import MDP, FloatArray
from rlkit.solvers.backends.kernels import arrays, kernel, settle, stretches, unsigned
from rlkit.solvers.graph import SEARCH, Components, components, one_component
from rlkit.solvers.methods.values import Report, Trace, Values, begin, near_enough
from rlkit.solvers.options import MEDIUM, check_kind


def value_iteration(
    mdp: MDP,
    *,
    gamma: float | None = None,
    epsilon: float = 1e-6,
    max_sweeps: int = 100_000,
    give_up: bool = False,
    order: Components | None = None,
    trace: Trace | None = None,
) -> Values:
    """Algorithm 6.41, component after component, successors first, to and fro.

    Without a cycle one sweep is exact (Lemma 6.42). Elsewhere sweeping ends when no value of a component
    changes by much, which does not mean a small error. `order` are the components of the model. With
    `give_up` it ends where the progress so far promises too little. `trace` gets each sweep of a component.
    """
    gamma, report = begin("value_iteration", mdp, gamma, trace)
    return sweep_in_place(
        mdp,
        gamma=gamma,
        tolerance=near_enough(epsilon, gamma),
        limits=limits(mdp, max_sweeps, give_up),
        order=components(mdp) if order is None else order,
        report=report,
    )


def gauss_seidel(
    mdp: MDP,
    *,
    gamma: float | None = None,
    epsilon: float = 1e-6,
    max_sweeps: int = 100_000,
    trace: Trace | None = None,
) -> Values:
    """Value iteration in place over all states in their order, to and fro (Puterman 1994, section 6.3.3)."""
    check_kind("gauss_seidel", mdp, MDP)
    return value_iteration(
        mdp, gamma=gamma, epsilon=epsilon, max_sweeps=max_sweeps, order=one_component(mdp), trace=trace
    )


def limits(mdp: MDP, max_sweeps: int, give_up: bool) -> tuple[int, int]:
    """The most sweeps of a component, and those after which it is judged whether they will be enough."""
    if not give_up:
        return max_sweeps, max_sweeps
    return (300, 50) if mdp.n_states <= MEDIUM else (2_000, 2_000)


def sweep_in_place(
    mdp: MDP,
    *,
    gamma: float,
    tolerance: float,
    limits: tuple[int, int],
    order: Components,
    report: Report | None = None,
) -> Values:
    """Values by sweeps until no value of a component changes by more than `tolerance`; certify before use."""
    v = np.zeros(mdp.n_states)
    visits = mdp.n_transitions * (1 if order.acyclic else limits[0])
    run = kernel(settle, visits) if report is None else settle
    listing = (unsigned(order.order), unsigned(order.ptr), order.cyclic)
    stretch = np.ones(mdp.n_choices) if order.acyclic else stretch_of(mdp, gamma)
    backups = run(arrays(mdp), gamma, stretch, v, *listing, tolerance, *limits, report)
    return Values(v, per_state(mdp, backups))


def stretch_of(mdp: MDP, gamma: float) -> FloatArray:
    """How often each choice is taken in a row where it is taken until it leaves, [C]."""
    return kernel(stretches, SEARCH * mdp.n_transitions)(arrays(mdp), gamma)


def per_state(mdp: MDP, backups: int) -> int:
    """How often each state was backed up, on average and rounded up."""
    return -(-backups // max(mdp.n_states - int(mdp.terminal.sum()), 1))
