"""An independent check of a solution, which trusts neither the solver nor its method.

Nothing here iterates towards the answer: the policy is evaluated by itself, and its value lies between the
bounds; the upper bound is backed up once, and no choice may improve it, nor may staying where one is. What is
collected without end is bounded by its gain.
"""

from contextlib import suppress

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.evaluation import SingularChain, average_reward, can_reach, evaluate_policy
from rlkit.solvers.graph import any_transition, end_components, missing, surely_reaching, toward
from rlkit.solvers.operators import best, choice_weights, greedy, policy_kernel, q_values, relative_rounding
from rlkit.solvers.options import check_kind
from rlkit.solvers.reduction import entering, merge, with_choices
from rlkit.solvers.solution import Solution
from rlkit.solvers.undiscounted.cycles import judge_cycles
from rlkit.solvers.undiscounted.gain import component_gains

SLIGHT = 8 * float(np.finfo(np.float64).eps)  # what one backup is rounded by
ILLEGAL = "no choice that is offered is taken"
UNREACHED = "the policy does not reach the lower bound"
EXCEEDED = "the policy exceeds the upper bound"
IMPROVED = "a choice improves the upper bound"
STAYING = "staying where one is improves the upper bound"
CIRCLING = "no bound is proved for what is collected without end"
ENDING = "what is collected is claimed to have no end, and has one"
MISSING = "the bounds say otherwise whether the target can be missed"


def verify(mdp: MDP, solution: Solution, *, tolerance: float = 1e-9) -> list[str]:
    """What is wrong with a solution of a model: a line for each defect, none if its certificate holds.

    `tolerance` is what rounding is allowed, relative to max(1, |value|). A value of inf needs a policy that
    attains it, and any other an end to what can be collected. What neither bounds nor fractions decide is
    a defect.

    An upper bound (a lower one when minimising) is compared with one backup of it, with the policy, and with
    the policy that this backup prefers. Where it takes N steps to leave, one backup shows only 1/N of an
    error: a bound that is wrong by up to N times the tolerance passes if neither policy exceeds it.
    """
    check_kind("verify", mdp, MDP)
    moving = ~(solution.over | mdp.terminal)
    for choice in [solution.choice] if solution.plan is None else solution.plan:
        offered = (mdp.state_ptr[:-1] <= choice) & (choice < mdp.state_ptr[1:])
        if (moving & ~offered).any():
            return _report(mdp, moving & ~offered, ILLEGAL)
    unknown = np.isnan(solution.value) & (solution.lower == -np.inf) & (solution.upper == np.inf)
    ordered = _at_most(solution.lower, solution.value, 0.0) & _at_most(solution.value, solution.upper, 0.0)
    return [
        *_report(mdp, ~unknown & ~ordered, "the value lies outside its bounds"),
        *(_bounds if solution.plan is None else _steps)(mdp, solution, tolerance),
    ]


def _bounds(mdp: MDP, solution: Solution, tolerance: float) -> list[str]:
    """The policy lies between the bounds, and nothing improves the upper one."""
    problem = _maximising(mdp, solution)
    sign = -1.0 if solution.minimize else 1.0
    lower, upper = (sign * (x - _reached(solution)) for x in (solution.lower, solution.upper))
    if solution.minimize:
        lower, upper = upper, lower
    policy = np.where(problem.terminal, -1, solution.policy)
    achieved, rounding = _achieved(problem, solution, policy)
    claimed = lower > -np.inf
    if solution.objective == "reach-reward" and solution.minimize:
        claimed &= lower < np.inf  # the infimum of policies that end, which none of them attains
    followed, q = _backed_up(problem, solution, upper)
    improved, bounded = best(followed, q), (upper < np.inf) & ~problem.terminal
    defects = [
        *_report(mdp, claimed & ~_at_most(lower, achieved + rounding, tolerance), UNREACHED),
        *_report(mdp, _exceeds(achieved - rounding, upper, tolerance), EXCEEDED),
        *_report(mdp, bounded & ~_at_most(improved, upper, tolerance), IMPROVED),
        *(
            _before_target(problem, solution, lower, upper)
            if solution.objective == "reach-reward"
            else _staying(problem, solution, upper, tolerance)
        ),
    ]
    rising = bounded & ~_at_most(improved, upper, SLIGHT)
    if rising.any() and not defects:
        with suppress(SingularChain):
            policy = np.where(rising, np.append(problem.action, -1)[greedy(followed, q)], policy)
            achieved, rounding = _achieved(problem, solution, policy)
            defects = _report(mdp, _exceeds(achieved - rounding, upper, tolerance), IMPROVED)
    return defects


