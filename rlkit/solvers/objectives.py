"""What can be asked of an MDP, each question reduced to one that has a single answer.

Every function maximises or minimises and returns a value with bounds for every state. Minimising is
maximising the negated reward; of two bounds the roles change.
"""

from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.backends.backups import backup_of
from rlkit.solvers.discounted import certify_discounted
from rlkit.solvers.graph import (
    Components,
    any_transition,
    avoiding,
    components,
    end_components,
    missing,
    surely_reaching,
)
from rlkit.solvers.methods.fractions import gains_in_fractions, small_enough, solve_in_fractions
from rlkit.solvers.methods.linear_programming import linear_program
from rlkit.solvers.methods.policy_iteration import proper_greedy
from rlkit.solvers.methods.run import name_of, run
from rlkit.solvers.methods.value_iteration import sweep_in_place
from rlkit.solvers.operators import backward_induction, greedy
from rlkit.solvers.options import Options
from rlkit.solvers.reduction import Quotient, entering, lift_choices, merge, with_choices
from rlkit.solvers.solution import Bounded, Fractions, gap
from rlkit.solvers.undiscounted.certificate import certify_by_steps, certify_total
from rlkit.solvers.undiscounted.gain import Gains, component_gains
from rlkit.solvers.undiscounted.shortest_path import shortest_path


class Plan(NamedTuple):
    """What to do with H, H-1, ..., 1 steps to go, and the value left after the first of them."""

    choice: IntArray  # [H, S]
    later: FloatArray  # [S]


Solved = tuple[Bounded, Plan | None]


def acyclic(mdp: MDP, gamma: float, order: Components, options: Options) -> Bounded:
    """Reward of any discount on a DAG: one sweep, successors first, is exact (Lemma 6.42)."""
    return _unsigned(_one_sweep(_signed(mdp, options), gamma, order), options)


def _one_sweep(problem: MDP, gamma: float, order: Components) -> Bounded:
    value, sweeps = sweep_in_place(problem, gamma=gamma, tolerance=0.0, limits=(1, 1), order=order)
    choice = backup_of(problem, gamma)(value).choice
    return Bounded(value, value, value, choice, sweeps, "value-iteration")


def discounted(mdp: MDP, gamma: float, order: Components, options: Options) -> Bounded:
    """Expected sum of gamma^t r_t, for gamma < 1: one method after the other until the bounds are tight."""
    problem = _signed(mdp, options)
    found = certify_discounted(problem, np.zeros(mdp.n_states), gamma=gamma)
    sweeps = 0
    for method in options.methods(mdp.n_states, gamma=gamma, largest=order.largest):
        if method == "exact":
            found = solve_in_fractions(problem, gamma=gamma, start=found.choice)
        else:
            value, more = run(method, problem, gamma=gamma, start=found.choice, order=order, options=options)
            found = certify_discounted(problem, value, gamma=gamma)._replace(sweeps=more)
        sweeps += found.sweeps
        found = found._replace(sweeps=sweeps, method=name_of(method))
        if gap(found.value, found.lower, found.upper) <= options.epsilon:
            break
    return _unsigned(found, options)


def total(mdp: MDP, options: Options) -> Bounded:
    """Expected sum of all rewards, without discount; inf and -inf where it has no bound."""
    if options.method == "auto" and not mdp.reward.any():
        zero, first = np.zeros(mdp.n_states), np.where(mdp.terminal, -1, mdp.state_ptr[:-1])
        return Bounded(zero, zero, zero, first, 0, "value-iteration")
    return _unsigned(_shortest_path(_signed(mdp, options), options), options)


def until(mdp: MDP, target: BoolArray, avoid: BoolArray, horizon: int | None, options: Options) -> Solved:
    """Probability of being in the target, ever or within `horizon` steps, without having been in `avoid`.

    States that are in both count as reached. Source: Baier and Katoen 2008, section 10.6.
    """
    if horizon is None and not avoid.any():
        return reach_probability(mdp, target, options), None
    moving = ~(target | avoid)[mdp.state_of_choice]
    problem = with_choices(mdp, moving, reward=entering(mdp, target)).with_reward_decay(0.0)
    plan = None
    if horizon is None:
        found = reach_probability(problem, target, options)
    else:
        found, plan = finite_horizon(problem, 1.0, horizon, options)
        value, later = (np.where(target, 1.0, x) for x in (found.value, plan.later))
        found = found._replace(value=value, lower=value, upper=value)
        plan = Plan(_renumbered(moving, plan.choice), later)
    return found._replace(choice=_renumbered(moving, found.choice)), plan


