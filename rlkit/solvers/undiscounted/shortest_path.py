"""Undiscounted problems without their ambiguity: end components merged, infinite values set apart.

Without discount the Bellman equation can have many solutions, and a greedy policy can turn in circles.
Both come from end components. Those that pay nothing are merged into one state that may also stop for 0.
Of the others, one with positive gain is worth inf to whoever can reach it, one with negative gain must be
left, and one of gain 0 is made to pay nothing, by a potential of its states (Ng, Harada and Russell 1999).
What remains is a stochastic shortest path problem whose optimal value is the only fixed point (Bertsekas and
Tsitsiklis 1991).

A policy that collects rewards and costs without end which cancel has no total, and does not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.graph import any_transition, end_components, surely_reaching, toward
from rlkit.solvers.methods.fractions import shaped_rewards
from rlkit.solvers.operators import first_choice
from rlkit.solvers.reduction import Quotient, lift_choices, merge, with_choices
from rlkit.solvers.solution import Bounded
from rlkit.solvers.undiscounted.cycles import Cycles, judge_cycles


@dataclass(frozen=True, eq=False)
class ShortestPath:
    """A shortest-path problem equivalent to maximising the total reward of a model, and the way back."""

    mdp: MDP  # the problem
    proper: IntArray  # [S''] choices of a policy that ends with probability 1; -1 where none is needed
    exact_reward: list[Fraction] | None  # [C''] where the rewards are not those of the model
    model: MDP
    merged: Quotient  # of the model: components that pay nothing are one state each
    known: FloatArray  # [S'] inf, -inf, or nan where nothing is known; 0 elsewhere
    endless: IntArray  # [S'] choices of the quotient where the value is inf, -1 elsewhere
    kept: IntArray  # choices of the quotient that lead to finite values only
    balanced: tuple[MDP, Quotient] | None  # the finite part, and its quotient by components of gain 0
    potential: Mapping[int, Fraction]  # of states S' in components of gain 0

    @property
    def largest_shift(self) -> float:
        """How far a value of the problem may lie from that of the model."""
        return float(max(map(abs, self.potential.values()), default=0))

    def restored(self, found: Bounded) -> Bounded:
        """A solution of the problem as one of the model."""
        value, lower, upper, choice, _, _, fractions = found
        if self.balanced is not None:
            finite, quotient = self.balanced
            choice = lift_choices(finite, quotient, choice, np.full(finite.n_states, -1))
            h = np.zeros(finite.n_states)
            h[[*self.potential]] = [float(x) for x in self.potential.values()]
            value, lower, upper = (x[quotient.state] + h for x in (value, lower, upper))
            lower = np.where(h != 0, np.nextafter(lower, -np.inf), lower)
            upper = np.where(h != 0, np.nextafter(upper, np.inf), upper)
            if fractions is not None:
                exact = [fractions[s] for s in quotient.state]
                fractions = [x if x is None else x + self.potential.get(s, 0) for s, x in enumerate(exact)]
        infinite, nothing = self.known != 0, np.isnan(self.known)
        value = np.where(infinite, self.known, value)
        lower = np.where(nothing, -np.inf, np.where(infinite, self.known, lower))
        upper = np.where(nothing, np.inf, np.where(infinite, self.known, upper))
        choice = np.where(choice >= 0, np.append(self.kept, -1)[choice], self.endless)
        state = self.merged.state
        if fractions is not None:
            fractions = [None if infinite[s] else fractions[s] for s in state]
        return found._replace(
            value=value[state],
            lower=lower[state],
            upper=upper[state],
            choice=lift_choices(
                self.model, self.merged, choice, first_choice(self.model, self.merged.inside)
            ),
            fractions=fractions,
        )


def shortest_path(mdp: MDP, *, may_stop: bool = True) -> ShortestPath:
    """Reduce maximising the total reward of a model; without `may_stop` every episode has to end.

    The value is -inf where a policy can neither end nor circle for nothing. Nothing is known where the gain
    of a component was not told from 0, and where a policy risks -inf but may also collect without end.
    """
    label, inside = end_components(mdp, mdp.reward == 0)
    merged = merge(mdp, label, inside, np.zeros(label.max() + 1) if may_stop else None)
    model = merged.mdp
    cycles = judge_cycles(model)
    known, proper, endless = _infinite_values(model, cycles, may_stop)
    finite = known == 0
    kept = finite[model.state_of_choice] & ~any_transition(model, ~finite[model.successor])
    problem = with_choices(model, kept)
    proper = np.where((proper >= 0) & finite, np.append(np.cumsum(kept) - 1, -1)[proper], -1)
    balanced, reward = None, None
    if cycles.potential:
        reward = shaped_rewards(problem, cycles.potential, cycles.noise[problem.state_of_choice])
        shaped = problem.with_reward(np.array([float(r) for r in reward]))
        circling = (shaped.reward == 0) & np.isin(problem.state_of_choice, [*cycles.potential])
        quotient = merge(shaped, *end_components(shaped, circling), None)
        balanced, problem = (shaped, quotient), quotient.mdp
        reward = [reward[c] for c in quotient.origin]
        _, proper = surely_reaching(problem, problem.terminal)
    return ShortestPath(
        mdp=problem,
        proper=proper,
        exact_reward=reward,
        model=mdp,
        merged=merged,
        known=known,
        endless=endless,
        kept=np.flatnonzero(kept),
        balanced=balanced,
        potential=cycles.potential,
    )


def _infinite_values(mdp: MDP, cycles: Cycles, may_stop: bool) -> tuple[FloatArray, IntArray, IntArray]:
    """What is not finite [S], choices that end surely where they can, and choices that are worth inf.

    Who may stop seeks inf by choices that end surely or get to a component of positive gain. Who has to end
    can put that off, so that there the value is the supremum of policies that end.
    """
    known, endless = np.zeros(mdp.n_states), np.full(mdp.n_states, -1, dtype=np.int64)
    rich = cycles.positive
    sure, proper = surely_reaching(mdp, mdp.terminal | rich if may_stop else mdp.terminal)
    known[~sure] = -np.inf

    def leading_to(states: BoolArray, among: BoolArray) -> IntArray:
        return toward(mdp, states, among) if states.any() else endless

    every = np.ones(mdp.n_choices, dtype=np.bool_)
    unclear = cycles.undecided | (~sure & (rich | cycles.balanced))
    known[unclear | (leading_to(cycles.undecided, every) >= 0)] = np.nan
    known[~sure & (leading_to(rich | cycles.balanced, every) >= 0)] = np.nan
    there = leading_to(rich, ~any_transition(mdp, ~sure[mdp.successor]))
    infinite = sure & (rich | (there >= 0))
    known[infinite] = np.inf
    attaining = np.where(rich, cycles.choice, there) if may_stop else proper
    return known, proper, np.where(infinite, attaining, -1)
