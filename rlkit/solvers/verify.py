"""A second opinion on a solution, by someone who trusts neither the solver nor how it got there.

Nothing here iterates towards the answer: the policy is evaluated by itself, which no lower bound may
exceed, and the upper bound is backed up once, which no choice may improve. What is collected without end is
bounded by its gain.
"""

from __future__ import annotations

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.cycles import judge_cycles
from rlkit.solvers.evaluation import average_reward, can_reach, evaluate_policy
from rlkit.solvers.gain import component_gains
from rlkit.solvers.graph import any_transition, end_components, surely_reaching
from rlkit.solvers.operators import best, choice_weights, policy_kernel, q_values
from rlkit.solvers.options import check_kind
from rlkit.solvers.reduction import entering, merge, with_choices
from rlkit.solvers.solution import Solution

UNREACHED = "the policy does not reach the lower bound"
IMPROVED = "a choice improves the upper bound"
STAYING = "staying where one is improves the upper bound"
CIRCLING = "no bound is proved for what is collected without end"


def verify(mdp: MDP, solution: Solution, *, tolerance: float = 1e-9) -> list[str]:
    """What is wrong with a solution of a model: a line for each defect, none if its certificate holds.

    `tolerance` is what rounding is allowed, relative to max(1, |value|). A value of inf needs a policy that
    attains it, and any other an end to what can be collected. What neither bounds nor fractions decide is
    a defect.
    """
    check_kind("verify", mdp, MDP)
    if solution.plan is not None:
        defects = _steps(mdp, solution, tolerance)
    else:
        sign = -1.0 if solution.minimize else 1.0
        problem = _maximising(mdp, solution)
        bounds = (sign * solution.lower, sign * solution.upper)
        lower, upper = bounds[:: -1 if solution.minimize else 1]
        lower, upper = (np.where(solution.over, 0.0, x) for x in (lower, upper))
        achieved = _achieved(problem, solution)
        claimed = lower > -np.inf
        if solution.objective == "reach-reward" and solution.minimize:
            claimed &= lower < np.inf  # the infimum of policies that end, which none of them attains
        defects = [
            *_report(mdp, claimed & ~_at_most(lower, achieved, tolerance), UNREACHED),
            *_upper(mdp, problem, solution, upper, tolerance),
        ]
    unknown = np.isnan(solution.value) & (solution.lower == -np.inf) & (solution.upper == np.inf)
    ordered = _at_most(solution.lower, solution.value, 0.0) & _at_most(solution.value, solution.upper, 0.0)
    return [*_report(mdp, ~unknown & ~ordered, "the value lies outside its bounds"), *defects]


def _maximising(mdp: MDP, solution: Solution) -> MDP:
    """The problem whose largest total, discounted or average reward the solution is about."""
    reward = mdp.reward
    if solution.objective == "reach-prob":
        assert solution.target is not None
        reward = entering(mdp, solution.target)
    kept = ~solution.over[mdp.state_of_choice]
    return with_choices(mdp, kept, reward=-reward if solution.minimize else reward)


def _achieved(problem: MDP, solution: Solution) -> FloatArray:
    policy = np.where(problem.terminal, -1, solution.policy)
    if solution.objective == "average":
        return average_reward(problem, policy)
    achieved = evaluate_policy(problem, policy, gamma=solution.gamma)
    if solution.gamma == 1:  # gains and costs that cancel are rounded before they do
        moved = evaluate_policy(problem.with_reward(np.abs(problem.reward)), policy, gamma=1.0)
        achieved += np.where(moved < np.inf, np.finfo(np.float64).eps * problem.n_states * moved, 0.0)
    if solution.objective == "reach-reward":
        assert solution.target is not None
        achieved[_misses(problem, policy, solution.target)] = -np.inf if solution.minimize else np.inf
    return achieved


def _misses(problem: MDP, policy: IntArray, target: BoolArray) -> BoolArray:
    """States [S] from which the policy may never reach the target."""
    transition, _ = policy_kernel(problem, choice_weights(problem, policy))
    hopeless = ~can_reach(transition, target)
    return can_reach(transition, hopeless)


def _upper(mdp: MDP, problem: MDP, solution: Solution, upper: FloatArray, tolerance: float) -> list[str]:
    """No choice improves an upper bound, and neither does staying in an end component."""
    average = solution.objective == "average"
    followed = problem.with_reward(np.zeros(problem.n_choices)) if average else problem
    with np.errstate(invalid="ignore"):
        q = q_values(followed, upper, solution.gamma)
    missing_wins = solution.objective == "reach-reward" and not solution.minimize
    q[np.isnan(q)] = np.inf if missing_wins else -np.inf
    improved = best(followed, q)
    bounded = (upper < np.inf) & ~problem.terminal
    defects = _report(mdp, bounded & ~_at_most(improved, upper, tolerance), IMPROVED)
    if average:
        label, inside = end_components(problem, np.ones(problem.n_choices, dtype=np.bool_))
        gains = component_gains(problem, label, inside, epsilon=tolerance)
        staying = np.append(gains.lower, -np.inf)[label]
        return defects + _report(mdp, ~_at_most(staying, upper, tolerance), STAYING)
    if solution.gamma < 1 or solution.objective == "reach-prob":
        return defects
    may_stop, hopeless = solution.objective == "total", upper == -np.inf
    if not may_stop:
        safe = ~hopeless[problem.state_of_choice] & ~any_transition(problem, hopeless[problem.successor])
        problem = with_choices(problem, safe)
    label, inside = end_components(problem, problem.reward == 0)
    merged = merge(problem, label, inside, None)
    cycles = judge_cycles(merged.mdp)
    endless = (cycles.positive | cycles.undecided)[merged.state]
    defects += _report(mdp, bounded & endless, CIRCLING)
    if may_stop:
        low = (label >= 0) & ~_at_most(np.zeros(mdp.n_states), upper, tolerance)
        ends, _ = surely_reaching(problem, problem.terminal | (label >= 0) | endless)
        defects += _report(mdp, low | (hopeless & (ends | cycles.balanced[merged.state])), STAYING)
    return defects


def _steps(mdp: MDP, solution: Solution, tolerance: float) -> list[str]:
    """Follow the plan backwards: at no step is there a better choice, and it adds up to the value."""
    sign = -1.0 if solution.minimize else 1.0
    reward, reached, moving = mdp.reward, np.zeros(mdp.n_states), ~solution.over
    if solution.target is not None:
        reward, reached = entering(mdp, solution.target), solution.target.astype(np.float64)
    problem = mdp.with_reward(sign * reward)
    value, defects = np.zeros(mdp.n_states), []
    entered = np.zeros(mdp.n_states) if solution.entered is None else solution.entered
    worth = value
    assert solution.plan is not None
    for step, choice in reversed(list(enumerate(solution.plan, start=1))):
        q = q_values(
            problem, value, solution.gamma, share=mdp.share(step) if solution.target is None else 1.0
        )
        value = np.where(moving & (choice >= 0), q[choice] if len(q) else 0.0, 0.0)
        better = moving & ~_at_most(best(problem, q), value, tolerance)
        defects += _report(mdp, better, "the plan can be improved")
        worth = np.where(entered == step - 1, value, worth)
    wrong = ~_at_most(np.abs(sign * worth + reached - solution.value), np.zeros(mdp.n_states), tolerance)
    return defects + _report(mdp, wrong, "the plan is not worth the value")


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
