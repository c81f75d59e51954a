"""Graph questions about an MDP: components in order, end components, sure reachability."""

from dataclasses import dataclass

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, IntArray
from rlkit.solvers.backends.kernels import attract, kernel, strong_components, unsigned
from rlkit.solvers.operators import first_choice

SEARCH = 10  # what following an edge costs in a search, beside visiting a transition in a sweep


@dataclass(frozen=True)
class Components:
    """Strongly connected components, listed so that successors come first."""

    order: IntArray  # [S] states by component
    ptr: IntArray  # [K+1] where each component begins in `order`
    cyclic: BoolArray  # [K] whether it holds a cycle

    @property
    def acyclic(self) -> bool:
        """Whether the whole model is a DAG."""
        return not self.cyclic.any()

    @property
    def largest(self) -> float:
        """Share of the states that lie in the largest component with a cycle."""
        return float(np.diff(self.ptr)[self.cyclic].max(initial=0) / len(self.order))


def components(mdp: MDP) -> Components:
    """Decompose the state graph of a model."""
    return Components(*_strong(mdp, None))


def possible(mdp: MDP, horizon: int) -> BoolArray:
    """Where an episode can be after 0, 1, ..., `horizon` steps, [H + 1, S]."""
    there = np.zeros((horizon + 1, mdp.n_states), dtype=np.bool_)
    there[0] = mdp.initial > 0
    source = mdp.per_transition(mdp.state_of_choice)
    edge = mdp.probability > 0
    for step in range(horizon):
        there[step + 1, mdp.successor[edge & there[step][source]]] = True
    return there


def one_component(mdp: MDP) -> Components:
    """All states as one component in their given order, for sweeps that know nothing of the graph."""
    order = np.arange(mdp.n_states, dtype=mdp.state_ptr.dtype)
    return Components(order, np.array([0, mdp.n_states], dtype=order.dtype), np.ones(1, dtype=np.bool_))


def _strong(mdp: MDP, allowed: BoolArray | None) -> tuple[IntArray, IntArray, BoolArray]:
    run = kernel(strong_components, SEARCH * mdp.n_transitions)
    return run(unsigned(mdp.choice_ptr[mdp.state_ptr]), unsigned(mdp.successor), allowed)


def end_components(mdp: MDP, allowed: BoolArray) -> tuple[IntArray, BoolArray]:
    """Maximal end components over the allowed choices [C]: label of each state [S], -1 outside, and choices.

    The second array [C] marks the choices that stay inside. Source: de Alfaro 1997, section 3.3.
    """
    owner = mdp.state_of_choice
    inside = allowed.copy()
    while True:
        order, ptr, _ = _strong(mdp, mdp.per_transition(inside))
        label = np.empty(mdp.n_states, dtype=np.int64)
        label[order] = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
        stays = inside & ~any_transition(mdp, label[mdp.successor] != mdp.per_transition(label[owner]))
        if (stays == inside).all():
            break
        left = np.bincount(owner[stays], minlength=mdp.n_states)
        lost = (left == 0) | (_attracted(mdp, left == 0, stays, left) >= 0)
        inside = stays & ~any_transition(mdp, lost[mdp.successor])
    member = np.zeros(mdp.n_states, dtype=np.bool_)
    member[owner[inside]] = True
    compact = np.full(mdp.n_states, -1, dtype=np.int64)
    compact[member] = np.unique(label[member], return_inverse=True)[1]
    return compact, inside


def toward(mdp: MDP, target: BoolArray, allowed: BoolArray) -> IntArray:
    """For each state the allowed choice that first leads towards the target [S], -1 where none can."""
    return _attracted(mdp, target, allowed, np.ones(mdp.n_states, dtype=np.int64))


def forced(mdp: MDP, target: BoolArray) -> BoolArray:
    """States outside the target that reach it with positive probability under every policy, [S]."""
    every = np.ones(mdp.n_choices, dtype=np.bool_)
    return _attracted(mdp, target, every, np.diff(mdp.state_ptr).astype(np.int64)) >= 0


def _attracted(mdp: MDP, target: BoolArray, allowed: BoolArray, needed: IntArray) -> IntArray:
    run = kernel(attract, SEARCH * mdp.n_transitions)
    return run(target, allowed, needed, mdp.state_of_choice, mdp.incoming.indptr, mdp.incoming.indices)


def avoiding(mdp: MDP, target: BoolArray) -> tuple[BoolArray, IntArray]:
    """States in which some policy stays out of the target for ever, and its choices [S]."""
    states = ~(target | forced(mdp, target))
    staying = ~any_transition(mdp, ~states[mdp.successor])
    return states, np.where(states, first_choice(mdp, staying), -1)


def missing(mdp: MDP, target: BoolArray) -> tuple[BoolArray, IntArray]:
    """States from which some policy misses the target with positive probability, and its choices [S].

    They are those that can get, around the target, to where some policy avoids it for ever.
    """
    safe, staying = avoiding(mdp, target)
    there = toward(mdp, safe, ~target[mdp.state_of_choice])
    return safe | (there >= 0), np.where(safe, staying, there)


def surely_reaching(
    mdp: MDP, target: BoolArray, among: BoolArray | None = None
) -> tuple[BoolArray, IntArray]:
    """States from which some policy reaches the target with probability 1, and such a policy's choices [S].

    `among` [C] restricts the choices that may be taken. The set is the greatest one that can move on
    towards the target without ever risking to leave the set.
    """
    safe = np.ones(mdp.n_states, dtype=np.bool_)
    while True:
        allowed = ~any_transition(mdp, ~safe[mdp.successor])
        if among is not None:
            allowed &= among
        choice = toward(mdp, target, allowed)
        reached = target | (choice >= 0)
        if (reached == safe).all():
            return safe, choice
        safe = reached


def any_transition(mdp: MDP, flag: BoolArray) -> BoolArray:
    """Whether any transition of each choice [C] carries the flag [T]."""
    if not mdp.n_choices:
        return np.zeros(0, dtype=np.bool_)
    return np.logical_or.reduceat(flag, mdp.choice_ptr[:-1])
