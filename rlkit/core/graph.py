"""The graph under an MDP: one node a state, one edge a transition."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from rlkit.core.mdp import MDP, BoolArray, IntArray


def state_graph(mdp: MDP) -> csr_array:
    """Edges between states over all choices, [S, S], sharing the model's successor array."""
    ones = np.ones(mdp.n_transitions, dtype=np.int8)
    return csr_array((ones, mdp.successor, mdp.choice_ptr[mdp.state_ptr]), shape=(mdp.n_states,) * 2)


def reachable(mdp: MDP) -> BoolArray:
    """Which states the initial distribution can reach under some policy, [S]."""
    return reached(np.flatnonzero(mdp.initial), mdp.choice_ptr[mdp.state_ptr], mdp.successor)


def reached(starts: IntArray, pointers: IntArray, successor: IntArray) -> BoolArray:
    """Which nodes [N] can be reached from some, node i having the edges `pointers[i]:pointers[i+1]`."""
    source = len(pointers) - 1
    indices = np.concatenate([successor, starts])
    edges = (np.ones(len(indices), dtype=np.int8), indices, np.append(pointers, len(indices)))
    found = np.zeros(source + 1, dtype=np.bool_)
    graph = csr_array(edges, shape=(source + 1, source + 1))
    found[breadth_first_order(graph, source, return_predecessors=False)] = True
    return found[:-1]


def layers(mdp: MDP) -> list[IntArray]:
    """Reachable states by their distance from the initial ones, nearest first."""
    graph = state_graph(mdp)
    found = np.zeros(mdp.n_states, dtype=np.bool_)
    frontier: IntArray = np.flatnonzero(mdp.initial)
    result = []
    while len(frontier):
        found[frontier] = True
        result.append(frontier)
        after = np.unique(graph[frontier].indices)
        frontier = after[~found[after]]
    return result