def _maximising(mdp: MDP, solution: Solution) -> MDP:
    """The problem whose largest total, discounted or average reward the solution is about."""
    reward = mdp.reward
    if solution.objective == "reach-prob":
        assert solution.target is not None
        reward = entering(mdp, solution.target)
    kept = ~solution.over[mdp.state_of_choice]
    return with_choices(mdp, kept, reward=-reward if solution.minimize else reward)


def _reached(solution: Solution) -> FloatArray:
    """What a state is worth before anything is collected, [S]: 1 in the target of a probability, else 0."""
    if solution.objective != "reach-prob" or solution.target is None:
        return np.zeros(solution.mdp.n_states)
    return solution.target.astype(np.float64)


def _achieved(problem: MDP, solution: Solution, policy: IntArray) -> tuple[FloatArray, FloatArray]:
    """What a policy is worth, [S], and how far rounding may move that; nan where it has no value."""
    rounding = np.zeros(problem.n_states)
    if solution.objective == "average":
        return average_reward(problem, policy), rounding
    achieved = evaluate_policy(problem, policy, gamma=solution.gamma)
    if solution.gamma < 1:
        rounding += relative_rounding(problem) * np.abs(achieved).max(initial=0.0) / (1 - solution.gamma)
    else:  # gains and costs that cancel are rounded before they do
        alone = problem.with_one_player().with_reward(np.abs(problem.reward))
        moved = evaluate_policy(alone, policy, gamma=1.0)
        rounding = np.where(moved < np.inf, np.finfo(np.float64).eps * problem.n_states * moved, 0.0)
    if solution.objective == "reach-reward":
        assert solution.target is not None
        transition, _ = policy_kernel(problem, choice_weights(problem, policy))
        hopeless = ~can_reach(transition, solution.target)
        achieved[can_reach(transition, hopeless)] = -np.inf if solution.minimize else np.inf
    return achieved, rounding


def _backed_up(problem: MDP, solution: Solution, upper: FloatArray) -> tuple[MDP, FloatArray]:
    """What a backup of the upper bound makes of each choice, [C], and the model of that backup."""
    average = solution.objective == "average"
    followed = problem.with_reward(np.zeros(problem.n_choices)) if average else problem
    with np.errstate(invalid="ignore"):
        q = q_values(followed, upper, solution.discount)
    missing_wins = solution.objective == "reach-reward" and not solution.minimize
    q[np.isnan(q)] = np.inf if missing_wins else -np.inf
    return followed, q


def _staying(problem: MDP, solution: Solution, upper: FloatArray, tolerance: float) -> list[str]:
    """Neither does staying in an end component: for its gain, for nothing, or for more and more."""
    if solution.gamma < 1:
        return []
    if solution.objective == "average":
        label, inside = end_components(problem, np.ones(problem.n_choices, dtype=np.bool_))
        gains = component_gains(problem, label, inside, epsilon=tolerance)
        staying = np.append(gains.lower, -np.inf)[label]
        return _report(problem, ~_at_most(staying, upper, tolerance), STAYING)
    label, (positive, undecided, balanced) = _cycles(problem)
    endless = positive | undecided
    ends, _ = surely_reaching(problem, problem.terminal | (label >= 0) | endless)
    low = (label >= 0) & ~_at_most(np.zeros(problem.n_states), upper, tolerance)
    low |= (upper == -np.inf) & (ends | balanced)
    return [*_report(problem, (upper < np.inf) & endless, CIRCLING), *_report(problem, low, STAYING)]


