"""What can be asked of an MDP, each question reduced to one that has a single answer.

Every function maximises or minimises and returns a value with bounds for every state. Minimising is
maximising the negated reward; of two bounds the roles change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.certificate import Bounded, certify_by_steps, certify_discounted, certify_total
from rlkit.solvers.gain import component_gains
from rlkit.solvers.graph import any_transition, components, end_components, forced, surely_reaching, toward
from rlkit.solvers.iteration import (
    policy_iteration,
    synchronous_iteration,
    value_iteration,
)
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.options import Options
from rlkit.solvers.reduction import any_inside, core, lift_choices, merge, with_choices
from rlkit.solvers.solution import gap

SMALL = 2_000  # states up to which a factorisation is always cheap
PATIENCE = 2_000  # sweeps worth making before a factorisation


def acyclic(mdp: MDP, gamma: float, options: Options) -> Bounded:
    """Reward of any discount on a DAG: one sweep, successors first, is exact (Lemma 6.42)."""
    problem = _signed(mdp, options)
    order = components(mdp)
    value, sweeps = value_iteration(problem, gamma=gamma, tolerance=0.0, max_sweeps=1, order=order)
    choice = greedy(problem, q_values(problem, value, gamma))
    return _unsigned(Bounded(value, value, value, choice, sweeps, "value-iteration"), options)


def discounted(mdp: MDP, gamma: float, options: Options) -> Bounded:
    """Expected sum of gamma^t r_t, for gamma < 1: one method after the other until the bounds are tight."""
    problem = _signed(mdp, options)
    found = certify_discounted(problem, np.zeros(mdp.n_states), gamma=gamma)
    sweeps = 0
    for method in _methods(options, mdp.n_states, mixing="synchronous"):
        if method == "synchronous":
            value, more = synchronous_iteration(problem, gamma=gamma, epsilon=options.epsilon)
        elif method == "value-iteration":
            value, more = value_iteration(
                problem,
                gamma=gamma,
                tolerance=0.25 * options.epsilon * (1 - gamma),
                max_sweeps=_patience(options),
                order=components(problem),
            )
        else:
            value, _, more = policy_iteration(
                problem, found.choice, gamma=gamma, max_rounds=options.max_sweeps
            )
        sweeps += more
        found = certify_discounted(problem, value, gamma=gamma)._replace(sweeps=sweeps, method=method)
        if gap(found.value, found.lower, found.upper) <= options.epsilon:
            break
    return _unsigned(found, options)


def total(mdp: MDP, options: Options) -> Bounded:
    """Expected sum of all rewards, without discount; inf and -inf where it has no bound."""
    return _unsigned(_shortest_path(_signed(mdp, options), options), options)


def reach_probability(mdp: MDP, target: BoolArray, options: Options) -> Bounded:
    """Probability of ever being in the target, 1 inside it."""
    owner, sizes = mdp.state_of_choice, np.diff(mdp.choice_ptr)
    entering = np.where(target[mdp.successor], mdp.probability, 0.0)
    reward: FloatArray = np.bincount(
        np.repeat(np.arange(mdp.n_choices), sizes), weights=entering, minlength=mdp.n_choices
    ).astype(np.float64)
    problem = with_choices(mdp, ~target[owner], reward=reward)
    found = _unsigned(_shortest_path(_signed(problem, options), options), options)
    value, lower, upper = (np.clip(np.where(target, 1.0, x), 0, 1) for x in found[:3])
    return Bounded(value, lower, upper, _number_in(~target[owner], found), found.sweeps, found.method)


def reach_reward(mdp: MDP, target: BoolArray, options: Options) -> Bounded:
    """Reward collected before the target is entered.

    It is inf where the target is missed with positive probability: under every policy when minimising,
    under some policy when maximising.
    """
    moving = ~target[mdp.state_of_choice]
    if options.minimize:
        finite, _ = surely_reaching(with_choices(mdp, moving), target)
    else:
        missing = ~(target | forced(mdp, target))
        finite = ~(missing | (toward(mdp, missing, moving) >= 0))
    kept = moving & finite[mdp.state_of_choice] & ~any_transition(mdp, ~finite[mdp.successor])
    problem = with_choices(mdp, kept)
    found = _unsigned(_shortest_path(_signed(problem, options), options, may_stop=False), options)
    value, lower, upper = (np.where(finite, np.where(target, 0.0, x), np.inf) for x in found[:3])
    choice = _number_in(kept, found)
    choice = np.where((choice < 0) & ~mdp.terminal & ~target, mdp.state_ptr[:-1], choice)
    return Bounded(value, lower, upper, choice, found.sweeps, found.method)


def average(mdp: MDP, options: Options) -> Bounded:
    """Long-run reward a step; where an episode ends, 0 from then on. It may differ from state to state.

    Every policy ends up in end components, and the best it can do there is stay in one with the best gain
    of that component (de Alfaro 1997; Puterman 1994, section 9.5).
    """
    problem = _signed(mdp, options)
    label, inside = end_components(problem, np.ones(mdp.n_choices, dtype=np.bool_))
    gains = component_gains(problem, label, inside, epsilon=options.epsilon, max_sweeps=options.max_sweeps)
    quotient = merge(replace(problem, reward=np.zeros(mdp.n_choices)), label, inside, gains.value)
    model = quotient.mdp
    _, proper = surely_reaching(model, model.terminal)
    found = certify_total(model, proper, epsilon=options.epsilon, max_rounds=options.max_sweeps)
    below = (gains.value - gains.lower).max(initial=0.0)
    above = (gains.upper - gains.value).max(initial=0.0)
    spread = (found.value, found.lower - below, found.upper + above)
    value, lower, upper = (x[quotient.state] for x in spread)
    lower[mdp.terminal] = upper[mdp.terminal] = 0.0
    choice = lift_choices(problem, quotient, found.choice, gains.choice)
    bounded = Bounded(value, lower, upper, choice, gains.sweeps + found.sweeps, "value-iteration")
    return _unsigned(bounded, options)


class Plan(NamedTuple):
    """What to do with H, H-1, ..., 1 steps to go, and the value left after the first of them."""

    choice: IntArray  # [H, S]
    later: FloatArray  # [S]


def finite_horizon(mdp: MDP, gamma: float, horizon: int, options: Options) -> tuple[Bounded, Plan]:
    """Reward of the first `horizon` steps, by backward induction."""
    problem = _signed(mdp, options)
    value = later = np.zeros(mdp.n_states)
    plan = np.empty((horizon, mdp.n_states), dtype=np.int32)
    for step in reversed(range(horizon)):
        q = q_values(problem, value, gamma)
        value, later = best(problem, q), value
        plan[step] = greedy(problem, q)
    choice = plan[0] if horizon else np.where(mdp.terminal, -1, mdp.state_ptr[:-1])
    found = _unsigned(Bounded(value, value, value, choice, horizon, "backward-induction"), options)
    return found, Plan(plan, -later if options.minimize else later)


def _shortest_path(mdp: MDP, options: Options, *, may_stop: bool = True) -> Bounded:
    reduced = core(mdp, may_stop=may_stop)
    inner, choice, sweeps = reduced.quotient.mdp, reduced.proper, 0
    for method in _methods(options, inner.n_states):
        if method == "value-iteration":
            found = _by_sweeps(inner, choice, options)
        else:
            found = certify_total(inner, choice, epsilon=options.epsilon, max_rounds=options.max_sweeps)
        sweeps, choice = sweeps + found.sweeps, found.choice
        found = found._replace(sweeps=sweeps, method=method)
        if gap(found.value, found.lower, found.upper) <= options.epsilon:
            break

    known = reduced.known
    undecided = np.isnan(known)
    spread = (
        np.where(known != 0, known, found.value),
        np.where(undecided, -np.inf, np.where(known != 0, known, found.lower)),
        np.where(undecided, np.inf, np.where(known != 0, known, found.upper)),
    )
    value, lower, upper = (x[reduced.quotient.state] for x in spread)
    stay = any_inside(mdp, reduced.quotient.inside)
    choice = lift_choices(mdp, reduced.quotient, found.choice, stay)
    return Bounded(value, lower, upper, choice, found.sweeps, found.method)


def _by_sweeps(inner: MDP, proper: IntArray, options: Options) -> Bounded:
    order, patience = components(inner), _patience(options)
    value, sweeps = value_iteration(
        inner, gamma=1.0, tolerance=1e-4 * options.epsilon, max_sweeps=patience, order=order
    )
    found = certify_by_steps(inner, value, proper, order=order, max_sweeps=patience)
    return found._replace(sweeps=sweeps + found.sweeps)


def _methods(options: Options, states: int, *, mixing: str | None = None) -> tuple[str, ...]:
    """The methods to try in turn: sweeps are cheap where a model mixes, factorisations where it does not."""
    if options.method != "auto":
        return (options.method,)
    if states <= SMALL:
        return ("policy-iteration",)
    return tuple(m for m in (mixing, "value-iteration", "policy-iteration") if m is not None)


def _patience(options: Options) -> int:
    return PATIENCE if options.method == "auto" else options.max_sweeps


def _signed(mdp: MDP, options: Options) -> MDP:
    return replace(mdp, reward=-mdp.reward, transition_reward=None) if options.minimize else mdp


def _unsigned(found: Bounded, options: Options) -> Bounded:
    if not options.minimize:
        return found
    return found._replace(value=-found.value, lower=-found.upper, upper=-found.lower)


def _number_in(kept: BoolArray, found: Bounded) -> IntArray:
    """Choices of a model of which only some were kept, by their number in the whole model."""
    numbers = np.flatnonzero(kept)
    return np.where(found.choice >= 0, np.append(numbers, -1)[found.choice], -1)
