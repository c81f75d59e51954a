"""Bounds that enclose the optimum at gamma = 1.

All functions here maximise, on what `core` makes of an undiscounted problem: a model in which the Bellman
equation has one solution.
"""

from contextlib import suppress

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.evaluation import SingularChain, can_reach
from rlkit.solvers.graph import Components
from rlkit.solvers.methods.policy_iteration import evaluated, improve, near_greedy, proper_greedy
from rlkit.solvers.methods.value_iteration import limits, sweep_in_place
from rlkit.solvers.operators import bellman, chosen_weights, policy_kernel, q_values, rounding_of
from rlkit.solvers.options import Options
from rlkit.solvers.reduction import with_choices
from rlkit.solvers.solution import Bounded, gap
from rlkit.solvers.undiscounted.elimination import solve_by_elimination


def certify_total(mdp: MDP, choice: IntArray, *, epsilon: float, max_rounds: int) -> Bounded:
    """Bounds on V* at gamma = 1 around policy iteration, for a core and a policy that ends.

    Optimal values for rewards raised, and policy values for rewards lowered, by a small bonus enclose V*
    with a margin that rounding cannot eat. Where no bonus passes, episodes are too long for a linear solve:
    then states are eliminated one by one, and where that leaves a doubt the bounds are infinite.
    """
    found = _unproved(mdp, np.zeros(mdp.n_states), choice)
    with suppress(SingularChain):
        found = _certify_by_bonus(mdp, found, epsilon=epsilon, max_rounds=max_rounds)
    if gap(found.value, found.lower, found.upper) <= epsilon:
        return found
    exact = solve_by_elimination(mdp, found.choice, max_rounds=max_rounds)
    if exact is None:
        return found
    return exact._replace(sweeps=found.sweeps + exact.sweeps)


def _certify_by_bonus(mdp: MDP, start: Bounded, *, epsilon: float, max_rounds: int) -> Bounded:
    policy = improve(mdp, evaluated(mdp, start.choice, 1.0), gamma=1.0, max_rounds=max_rounds)
    value, choice, rounds = policy.value, policy.choice, policy.rounds
    bonus = 0.25 * epsilon / max(1.0, float(policy.steps.max()))
    found = start._replace(value=value, choice=choice, sweeps=rounds)
    narrowest = np.inf
    for _ in range(8):
        low = value - bonus * policy.steps
        try:
            raised = improve(mdp, policy, gamma=1.0, max_rounds=max_rounds, bonus=bonus)
        except SingularChain:
            bonus *= 0.01  # it turned a cycle that loses into one that gains
            continue
        high = raised.value + bonus * raised.steps
        rounds += raised.rounds
        if not encloses(mdp, choice, low, high):
            bonus *= 10
            continue
        low, high = np.minimum(low, value), np.maximum(high, value)
        width = gap(value, low, high)
        if width < narrowest:
            narrowest, found = width, Bounded(value, low, high, choice, rounds)
        smaller = max(0.5 * bonus * epsilon / max(width, epsilon), 8 * rounding_of(mdp, value))
        if width <= epsilon or smaller >= bonus:
            break
        bonus = smaller  # the policies that a bonus attracts take more steps
    return found


def certify_by_steps(
    mdp: MDP, v: FloatArray, fallback: IntArray, *, order: Components, options: Options
) -> Bounded:
    """Bounds on V* at gamma = 1 from values near it, by sweeps alone; for a core.

    With t the most expected steps that near-greedy choices can take, v plus and minus c t enclose V* once
    c exceeds what one more backup of v changes by enough. The bounds are infinite where they do not.
    """
    choice = proper_greedy(mdp, v, fallback)
    off = 4 * (float(np.abs(bellman(mdp, v, 1.0) - v).max(initial=0.0)) + rounding_of(mdp, v))
    if off > options.epsilon * max(1.0, float(np.abs(v).max(initial=0.0))):
        return _unproved(mdp, v, choice)
    counting = with_choices(mdp, near_greedy(mdp, v), reward=np.ones(mdp.n_choices))
    most = limits(mdp, options.max_sweeps, options.gives_up)
    steps, sweeps = sweep_in_place(counting, gamma=1.0, tolerance=0.25, limits=most, order=order)
    low, high = v - off * steps, v + off * steps
    if not encloses(mdp, choice, low, high):
        return _unproved(mdp, v, choice)
    return Bounded(v, low, high, choice, sweeps)


def _unproved(mdp: MDP, v: FloatArray, choice: IntArray) -> Bounded:
    lower, upper = (np.where(mdp.terminal, 0.0, infinite) for infinite in (-np.inf, np.inf))
    return Bounded(v, lower, upper, choice, 0)


def encloses(mdp: MDP, choice: IntArray, low: FloatArray, high: FloatArray) -> bool:
    """Whether low <= V* <= high is proved for a core, by one backup of each.

    Any v with v >= B v bounds V* from above, and any v with v <= B_pi v bounds V_pi, and so V*, from below
    when pi ends with probability 1.
    """
    alive = ~mdp.terminal
    rounding = rounding_of(mdp, high)
    rise = (q_values(mdp, low, 1.0)[choice[alive]] - low[alive]).min(initial=np.inf)
    fall = (high - bellman(mdp, high, 1.0))[alive].min(initial=np.inf)
    return bool(rise > rounding and fall > rounding and ends_surely(mdp, choice))


def ends_surely(mdp: MDP, choice: IntArray) -> bool:
    """Whether a deterministic policy reaches a terminal state with probability 1 from everywhere."""
    transition, _ = policy_kernel(mdp, chosen_weights(mdp, choice))
    return bool(can_reach(transition, mdp.terminal).all())
