"""The best policy that does not look at the clock, where the number of steps is limited.

Under a limit the optimal policy depends on the steps that are left. Most agents are not told them, and the
best they can do is the best stationary policy. No dynamic program finds it: this is branch and bound. A
node fixes the choices of some states; leaving the others free at every step bounds it from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.evaluation import evaluate_policy
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.solution import Interval


@dataclass(frozen=True, eq=False)
class Stationary:
    """A deterministic stationary policy, and bounds on the best one's value under the limit."""

    policy: IntArray  # [S] action, -1 at terminal states
    value: Interval  # of the start: what the policy earns is `value` and, when maximising, `lower`
    nodes: int  # looked at


def best_stationary(
    mdp: MDP,
    *,
    horizon: int,
    gamma: float | None = None,
    minimize: bool = False,
    epsilon: float = 1e-9,
    max_nodes: int = 2_000,
) -> Stationary:
    """The best deterministic stationary policy for the first `horizon` steps, by branch and bound.

    gamma is the model's discount unless given. The search ends when the bounds are `epsilon` apart, relative
    to max(1, |value|), or after `max_nodes`, with the bounds that it has then. Raises `ValueError` for a
    gamma or horizon out of range.
    """
    gamma = mdp.discount if gamma is None else gamma
    reward = -mdp.reward if minimize else mdp.reward
    search = _Search(mdp.with_reward(reward), horizon, gamma)
    order = count()  # decides between nodes of the same bound
    nodes, waiting = 0, [(-np.inf, next(order), np.ones(mdp.n_choices, dtype=np.bool_))]
    while waiting and nodes < max_nodes and -waiting[0][0] > search.enough(epsilon):
        _, _, free = heappop(waiting)
        bound, s = search.relax(free)
        nodes += 1
        if s is not None and bound > search.enough(epsilon):
            own = np.arange(mdp.state_ptr[s], mdp.state_ptr[s + 1])
            for c in own[free[own]]:
                child = free.copy()
                child[own] = own == c
                heappush(waiting, (-bound, next(order), child))
    upper = max(search.enough(epsilon), -waiting[0][0]) if waiting else search.enough(epsilon)
    interval = Interval(search.value, search.value, upper)
    if minimize:
        interval = Interval(-search.value, -upper, -search.value)
    return Stationary(search.policy, interval, nodes)


class _Search:
    """The best stationary policy seen so far, and what it earns."""

    def __init__(self, mdp: MDP, horizon: int, gamma: float) -> None:
        self.mdp, self.horizon, self.gamma = mdp, horizon, gamma
        self.value = -np.inf
        self._try(greedy(mdp, mdp.reward))

    def enough(self, epsilon: float) -> float:
        """The bound at which the best policy so far is good enough."""
        return self.value + epsilon * max(1.0, abs(self.value))

    def relax(self, free: BoolArray) -> tuple[float, int | None]:
        """Plan with the free choices [C] at every step, and try the stationary policy nearest to the plan.

        Returns what the plan earns, which no stationary policy exceeds, and the state in which it is least
        stationary, if in any.
        """
        mdp = self.mdp
        value, plan = np.zeros(mdp.n_states), []
        for _ in range(self.horizon):
            q = np.where(free, q_values(mdp, value, self.gamma), -np.inf)
            value = best(mdp, q)
            plan.append(greedy(mdp, q))
        visits = np.where(free, self._visits(plan[::-1]), -1.0)
        most = greedy(mdp, visits)
        self._try(most)
        visits[most[most >= 0]] = 0.0
        other = best(mdp, np.maximum(visits, 0.0))
        return mdp.expectation(value), int(np.argmax(other)) if other.any() else None

    def _visits(self, plan: list[IntArray]) -> FloatArray:
        """Discounted number of times that a plan is expected to take each choice, [C]."""
        mdp, visits = self.mdp, np.zeros(self.mdp.n_choices)
        here, weight = mdp.initial, 1.0
        for choice in plan:
            taken = np.zeros(mdp.n_choices)
            alive = choice >= 0
            taken[choice[alive]] = here[alive]
            visits += weight * taken
            here, weight = mdp.matrix.T @ taken, weight * self.gamma
        return visits

    def _try(self, choice: IntArray) -> None:
        policy = np.append(self.mdp.action, -1)[choice]  # -1, for no choice, takes the last
        value = evaluate_policy(self.mdp, policy, gamma=self.gamma, horizon=self.horizon)
        if self.mdp.expectation(value) > self.value:
            self.value, self.policy = self.mdp.expectation(value), policy
