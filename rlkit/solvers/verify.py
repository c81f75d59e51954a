"""A second opinion on a solution, by someone who trusts neither the solver nor how it got there.

Nothing here iterates towards the answer: the policy is evaluated by itself, which no lower bound may
exceed, and the upper bound is backed up once, which no choice may improve.
"""

from __future__ import annotations

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray
from rlkit.solvers.evaluation import average_reward, evaluate_policy
from rlkit.solvers.graph import end_components
from rlkit.solvers.operators import best, q_values
from rlkit.solvers.reduction import best_gain, entering, with_choices
from rlkit.solvers.solution import Solution

UNREACHED = "the policy does not reach the lower bound"
IMPROVED = "a choice improves the upper bound"
STAYING = "staying where one is improves the upper bound"


def verify(mdp: MDP, solution: Solution, *, tolerance: float = 1e-9) -> list[str]:
    """What is wrong with a solution of a model: a line for each defect, none if its certificate holds.

    `tolerance` is what rounding is allowed, relative to max(1, |value|). Infinite values are left out: they
    are claims about the graph, not about numbers.
    """
    if solution.objective == "finite-horizon":
        defects = _steps(mdp, solution, tolerance)
    else:
        sign = -1.0 if solution.minimize else 1.0
        problem = _maximising(mdp, solution)
        bounds = (sign * solution.lower, sign * solution.upper)
        lower, upper = bounds[:: -1 if solution.minimize else 1]
        outside = np.zeros(mdp.n_states, np.bool_) if solution.target is None else solution.target
        lower, upper = (np.where(outside, 0.0, x) for x in (lower, upper))
        achieved = _achieved(problem, solution)
        defects = [
            *_report(mdp, np.isfinite(lower) & ~_at_most(lower, achieved, tolerance), UNREACHED),
            *_upper(mdp, problem, solution, upper, tolerance),
        ]
    disordered = ~_at_most(solution.lower, solution.value, 0.0) | ~_at_most(
        solution.value, solution.upper, 0.0
    )
    return [*_report(mdp, disordered, "the value lies outside its bounds"), *defects]


def _maximising(mdp: MDP, solution: Solution) -> MDP:
    """The problem whose largest total, discounted or average reward the solution is about."""
    reward = mdp.reward
    kept = np.ones(mdp.n_choices, dtype=np.bool_)
    if solution.target is not None:
        kept = ~solution.target[mdp.state_of_choice]
        if solution.objective == "reach-prob":
            reward = entering(mdp, solution.target)
    return with_choices(mdp, kept, reward=-reward if solution.minimize else reward)


def _achieved(problem: MDP, solution: Solution) -> FloatArray:
    policy = np.where(problem.terminal, -1, solution.policy)
    if solution.objective == "average":
        return average_reward(problem, policy)
    return evaluate_policy(problem, policy, gamma=solution.gamma)


def _upper(mdp: MDP, problem: MDP, solution: Solution, upper: FloatArray, tolerance: float) -> list[str]:
    """No choice improves an upper bound, and neither does staying in an end component."""
    average = solution.objective == "average"
    followed = problem.with_reward(np.zeros(problem.n_choices)) if average else problem
    with np.errstate(invalid="ignore"):
        improved = best(followed, q_values(followed, upper, solution.gamma))
    finite = np.isfinite(upper) & ~problem.terminal
    defects = _report(mdp, finite & ~_at_most(improved, upper, tolerance), IMPROVED)
    may_stay = solution.gamma == 1 and solution.objective != "reach-reward"
    if may_stay:
        label, inside = end_components(problem, (problem.reward == 0) | average)
        staying = np.zeros(mdp.n_states)
        for k in range(label.max(initial=-1) + 1 if average else 0):
            choices = np.flatnonzero(inside & (label[problem.state_of_choice] == k))
            staying[label == k] = best_gain(problem, choices)
        low = (label >= 0) & np.isfinite(upper) & ~_at_most(staying, upper, tolerance)
        defects += _report(mdp, low, STAYING)
    return defects


def _steps(mdp: MDP, solution: Solution, tolerance: float) -> list[str]:
    """Follow the plan backwards: at no step is there a better choice, and it adds up to the value."""
    sign = -1.0 if solution.minimize else 1.0
    problem = mdp.with_reward(sign * mdp.reward)
    value, defects = np.zeros(mdp.n_states), []
    assert solution.plan is not None
    for step, choice in reversed(list(enumerate(solution.plan, start=1))):
        q = q_values(problem, value, solution.gamma, share=mdp.share(step))
        value = np.where(choice >= 0, q[choice] if len(q) else 0.0, 0.0)
        defects += _report(mdp, ~_at_most(best(problem, q), value, tolerance), "the plan can be improved")
    wrong = ~_at_most(np.abs(sign * value - solution.value), np.zeros(mdp.n_states), tolerance)
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