def reach_probability(mdp: MDP, target: BoolArray, options: Options) -> Bounded:
    """Probability of ever being in the target, 1 inside it.

    Where it is 1 for certain, and where the least is 0, are questions about the graph alone, settled first.
    """
    moving = ~target[mdp.state_of_choice]
    if options.minimize:
        sure, certain = ~missing(mdp, target)[0], np.full(mdp.n_states, -1)
        never, settled = avoiding(mdp, target)
    else:
        sure, certain = surely_reaching(mdp, target, among=moving)
        never, settled = np.zeros(mdp.n_states, dtype=np.bool_), np.full(mdp.n_states, -1)
    moving = ~(sure | never)[mdp.state_of_choice]
    problem = with_choices(mdp, moving, reward=entering(mdp, sure))
    found = _unsigned(_shortest_path(_signed(problem, options), options), options)
    value, lower, upper = (np.clip(np.where(sure, 1.0, x), 0, 1) for x in found[:3])
    fractions = _where(sure, Fraction(1), found.fractions)
    choice = np.where(sure, certain, np.where(never, settled, _renumbered(moving, found.choice)))
    choice = np.where((choice < 0) & ~mdp.terminal & ~target, mdp.state_ptr[:-1], choice)
    return found._replace(value=value, lower=lower, upper=upper, choice=choice, fractions=fractions)


def reach_reward(mdp: MDP, target: BoolArray, options: Options) -> Bounded:
    """Reward collected before the target is entered.

    It is inf where the target is missed with positive probability: under every policy when minimising,
    under some policy when maximising. It is -inf where costs can be lowered without end by putting the
    target off, which no single policy attains; the one returned does not put it off.
    """
    moving = ~target[mdp.state_of_choice]
    missed, endless = missing(mdp, target)
    finite = surely_reaching(with_choices(mdp, moving), target)[0] if options.minimize else ~missed
    kept = moving & finite[mdp.state_of_choice] & ~any_transition(mdp, ~finite[mdp.successor])
    problem = with_choices(mdp, kept)
    found = _unsigned(_shortest_path(_signed(problem, options), options, may_stop=False), options)
    value, lower, upper = (np.where(finite, np.where(target, 0.0, x), np.inf) for x in found[:3])
    choice = np.where(finite, _renumbered(kept, found.choice), endless)
    choice = np.where((choice < 0) & ~mdp.terminal & ~target, mdp.state_ptr[:-1], choice)
    fractions = _where(target, Fraction(0), _where(~finite, None, found.fractions))
    return found._replace(value=value, lower=lower, upper=upper, choice=choice, fractions=fractions)


def average(mdp: MDP, options: Options) -> Bounded:
    """Long-run reward a step; where an episode ends, 0 from then on. It may differ from state to state.

    Every policy ends up in end components, and the best it can do there is stay in one with the best gain
    of that component (de Alfaro 1997; Puterman 1994, section 9.5).
    """
    problem = _signed(mdp, options)
    label, inside = end_components(problem, np.ones(mdp.n_choices, dtype=np.bool_))
    gains = component_gains(problem, label, inside, epsilon=options.epsilon)
    found = _best_component(problem, label, inside, gains, options)
    doubtful = gap(found.value, found.lower, found.upper) > options.epsilon and small_enough(mdp)
    if options.method == "exact" or (options.method == "auto" and doubtful):
        found = _best_component_exactly(problem, label, inside, gains.choice)
    return _unsigned(found, options)


def _best_component(
    problem: MDP, label: IntArray, inside: BoolArray, gains: Gains, options: Options
) -> Bounded:
    ends = []
    for gain in (gains.lower, gains.upper):
        quotient, proper = _ways_in(problem, label, inside, gain)
        ends.append(
            certify_total(quotient.mdp, proper, epsilon=0.5 * options.epsilon, max_rounds=options.max_sweeps)
        )
    low, high = ends
    choice = lift_choices(problem, quotient, low.choice, gains.choice)
    earned = np.append(problem.reward, 0.0)
    lower = np.maximum(low.lower[quotient.state], earned.min())
    upper = np.minimum(high.upper[quotient.state], earned.max())
    lower[problem.terminal] = upper[problem.terminal] = 0.0
    value = np.clip((low.value + high.value)[quotient.state] / 2, lower, upper)
    sweeps = gains.sweeps + low.sweeps + high.sweeps
    return Bounded(value, lower, upper, choice, sweeps, "relative-value-iteration")


