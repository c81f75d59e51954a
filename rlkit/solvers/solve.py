"""One door to the solvers: look at the model, choose a method, say why, return a certificate."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.errors import RlkitError
from rlkit.solvers.graph import Components, components
from rlkit.solvers.iteration import (
    Bounded,
    certify_discounted,
    certify_total,
    policy_iteration,
    proper_greedy,
    value_iteration,
)
from rlkit.solvers.operators import bellman, best, greedy, q_values
from rlkit.solvers.solution import HorizonSolution, Solution
from rlkit.solvers.total import core, lift_choices

METHODS = ("auto", "value-iteration", "policy-iteration")


class SolveError(RlkitError, ValueError):
    """An argument of `solve` out of range."""


SMALL = 20_000  # states up to which a sparse LU of the whole model is cheap


def solve(
    mdp: MDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    minimize: bool = False,
    epsilon: float = 1e-6,
    method: str = "auto",
    max_sweeps: int = 100_000,
) -> Solution:
    """Solve an MDP and return value, policy and certificate.

    The objective is discounted reward for gamma < 1, total reward for gamma = 1, and the reward of the
    first `horizon` steps if one is given; gamma is the model's discount unless given. Raises `SolveError`
    for arguments out of range.
    """
    gamma = mdp.discount if gamma is None else gamma
    if not 0 <= gamma <= 1:
        raise SolveError(f"gamma must lie in [0, 1], not {gamma}")
    if not epsilon > 0:
        raise SolveError(f"epsilon must be positive, not {epsilon}")
    if method not in METHODS:
        raise SolveError(f"method {method!r} is none of {', '.join(METHODS)}")
    if horizon is not None and horizon < 0:
        raise SolveError(f"horizon must not be negative, not {horizon}")
    started = time.perf_counter()
    problem = replace(mdp, reward=-mdp.reward, transition_reward=None) if minimize else mdp
    solution = (
        _stationary(problem, gamma, epsilon, method, max_sweeps)
        if horizon is None
        else _backward_induction(problem, gamma, epsilon, horizon)
    )
    if minimize:
        solution = replace(
            solution,
            mdp=mdp,
            direction="minimize",
            value=-solution.value,
            lower=-solution.upper,
            upper=-solution.lower,
        )
        if isinstance(solution, HorizonSolution):
            solution = replace(solution, next_value=-solution.next_value)
    return replace(solution, seconds=time.perf_counter() - started)


def _stationary(mdp: MDP, gamma: float, epsilon: float, method: str, max_sweeps: int) -> Solution:
    order = components(mdp)
    chosen, reason = _choose(mdp, order, method)
    if order.acyclic:
        value, sweeps = value_iteration(mdp, gamma=gamma, epsilon=epsilon, max_sweeps=1, order=order)
        found = Bounded(value, value, value, greedy(mdp, q_values(mdp, value, gamma)), sweeps)
    elif gamma < 1:
        found = _discounted(mdp, gamma, epsilon, chosen, max_sweeps, order)
    else:
        found = _total(mdp, epsilon, chosen, max_sweeps)
    return Solution(
        mdp=mdp,
        objective="discounted" if gamma < 1 else "total",
        direction="maximize",
        gamma=gamma,
        horizon=None,
        value=found.value,
        lower=found.lower,
        upper=found.upper,
        choice=found.choice,
        method=chosen,
        reason=reason,
        epsilon=epsilon,
        sweeps=found.sweeps,
        residual=_residual(mdp, found.value, gamma),
        seconds=0.0,
    )


def _choose(mdp: MDP, order: Components, method: str) -> tuple[str, str]:
    sizes = np.diff(order.ptr)
    share = sizes[order.cyclic].max(initial=0) / mdp.n_states
    shape = "acyclic" if order.acyclic else f"{share:.0%} of its {mdp.n_states} states in one cycle"
    if method != "auto":
        return method, f"asked for; the model is {shape}"
    if order.acyclic:
        return "value-iteration", "the model is acyclic: one sweep, successors first, is exact"
    if mdp.n_states <= SMALL:
        return "policy-iteration", f"{shape}: small enough to solve each policy exactly"
    return "value-iteration", f"{shape}: too large to factorise for every policy"


def _discounted(
    mdp: MDP, gamma: float, epsilon: float, method: str, max_sweeps: int, order: Components
) -> Bounded:
    if method == "policy-iteration":
        first = greedy(mdp, mdp.reward)
        value, _, sweeps = policy_iteration(mdp, first, gamma=gamma, max_rounds=max_sweeps)
    else:
        value, sweeps = value_iteration(mdp, gamma=gamma, epsilon=epsilon, max_sweeps=max_sweeps, order=order)
    return certify_discounted(mdp, value, gamma=gamma)._replace(sweeps=sweeps)


def _total(mdp: MDP, epsilon: float, method: str, max_sweeps: int) -> Bounded:
    reduced = core(mdp)
    inner, choice, sweeps = reduced.mdp, reduced.proper, 0
    if method == "value-iteration":
        value, sweeps = value_iteration(
            inner, gamma=1.0, epsilon=epsilon, max_sweeps=max_sweeps, order=components(inner)
        )
        choice = proper_greedy(inner, value, choice)
    found = certify_total(inner, choice, epsilon=epsilon, max_rounds=max_sweeps)

    known = reduced.known
    undecided = np.isnan(known)
    spread = (
        np.where(known != 0, known, found.value),
        np.where(undecided, -np.inf, np.where(known != 0, known, found.lower)),
        np.where(undecided, np.inf, np.where(known != 0, known, found.upper)),
    )
    value, lower, upper = (x[reduced.state] for x in spread)
    return Bounded(value, lower, upper, lift_choices(mdp, reduced, found.choice), sweeps + found.sweeps)


def _backward_induction(mdp: MDP, gamma: float, epsilon: float, horizon: int) -> HorizonSolution:
    value = later = np.zeros(mdp.n_states)
    plan: list[IntArray] = []
    for _ in range(horizon):
        later = value
        q = q_values(mdp, later, gamma)
        value = best(mdp, q)
        plan.append(greedy(mdp, q))
    steps = np.array(plan[::-1]) if plan else np.empty((0, mdp.n_states), dtype=np.int64)
    return HorizonSolution(
        mdp=mdp,
        objective="finite-horizon",
        direction="maximize",
        gamma=gamma,
        horizon=horizon,
        value=value,
        lower=value,
        upper=value,
        choice=steps[0] if plan else np.where(mdp.terminal, -1, mdp.state_ptr[:-1]),
        method="backward-induction",
        reason="a horizon is given: one exact backup a step",
        epsilon=epsilon,
        sweeps=horizon,
        residual=0.0,
        seconds=0.0,
        plan=steps,
        next_value=later,
    )


def _residual(mdp: MDP, value: FloatArray, gamma: float) -> float:
    finite = np.isfinite(value)
    with np.errstate(invalid="ignore"):
        change = bellman(mdp, value, gamma) - value
    return float(np.abs(change[finite]).max(initial=0.0))
