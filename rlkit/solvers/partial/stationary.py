"""The best policy that takes the same action whenever it sees the same, by branch and bound.

Under a time limit the optimal policy depends on the steps that are left. Most agents are not told them, and
the best they can do is the best stationary policy, and under partial observability the best one with one
action for each observation. No dynamic program finds it. A node of the search fixes the actions of some
classes of states; leaving the others free, in every state and at every step, bounds it from above.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray, one_player
from rlkit.solvers.evaluation import evaluate_policy, linear_solve
from rlkit.solvers.operators import backward_induction, chosen_weights, greedy, policy_kernel
from rlkit.solvers.options import check_kind, discount_for
from rlkit.solvers.reduction import with_choices
from rlkit.solvers.solution import Interval
from rlkit.solvers.solve import solve


@dataclass(frozen=True, eq=False)
class Stationary:
    """A deterministic stationary policy, and bounds on the best one's value."""

    policy: IntArray  # [S] action, -1 at terminal states; or [O], of each observation
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
    check_kind("best_stationary", mdp, MDP)
    one_player(mdp)
    gamma = discount_for(mdp, gamma, horizon)
    problem = mdp.with_reward(-mdp.reward) if minimize else mdp
    label = np.where(mdp.terminal, -1, np.arange(mdp.n_states))
    found = branch_and_bound(problem, label, horizon, gamma, epsilon=epsilon, max_nodes=max_nodes)
    policy, value = np.append(found.policy, -1)[label], found.value
    if minimize:
        value = Interval(-value.value, -value.upper, -value.lower)
    return Stationary(policy, value, found.nodes)


def branch_and_bound(
    mdp: MDP, label: IntArray, horizon: int | None, gamma: float, *, epsilon: float, max_nodes: int
) -> Stationary:
    """The best action for each class of states; `label` [S] is the class, -1 at terminal states.

    Over `horizon` steps, or all of them for gamma < 1 without one. The policy is given by class.
    """
    search = _Search(mdp, label, horizon, gamma, 0.1 * epsilon)
    order = count()  # decides between nodes of the same bound
    nodes, settled, waiting = 0, -np.inf, [(-np.inf, next(order), search.legal)]
    while waiting and nodes < max_nodes and -waiting[0][0] > search.enough(epsilon):
        _, _, free = heappop(waiting)
        bound, o = search.relax(free)
        nodes += 1
        if o is None:
            settled = max(settled, bound)
        elif bound > search.enough(epsilon):
            for a in np.flatnonzero(free[o]):
                child = free.copy()
                child[o] = np.arange(mdp.n_actions) == a
                heappush(waiting, (-bound, next(order), child))
    upper = max(search.enough(epsilon), settled, *(-node[0] for node in waiting[:1]))
    return Stationary(search.policy, Interval(search.value, search.value, upper), nodes)


class _Search:
    """The best policy seen so far, and what it earns."""

    def __init__(self, mdp: MDP, label: IntArray, horizon: int | None, gamma: float, epsilon: float) -> None:
        self.mdp, self.label, self.horizon, self.gamma, self.epsilon = mdp, label, horizon, gamma, epsilon
        self.pair = label[mdp.state_of_choice] * mdp.n_actions + mdp.action  # [C] into [O, A]
        self.legal = np.zeros((int(label.max(initial=-1)) + 1, mdp.n_actions), dtype=np.bool_)  # [O, A]
        self.legal.ravel()[self.pair] = True
        self.value = -np.inf
        self._try(np.where(self.legal, self._by_class(mdp.reward), -np.inf))

    def enough(self, epsilon: float) -> float:
        """The bound at which the best policy so far is good enough."""
        return self.value + epsilon * max(1.0, abs(self.value))

    def relax(self, free: BoolArray) -> tuple[float, int | None]:
        """Plan with the free actions [O, A] of each state and step, and try the policy nearest to the plan.

        Returns a bound on what the plan earns, which no policy of one action a class exceeds, and the class
        in which the plan differs most from such a one, if in any.
        """
        kept = free.ravel()[self.pair]
        bound, visits = self._discounted(kept) if self.horizon is None else self._limited(kept)
        table = np.where(free, self._by_class(visits), -1.0)
        most = self._try(table)
        table[np.arange(len(most)), most] = 0.0
        other = np.maximum(table, 0.0).max(axis=1, initial=0.0)
        return bound, int(np.argmax(other)) if other.any() else None

    def _limited(self, kept: BoolArray) -> tuple[float, FloatArray]:
        """Best value of the start in `horizon` steps, and discounted visits of each choice, [C]."""
        mdp = self.mdp
        value, plan = np.zeros(mdp.n_states), []
        for stage in backward_induction(mdp, self.gamma, self.horizon or 0, kept=kept):
            value = stage.value
            plan.append(greedy(mdp, stage.q))
        visits, here, weight = np.zeros(mdp.n_choices), mdp.initial, 1.0
        for choice in reversed(plan):
            taken = np.zeros(mdp.n_choices)
            alive = choice >= 0
            taken[choice[alive]] = here[alive]
            visits += weight * taken
            here, weight = mdp.matrix.T @ taken, weight * self.gamma
        return mdp.expectation(value), visits

    def _discounted(self, kept: BoolArray) -> tuple[float, FloatArray]:
        """Upper bound of the start without a limit, and discounted visits of each choice, [C]."""
        problem = with_choices(self.mdp, kept)
        found = solve(problem, objective="discounted", gamma=self.gamma, epsilon=self.epsilon)
        weight = chosen_weights(problem, found.choice)
        transition, _ = policy_kernel(problem, weight)
        here = linear_solve(transition.T.tocsr(), problem.initial, self.gamma)
        visits = np.zeros(len(kept))
        visits[kept] = weight * here[problem.state_of_choice]
        return found.initial.upper, visits

    def _by_class(self, per_choice: FloatArray) -> FloatArray:
        """Sums over the states of each class, [O, A]."""
        sums = np.zeros(self.legal.shape)
        np.add.at(sums.ravel(), self.pair, per_choice)
        return sums

    def _try(self, preference: FloatArray) -> IntArray:
        """Evaluate the policy that takes the preferred action [O, A] of each class; returns it, [O]."""
        policy: IntArray = preference.argmax(axis=1) if preference.size else np.zeros(0, dtype=np.int64)
        chosen = np.append(policy, -1)[self.label]
        value = evaluate_policy(self.mdp, chosen, gamma=self.gamma, horizon=self.horizon)
        if self.mdp.expectation(value) > self.value:
            self.value = self.mdp.expectation(value)
            self.policy = np.where(self.legal.any(axis=1), policy, -1)
        return policy
