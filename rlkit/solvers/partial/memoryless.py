"""What an agent without memory can earn under partial observability, and what memory is worth.

The best deterministic policy from observations to actions is found by branch and bound. A stochastic one may
be better (Singh, Jaakkola and Jordan 1994); to find the best is hard, so that a search of it only gives a
lower bound.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from rlkit.core.mdp import FloatArray, one_player
from rlkit.core.pomdp import POMDP
from rlkit.solvers.evaluation import evaluate_policy, linear_solve
from rlkit.solvers.operators import choice_weights, policy_kernel, policy_values, q_values, uniform_policy
from rlkit.solvers.options import check_kind, discount_for
from rlkit.solvers.partial.belief import MOST_BELIEFS, belief_mdp
from rlkit.solvers.partial.stationary import Stationary, branch_and_bound
from rlkit.solvers.solution import Interval
from rlkit.solvers.solve import solve

LONGEST_STEP, LARGEST_LOGIT, TINY = 0.5, 12.0, 1e-12


class Stochastic(NamedTuple):
    """A policy over observations that draws its actions, and what it earns; there may be better ones."""

    policy: FloatArray  # [O, A]
    value: float


class MemoryGain(NamedTuple):
    """What the start of a POMDP is worth to agents that know more and more."""

    random: float
    memoryless: float  # the best policy over observations that was found
    with_memory: Interval
    full_information: Interval

    @property
    def share(self) -> float:
        """How much of the way from a random agent to the optimum with memory needs memory."""
        optimum = self.with_memory.value
        reach = optimum - self.random
        return (optimum - self.memoryless) / reach if reach > 0 else 0.0


def best_memoryless(
    pomdp: POMDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    epsilon: float = 1e-9,
    max_nodes: int = 2_000,
) -> Stationary:
    """The best deterministic policy from observations to actions, by branch and bound.

    For the first `horizon` steps, or for gamma < 1 without one; gamma is the model's discount unless given.
    The search ends when the bounds are `epsilon` apart, relative to max(1, |value|), or after `max_nodes`,
    with the bounds that it has then. Given what `belief_mdp` returns it finds the same policies, and its
    bounds, from agents with memory and not from those that see all, are tighter. Raises `ValueError` for a
    gamma or horizon out of range.
    """
    check_kind("best_memoryless", pomdp, POMDP)
    mdp, gamma = pomdp.mdp, _discount(pomdp, gamma, horizon)
    return branch_and_bound(mdp, pomdp.observation, horizon, gamma, epsilon=epsilon, max_nodes=max_nodes)


def stochastic_memoryless(
    pomdp: POMDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    starts: int = 8,
    seed: int = 0,
    near: npt.ArrayLike | None = None,
    max_steps: int = 60,
) -> Stochastic:
    """A good stochastic policy from observations to actions, by ascent along the exact policy gradient.

    From a policy close to the deterministic one `near` [O] if given, and from random ones close to the
    uniform policy (which itself may be a saddle), in all `starts`. Each takes `max_steps` long steps, of the
    same length in every class, which cross plateaus, and then at most as many of L-BFGS over the logits of a
    softmax. Raises `ValueError` for a gamma or horizon out of range.
    """
    check_kind("stochastic_memoryless", pomdp, POMDP)
    from scipy.optimize import minimize  # slow to import, and seldom needed

    problem = _Gradient(pomdp, _discount(pomdp, gamma, horizon), horizon)
    shape = pomdp.legal.shape
    rng = np.random.default_rng(seed)
    logits = [] if near is None else [3.0 * (np.arange(shape[1]) == np.asarray(near)[:, None])]
    logits += [rng.normal(scale=0.5, size=shape) for _ in range(starts - len(logits))]
    uniform = problem.policy(np.zeros(shape))
    best = Stochastic(uniform, problem.value(uniform))
    for start in logits:
        climbed = problem.climb(start, max_steps).ravel()
        found = minimize(problem, climbed, jac=True, method="L-BFGS-B", options={"maxiter": max_steps})
        policy = problem.policy(found.x)
        value = problem.value(policy)
        if value > best.value:
            best = Stochastic(policy, value)
    return best


def memory_gain(
    pomdp: POMDP,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
    max_beliefs: int = MOST_BELIEFS,
    max_nodes: int = 200,
    starts: int = 4,
) -> MemoryGain:
    """What memory is worth from the start, for the first `horizon` steps or for gamma < 1.

    Raises `NoExactModel` where more than `max_beliefs` beliefs can be reached, and `ValueError` for a gamma
    or horizon out of range.
    """
    check_kind("memory_gain", pomdp, POMDP)
    gamma = _discount(pomdp, gamma, horizon)
    beliefs = belief_mdp(pomdp, horizon=horizon, max_beliefs=max_beliefs)
    fixed = best_memoryless(pomdp, gamma=gamma, horizon=horizon, max_nodes=max_nodes)
    drawn = stochastic_memoryless(pomdp, gamma=gamma, horizon=horizon, starts=starts, near=fixed.policy)
    uniform = evaluate_policy(pomdp.mdp, uniform_policy(pomdp.mdp), gamma=gamma, horizon=horizon)
    return MemoryGain(
        random=pomdp.mdp.expectation(uniform),
        memoryless=max(fixed.value.value, drawn.value),
        with_memory=solve(beliefs.mdp, gamma=gamma, horizon=horizon).initial,
        full_information=solve(pomdp.mdp, gamma=gamma, horizon=horizon).initial,
    )


def _discount(pomdp: POMDP, gamma: float | None, horizon: int | None) -> float:
    one_player(pomdp.mdp)
    gamma = discount_for(pomdp.mdp, gamma, horizon)
    if horizon is None and gamma >= 1:
        raise ValueError(f"without a horizon gamma must be below 1, not {gamma}")
    return gamma


class _Gradient:
    """Minus the value of a softmax policy over observations, and its gradient."""

    def __init__(self, pomdp: POMDP, gamma: float, horizon: int | None) -> None:
        mdp = pomdp.mdp
        self.pomdp, self.gamma, self.horizon = pomdp, gamma, horizon
        self.pair = pomdp.observation[mdp.state_of_choice] * mdp.n_actions + mdp.action  # [C] into [O, A]

    def policy(self, logits: FloatArray) -> FloatArray:
        """Action probabilities, [O, A]; rows of nothing for classes without a state."""
        legal = self.pomdp.legal
        some = legal.any(axis=1, keepdims=True)
        drawn: FloatArray = softmax(np.where(legal | ~some, logits.reshape(legal.shape), -np.inf), axis=1)
        return np.where(some, drawn, 0.0)

    def value(self, policy: FloatArray) -> float:
        """What a policy [O, A] earns from the start."""
        mdp = self.pomdp.mdp
        value = evaluate_policy(mdp, self.pomdp.over_states(policy), gamma=self.gamma, horizon=self.horizon)
        return mdp.expectation(value)

    def climb(self, logits: FloatArray, steps: int) -> FloatArray:
        """Logits [O, A] after natural gradient steps (Kakade 2001), scaled to the largest of each class."""
        for step in range(steps):
            policy = self.policy(logits)
            advantage = -self(logits.ravel())[1].reshape(policy.shape) / np.maximum(policy, TINY)
            scale = np.maximum(np.abs(advantage).max(axis=1, keepdims=True), TINY)
            logits = logits + LONGEST_STEP * (1 - step / steps) * advantage / scale
            logits = np.maximum(logits - logits.max(axis=1, keepdims=True), -LARGEST_LOGIT)
        return logits

    def __call__(self, logits: FloatArray) -> tuple[float, FloatArray]:
        """Sutton et al. 2000, theorem 1: visits of a state times the advantage of its actions."""
        mdp = self.pomdp.mdp
        policy = self.policy(logits)
        transition, reward = policy_kernel(mdp, choice_weights(mdp, self.pomdp.over_states(policy)))
        backward = transition.T.tocsr()
        if self.horizon is None:
            value = linear_solve(transition, reward, self.gamma)
            visits = linear_solve(backward, mdp.initial, self.gamma)
            slope = visits[mdp.state_of_choice] * q_values(mdp, value, self.gamma)
        else:
            *values, value = policy_values(mdp, (transition, reward), self.gamma, self.horizon)
            slope, visits = np.zeros(mdp.n_choices), mdp.initial
            for step, later in enumerate(reversed(values), start=1):
                q = q_values(mdp, later, self.gamma, scale=mdp.reward_scale(step))
                slope += visits[mdp.state_of_choice] * q
                visits = self.gamma * (backward @ visits)
        by_class = np.bincount(self.pair, weights=slope, minlength=policy.size).reshape(policy.shape)
        gradient = policy * (by_class - (policy * by_class).sum(axis=1, keepdims=True))
        return -mdp.expectation(value), -gradient.ravel()
