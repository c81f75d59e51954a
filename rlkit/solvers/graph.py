"""Graph questions about an MDP: components in order, end components, sure reachability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from rlkit.core.graph import state_graph
from rlkit.core.mdp import MDP, BoolArray, IntArray
from rlkit.solvers.kernels import attract, kernel


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


def components(mdp: MDP) -> Components:
    """Decompose the state graph of a model."""
    graph = state_graph(mdp)
    count, label = connected_components(graph, directed=True, connection="strong")
    source = np.repeat(np.arange(mdp.n_states), np.diff(graph.indptr))
    rank = _topological_rank(count, label[source], label[mdp.successor])
    component = rank[label]
    order = np.argsort(component, kind="stable").astype(mdp.state_ptr.dtype)
    sizes = np.bincount(component, minlength=count)
    cyclic = sizes > 1
    cyclic[component[source[source == mdp.successor]]] = True
    pointer = np.concatenate([[0], np.cumsum(sizes)]).astype(order.dtype)
    return Components(order, pointer, cyclic)


def one_component(mdp: MDP) -> Components:
    """All states as one component in their given order, for sweeps that know nothing of the graph."""
    order = np.arange(mdp.n_states, dtype=mdp.state_ptr.dtype)
    return Components(order, np.array([0, mdp.n_states], dtype=order.dtype), np.ones(1, dtype=np.bool_))


def _topological_rank(count: int, source: IntArray, target: IntArray) -> IntArray:
    """Position [K] of each component such that every edge leads to an earlier one."""
    rank = np.arange(count)
    if (source >= target).all():  # how scipy's search happens to number them
        return rank
    if (source <= target).all():
        return rank[::-1].copy()
    edge = source != target
    graph = csr_array((np.ones(edge.sum(), np.int8), (source[edge], target[edge])), shape=(count, count))
    missing = np.diff(graph.indptr).astype(np.int64)
    into = graph.tocsc()
    queue = list(np.flatnonzero(missing == 0))
    for position, k in enumerate(queue):
        rank[k] = position
        for j in into.indices[into.indptr[k] : into.indptr[k + 1]]:
            missing[j] -= 1
            if missing[j] == 0:
                queue.append(j)
    return rank


def end_components(mdp: MDP, allowed: BoolArray) -> tuple[IntArray, BoolArray]:
    """Maximal end components over the allowed choices [C]: label of each state [S], -1 outside, and choices.

    The second array [C] marks the choices that stay inside. Source: de Alfaro 1997, section 3.3.
    """
    owner = mdp.state_of_choice
    inside = allowed.copy()
    while True:
        edges = np.repeat(inside, np.diff(mdp.choice_ptr))
        source = np.repeat(owner, np.diff(mdp.choice_ptr))[edges]
        graph = csr_array(
            (np.ones(len(source), np.int8), (source, mdp.successor[edges])), shape=(mdp.n_states,) * 2
        )
        _, label = connected_components(graph, directed=True, connection="strong")
        leaves = label[mdp.successor] != np.repeat(label[owner], np.diff(mdp.choice_ptr))
        stays = inside & ~any_transition(mdp, leaves)
        if (stays == inside).all():
            break
        inside = stays
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
    into = mdp.matrix.tocsc()
    run = kernel(attract, mdp.n_transitions)
    return run(target, allowed, needed, mdp.state_of_choice, into.indptr, into.indices)


def inevitable(mdp: MDP, target: BoolArray) -> BoolArray:
    """States from which every policy reaches the target with probability 1, and the target, [S].

    They are those that cannot get, around the target, to where some policy avoids it for ever.
    """
    avoiding = ~(target | forced(mdp, target))
    around = ~target[mdp.state_of_choice]
    return ~(avoiding | (toward(mdp, avoiding, around) >= 0))


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