def _best_component_exactly(problem: MDP, label: IntArray, inside: BoolArray, choice: IntArray) -> Bounded:
    gains, stay = gains_in_fractions(problem, label, inside, choice)
    quotient, proper = _ways_in(problem, label, inside, np.array([float(g) for g in gains]))
    stops = quotient.origin < 0
    reward = [
        gains[s] if stop else Fraction(0) for s, stop in zip(quotient.mdp.state_of_choice, stops, strict=True)
    ]
    found = solve_in_fractions(quotient.mdp, gamma=1.0, start=proper, reward=reward)
    assert found.fractions is not None
    return found._replace(
        **{name: getattr(found, name)[quotient.state] for name in ("value", "lower", "upper")},
        choice=lift_choices(problem, quotient, found.choice, stay),
        fractions=[found.fractions[s] for s in quotient.state],
        method="exact",
    )


def _ways_in(problem: MDP, label: IntArray, inside: BoolArray, gain: FloatArray) -> tuple[Quotient, IntArray]:
    """The way into end components that are worth their gain [K] to whoever stays, and choices that end."""
    quotient = merge(problem.with_reward(np.zeros(problem.n_choices)), label, inside, gain)
    return quotient, surely_reaching(quotient.mdp, quotient.mdp.terminal)[1]


def finite_horizon(mdp: MDP, gamma: float, horizon: int, options: Options) -> tuple[Bounded, Plan]:
    """Reward of the first `horizon` steps, by backward induction."""
    problem = _signed(mdp, options)
    value = later = np.zeros(mdp.n_states)
    plan = np.empty((horizon, mdp.n_states), dtype=np.int32)
    for step, q, now in backward_induction(problem, gamma, horizon):
        value, later = now, value
        plan[step - 1] = greedy(problem, q)
    choice = plan[0] if horizon else np.where(mdp.terminal, -1, mdp.state_ptr[:-1])
    found = _unsigned(Bounded(value, value, value, choice, horizon, "backward-induction"), options)
    return found, Plan(plan, -later if options.minimize else later)


def _shortest_path(mdp: MDP, options: Options, *, may_stop: bool = True) -> Bounded:
    reduced = shortest_path(mdp, may_stop=may_stop)
    inner, choice, sweeps = reduced.mdp, reduced.proper, 0
    options = replace(options, epsilon=options.epsilon / (1 + reduced.largest_shift))
    order = components(inner)
    if order.acyclic and options.sweeps_once:
        return reduced.restored(_one_sweep(inner, 1.0, order))
    for method in options.methods(int((~inner.terminal).sum()), gamma=1.0):
        if method == "exact":
            found = solve_in_fractions(inner, gamma=1.0, start=choice, reward=reduced.exact_reward)
        elif method in ("policy-iteration", "linear-programming"):
            if method == "linear-programming":
                choice = proper_greedy(inner, linear_program(inner, gamma=1.0), choice)
            found = certify_total(inner, choice, epsilon=options.epsilon, max_rounds=options.max_sweeps)
        else:
            value, more = run(method, inner, gamma=1.0, start=choice, order=order, options=options)
            found = certify_by_steps(inner, value, choice, order=order, options=options)
            found = found._replace(sweeps=more + found.sweeps)
        sweeps, choice = sweeps + found.sweeps, found.choice
        found = found._replace(sweeps=sweeps, method=name_of(method))
        if gap(found.value, found.lower, found.upper) <= options.epsilon:
            break
    return reduced.restored(found)


def _signed(mdp: MDP, options: Options) -> MDP:
    return mdp.with_reward(-mdp.reward) if options.minimize else mdp


def _unsigned(found: Bounded, options: Options) -> Bounded:
    if not options.minimize:
        return found
    fractions = None if found.fractions is None else [f if f is None else -f for f in found.fractions]
    return found._replace(value=-found.value, lower=-found.upper, upper=-found.lower, fractions=fractions)


def _where(mask: BoolArray, value: Fraction | None, fractions: Fractions | None) -> Fractions | None:
    """`value` where the mask [S] holds; nothing where nothing is known."""
    if fractions is None:
        return None
    return [value if there else f for there, f in zip(mask, fractions, strict=True)]


def _renumbered(kept: BoolArray, choice: IntArray) -> IntArray:
    """Choices among those that were kept, by their number in the whole model; -1 is none."""
    return np.append(np.flatnonzero(kept), -1)[choice]
