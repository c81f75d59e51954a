"""Undiscounted problems without their ambiguity: end components merged, infinite values set apart.

Without discount the Bellman equation can have many solutions, and a greedy policy can turn in circles.
Both come from end components. Those that pay nothing are merged into one state that may also stop for 0;
of the others, one with positive gain is worth inf to whoever can reach it, and one with negative gain
must be left. What remains is a stochastic shortest path problem whose optimal value is the only fixed
point (Bertsekas and Tsitsiklis 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, hstack

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.graph import any_transition, end_components, surely_reaching, toward


@dataclass(frozen=True, eq=False)
class Quotient:
    """A model whose end components are single states, and the way back."""

    mdp: MDP  # merged states first, and last a terminal state for having stopped
    state: IntArray  # [S] quotient state of each model state
    origin: IntArray  # [C'] model choice of each quotient choice, -1 for stopping
    inside: BoolArray  # [C] model choices that stay inside a merged state


@dataclass(frozen=True, eq=False)
class Core:
    """A shortest-path problem equivalent to maximising the total reward of a model."""

    quotient: Quotient  # whose model is the problem
    proper: IntArray  # [S'] choices of a policy that ends with probability 1; -1 where none is needed
    known: FloatArray  # [S'] inf, -inf, or nan where the sign is undecided; 0 elsewhere


def core(mdp: MDP, *, may_stop: bool = True) -> Core:
    """Reduce maximising the total reward of a model; without `may_stop` every episode has to end.

    States that cannot end, and cannot circle for nothing, are worth -inf.
    """
    label, inside = end_components(mdp, mdp.reward == 0)
    merged = merge(mdp, label, inside, np.zeros(label.max() + 1) if may_stop else None)
    model = merged.mdp
    known = _infinite_values(model)
    sure, proper = surely_reaching(model, model.terminal)
    known[~sure & (known == 0)] = -np.inf

    finite = known == 0
    kept = finite[model.state_of_choice] & ~any_transition(model, ~finite[model.successor])
    number = np.cumsum(kept) - 1
    proper = np.where((proper >= 0) & finite, np.append(number, -1)[proper], -1)
    quotient = replace(merged, mdp=with_choices(model, kept), origin=merged.origin[kept])
    return Core(quotient, proper, known)


def merge(mdp: MDP, label: IntArray, inside: BoolArray, stop: FloatArray | None) -> Quotient:
    """Make one state of each label >= 0 [S], drop the choices inside, and let it stop for `stop` [K]."""
    count = int(label.max(initial=-1)) + 1
    state = np.where(label >= 0, label, count + np.cumsum(label < 0) - 1)
    ended = int(state.max()) + 1
    stops = 0 if stop is None else count
    choices = np.flatnonzero(~inside)
    owner = np.append(state[mdp.state_of_choice[choices]], np.arange(stops))
    order = np.argsort(owner, kind="stable")
    origin = np.append(choices, np.full(stops, -1))[order]
    real = origin >= 0
    sizes = np.where(real, np.diff(mdp.choice_ptr)[origin], 1) if len(origin) else np.zeros(0, np.int64)
    choice_ptr = np.append(0, np.cumsum(sizes))
    state_ptr = np.searchsorted(owner[order], np.arange(ended + 2))
    from_model = np.repeat(real, sizes)
    source = np.repeat(np.where(real, mdp.choice_ptr[origin], 0) - choice_ptr[:-1], sizes)
    source = (source + np.arange(choice_ptr[-1]))[from_model]
    successor = np.full(choice_ptr[-1], ended)
    successor[from_model] = state[mdp.successor[source]]
    probability = np.ones(choice_ptr[-1])
    probability[from_model] = mdp.probability[source]
    reward = np.zeros(len(origin))
    reward[real] = mdp.reward[origin[real]]
    if stop is not None:
        reward[~real] = stop[owner[order][~real]]
    quotient = MDP(
        state_ptr=state_ptr,
        choice_ptr=choice_ptr,
        successor=successor,
        probability=probability,
        reward=reward,
        action=np.arange(len(order)) - np.repeat(state_ptr[:-1], np.diff(state_ptr)),
        initial=np.append(np.bincount(state, weights=mdp.initial, minlength=ended), 0.0),
    )
    return Quotient(quotient, state, origin, inside)


def lift_choices(mdp: MDP, quotient: Quotient, choice: IntArray, stay: IntArray) -> IntArray:
    """Choices of the model [S] that carry out choices of its quotient [S'].

    In a merged state the quotient's choice belongs to one member; the others move to that member first.
    Where the quotient stops, `stay` [S] says what to do.
    """
    lifted = np.full(mdp.n_states, -1, dtype=np.int64)
    chosen = quotient.origin[choice[choice >= 0]]
    chosen = chosen[chosen >= 0]
    lifted[mdp.state_of_choice[chosen]] = chosen
    inward = toward(mdp, lifted >= 0, quotient.inside)
    lifted = np.where(lifted >= 0, lifted, inward)
    lifted = np.where(lifted >= 0, lifted, stay)
    return np.where((lifted < 0) & ~mdp.terminal, mdp.state_ptr[:-1], lifted)


def any_inside(mdp: MDP, inside: BoolArray) -> IntArray:
    """Some choice inside the end component of each state, [S]; -1 outside."""
    choices = np.flatnonzero(inside)[::-1]
    stay = np.full(mdp.n_states, -1, dtype=np.int64)
    stay[mdp.state_of_choice[choices]] = choices
    return stay


def with_choices(mdp: MDP, kept: BoolArray, *, reward: FloatArray | None = None) -> MDP:
    """The same states with some of their choices [C], and other rewards [C] if given."""
    transitions = np.repeat(kept, np.diff(mdp.choice_ptr))
    return replace(
        mdp,
        state_ptr=np.append(0, np.cumsum(kept))[mdp.state_ptr],
        choice_ptr=np.append(0, np.cumsum(np.diff(mdp.choice_ptr)[kept])),
        successor=mdp.successor[transitions],
        probability=mdp.probability[transitions],
        reward=(mdp.reward if reward is None else reward)[kept],
        transition_reward=None,
        action=mdp.action[kept],
    )


def entering(mdp: MDP, target: BoolArray) -> FloatArray:
    """Probability that each choice leads into the target, [C]."""
    into = np.where(target[mdp.successor], mdp.probability, 0.0)
    rows = np.repeat(np.arange(mdp.n_choices), np.diff(mdp.choice_ptr))
    return np.bincount(rows, weights=into, minlength=mdp.n_choices).astype(np.float64)


def _infinite_values(mdp: MDP) -> FloatArray:
    """inf for states that can reach an end component of positive gain, nan where the sign is undecided."""
    if not (mdp.reward > 0).any():
        return np.zeros(mdp.n_states)
    everything = np.ones(mdp.n_choices, dtype=np.bool_)
    label, inside = end_components(mdp, everything)
    positive, undecided = (np.zeros(mdp.n_states, dtype=np.bool_) for _ in range(2))
    highest = np.full(label.max() + 1, -np.inf)
    np.maximum.at(highest, label[mdp.state_of_choice[inside]], mdp.reward[inside])
    for k in np.flatnonzero(highest > 0):
        choices = np.flatnonzero(inside & (label[mdp.state_of_choice] == k))
        reward = mdp.reward[choices]
        gain = reward.max() if (reward >= 0).all() else best_gain(mdp, choices)  # only its sign matters
        rounding = 1e-9 * np.abs(reward).max()
        (positive if gain > rounding else undecided)[label == k] = gain > -rounding
    known = np.zeros(mdp.n_states)
    for value, states in ((np.nan, undecided), (np.inf, positive)):
        known[states | (toward(mdp, states, everything) >= 0)] = value
    return known


def best_gain(mdp: MDP, choices: IntArray) -> float:
    """Largest average reward a step in a communicating set of choices, by linear programming.

    Minimise g such that g + h(s) >= r(s,a) + E[h(s')] for every choice (Puterman 1994, section 8.8).
    """
    from scipy.optimize import linprog  # slow to import, and seldom needed

    members, owner = np.unique(mdp.state_of_choice[choices], return_inverse=True)
    rows = np.arange(len(choices))
    pick = csr_array((np.ones(len(choices)), (rows, owner)), shape=(len(choices), len(members)))
    bias = pick - mdp.matrix[choices][:, members]
    ones = csr_array(np.ones((len(choices), 1)))
    cost = np.append(1.0, np.zeros(len(members)))
    result = linprog(
        cost, A_ub=-hstack([ones, bias]), b_ub=-mdp.reward[choices], bounds=(None, None), method="highs"
    )
    return float(result.x[0])