def _before_target(problem: MDP, solution: Solution, lower: FloatArray, upper: FloatArray) -> list[str]:
    """Where the target can be missed is a question about the graph; so is how to get at what never ends."""
    assert solution.target is not None
    if solution.minimize:
        finite, _ = surely_reaching(problem, solution.target)
        wrong = finite & (upper == -np.inf)
    else:
        finite = ~missing(problem, solution.target)[0]
        wrong = np.where(finite, upper == -np.inf, upper < np.inf)
    safe = finite[problem.state_of_choice] & ~any_transition(problem, ~finite[problem.successor])
    kept = with_choices(problem, safe)
    _, (positive, undecided, _) = _cycles(kept)
    unending = positive | (toward(kept, positive, np.ones(kept.n_choices, dtype=np.bool_)) >= 0)
    return [
        *_report(problem, wrong, MISSING),
        *_report(problem, (upper < np.inf) & (positive | undecided), CIRCLING),
        *_report(problem, solution.minimize & (lower == np.inf) & ~unending, ENDING),
    ]


def _cycles(problem: MDP) -> tuple[IntArray, tuple[BoolArray, BoolArray, BoolArray]]:
    """Labels [S] of where one can stay for nothing; where else the gain is positive, undecided or 0, [S]."""
    label, inside = end_components(problem, problem.reward == 0)
    merged = merge(problem, label, inside, None)
    found = judge_cycles(merged.mdp)
    by_state = (x[merged.state] for x in (found.positive, found.undecided, found.balanced))
    return label, (next(by_state), next(by_state), next(by_state))


def _steps(mdp: MDP, solution: Solution, tolerance: float) -> list[str]:
    """Follow the plan backwards: at no step is there a better choice, and it adds up to the value."""
    sign, reached = -1.0 if solution.minimize else 1.0, _reached(solution)
    reward, moving = mdp.reward, ~solution.over
    if solution.target is not None:
        reward = entering(mdp, solution.target)
    problem = mdp.with_reward(sign * reward)
    value = later = worth = np.zeros(mdp.n_states)
    first, defects = solution.choice, []
    entered = np.zeros(mdp.n_states) if solution.entered is None else solution.entered
    assert solution.plan is not None
    for step, choice in reversed(list(enumerate(solution.plan, start=1))):
        scale = mdp.reward_scale(step) if solution.target is None else 1.0
        q = q_values(problem, value, solution.discount, scale=scale)
        value, later = np.where(moving & (choice >= 0), q[choice] if len(q) else 0.0, 0.0), value
        better = moving & ~_at_most(best(problem, q), value, tolerance)
        defects += _report(mdp, better, "the plan can be improved")
        worth, first = (np.where(entered == step - 1, *now) for now in ((value, worth), (choice, first)))
    defects += _report(mdp, moving & (solution.choice != first), "the choice is not the plan's")
    for found, claim in ((worth, solution.value), (later, solution.next_value)):
        wrong = ~_at_most(np.abs(sign * found + reached - claim), np.zeros(mdp.n_states), tolerance)
        defects += _report(mdp, wrong, "the plan is not worth the value")
    return defects


def _exceeds(achieved: FloatArray, upper: FloatArray, tolerance: float) -> BoolArray:
    return ~np.isnan(achieved) & ~_at_most(achieved, upper, tolerance)


def _at_most(small: FloatArray, large: FloatArray, tolerance: float) -> BoolArray:
    with np.errstate(invalid="ignore"):
        scale = np.maximum(1.0, np.where(np.isfinite(large), np.abs(large), 1.0))
        at_most: BoolArray = (small <= large + tolerance * scale) | (small == large)
    return at_most


def _report(mdp: MDP, wrong: BoolArray, what: str) -> list[str]:
    states = np.flatnonzero(wrong)
    if not len(states):
        return []
    more = f" and {len(states) - 1} more" if len(states) > 1 else ""
    return [f"{what} in state {mdp.state_name(int(states[0]))}{more}"]
