"""Total reward at gamma = 1: what is infinite, what may be merged, and a core with one fixed point.

Without discount the Bellman equation can have many solutions, and a greedy policy can turn in circles.
Both come from end components. Those that pay nothing are merged into one state that may also stop for 0;
of the others, one with positive gain is worth inf to whoever can reach it, and one with negative gain
must be left. What remains is a stochastic shortest path problem whose optimal value is the only fixed
point (Bertsekas and Tsitsiklis 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.graph import end_components, surely_reaching, toward


@dataclass(frozen=True, eq=False)
class Core:
    """A shortest-path problem equivalent to a model, and the way back to it."""

    mdp: MDP  # merged states, and last a terminal state for having stopped
    proper: IntArray  # [S'] choices of a policy that ends with probability 1; -1 where none is needed
    state: IntArray  # [S] core state of each model state
    origin: IntArray  # [C'] model choice of each core choice, -1 for stopping
    zero: BoolArray  # [C] model choices that circle inside a merged state
    known: FloatArray  # [S'] inf, -inf, or nan where the sign is undecided; 0 elsewhere


def core(mdp: MDP) -> Core:
    """Reduce maximising the total reward of a model to its shortest-path core."""
    label, zero = end_components(mdp, mdp.reward == 0)
    merged = label.max() + 1
    state = np.where(label >= 0, label, merged + np.cumsum(label < 0) - 1)
    stopped = int(state.max()) + 1
    quotient, origin = _merge(mdp, state, merged, stopped, ~zero)
    known = _infinite_values(quotient)
    sure, proper = surely_reaching(quotient, quotient.terminal)
    known[~sure & (known == 0)] = -np.inf

    finite = known == 0
    risky = np.logical_or.reduceat(~finite[quotient.successor], quotient.choice_ptr[:-1])
    kept = finite[quotient.state_of_choice] & ~risky
    number = np.cumsum(kept) - 1
    proper = np.where((proper >= 0) & finite, number[proper], -1)
    return Core(_with_choices(quotient, kept), proper, state, origin[kept], zero, known)


def lift_choices(mdp: MDP, reduced: Core, choice: IntArray) -> IntArray:
    """Choices of the model [S] that carry out choices of its core [S'].

    In a merged state the core's choice belongs to one member; the others move to that member first.
    """
    lifted = np.full(mdp.n_states, -1, dtype=np.int64)
    origin = np.where(choice >= 0, reduced.origin[choice], -1)
    chosen = origin[origin >= 0]
    lifted[mdp.state_of_choice[chosen]] = chosen
    inward = toward(mdp, lifted >= 0, reduced.zero)
    lifted = np.where(lifted >= 0, lifted, inward)
    circling = np.flatnonzero(reduced.zero)[::-1]
    anywhere = np.full(mdp.n_states, -1, dtype=np.int64)
    anywhere[mdp.state_of_choice[circling]] = circling
    lifted = np.where(lifted >= 0, lifted, anywhere)
    return np.where((lifted < 0) & ~mdp.terminal, mdp.state_ptr[:-1], lifted)


def _merge(mdp: MDP, state: IntArray, merged: int, stopped: int, kept: BoolArray) -> tuple[MDP, IntArray]:
    """Rename states, drop the other choices, and let each of the first `merged` states stop for 0."""
    choices = np.flatnonzero(kept)
    owner = np.append(state[mdp.state_of_choice[choices]], np.arange(merged))
    order = np.argsort(owner, kind="stable")
    origin = np.append(choices, np.full(merged, -1))[order]
    real = origin >= 0
    sizes = np.where(real, np.diff(mdp.choice_ptr)[origin], 1)
    choice_ptr = np.append(0, np.cumsum(sizes))
    state_ptr = np.searchsorted(owner[order], np.arange(stopped + 2))
    source = np.repeat(np.where(real, mdp.choice_ptr[origin], 0) - choice_ptr[:-1], sizes)
    source = source + np.arange(choice_ptr[-1])
    is_real = np.repeat(real, sizes)
    quotient = MDP(
        state_ptr=state_ptr,
        choice_ptr=choice_ptr,
        successor=np.where(is_real, state[mdp.successor[source]] if len(mdp.successor) else 0, stopped),
        probability=np.where(is_real, mdp.probability[source], 1.0),
        reward=np.where(real, mdp.reward[origin], 0.0),
        action=np.arange(len(order)) - np.repeat(state_ptr[:-1], np.diff(state_ptr)),
        initial=np.append(np.bincount(state, weights=mdp.initial, minlength=stopped), 0.0),
    )
    return quotient, origin


def _with_choices(mdp: MDP, kept: BoolArray) -> MDP:
    """The same states with some of their choices."""
    transitions = np.repeat(kept, np.diff(mdp.choice_ptr))
    return replace(
        mdp,
        state_ptr=np.append(0, np.cumsum(kept))[mdp.state_ptr],
        choice_ptr=np.append(0, np.cumsum(np.diff(mdp.choice_ptr)[kept])),
        successor=mdp.successor[transitions],
        probability=mdp.probability[transitions],
        reward=mdp.reward[kept],
        action=mdp.action[kept],
    )


def _infinite_values(mdp: MDP) -> FloatArray:
    """inf for states that can reach an end component of positive gain, nan where the sign is undecided."""
    label, inside = end_components(mdp, np.ones(mdp.n_choices, dtype=np.bool_))
    known = np.zeros(mdp.n_states)
    everything = np.ones(mdp.n_choices, dtype=np.bool_)
    positive, undecided = (np.zeros(mdp.n_states, dtype=np.bool_) for _ in range(2))
    highest = np.full(label.max() + 1, -np.inf)
    np.maximum.at(highest, label[mdp.state_of_choice[inside]], mdp.reward[inside])
    for k in np.flatnonzero(highest > 0):
        choices = np.flatnonzero(inside & (label[mdp.state_of_choice] == k))
        gain = _best_gain(mdp, choices)
        rounding = 1e-9 * np.abs(mdp.reward[choices]).max()
        (positive if gain > rounding else undecided)[label == k] = gain > -rounding
    for value, states in ((np.nan, undecided), (np.inf, positive)):
        known[states | (toward(mdp, states, everything) >= 0)] = value
    return known


def _best_gain(mdp: MDP, choices: IntArray) -> float:
    """Largest average reward a step in a communicating set of choices, by linear programming.

    Minimise g such that g + h(s) >= r(s,a) + E[h(s')] for every choice (Puterman 1994, section 8.8).
    """
    reward = mdp.reward[choices]
    if (reward >= 0).all():
        return float(reward.max())  # only the sign matters: it can be collected for ever
    owner = mdp.state_of_choice[choices]
    pick = csr_array(
        (np.ones(len(choices)), (np.arange(len(choices)), owner)), shape=(len(choices), mdp.n_states)
    )
    bias = pick - mdp.matrix[choices]
    ones = csr_array(np.ones((len(choices), 1)))
    cost = np.append(1.0, np.zeros(mdp.n_states))
    result = linprog(cost, A_ub=-hstack([ones, bias]), b_ub=-reward, bounds=(None, None), method="highs")
    return float(result.x[0])
