"""Bounds where too many beliefs can be reached: what follows unexplored ones is made easier, or harder.

Who is shown the state from some belief on can do at least what memory can (Littman, Cassandra and Kaelbling
1995); who must follow one map from observations to actions from there on, at most. Both are MDPs.
"""

import warnings
from typing import NamedTuple

import numpy as np

from rlkit.core.build import expected_reward
from rlkit.core.errors import ModelWarning
from rlkit.core.mdp import MDP, BoolArray, IntArray
from rlkit.core.pomdp import POMDP
from rlkit.solvers.options import check_kind
from rlkit.solvers.partial.belief import Rows, Walk

MOST_MAPS = 16


class BeliefBounds(NamedTuple):
    """Two MDPs whose states are first the beliefs found, in the same order.

    Maximised, `revealed` is worth at least what the POMDP is, and `blind` at most; minimised, the other way
    round.
    """

    revealed: MDP
    blind: MDP
    explored: int  # beliefs that were looked at


def belief_bounds(pomdp: POMDP, *, horizon: int | None = None, max_beliefs: int = 10_000) -> BeliefBounds:
    """Two MDPs of about the first `max_beliefs` beliefs that enclose the optimum with memory from the start.

    It is that of both where no more beliefs can be reached, within `horizon` steps if it is given. Solve both
    for any objective without a target.
    """
    check_kind("belief_bounds", pomdp, POMDP)
    walk = Walk(pomdp, np.inf)
    left = walk.explore(horizon, enough=max_beliefs)
    states = np.arange(pomdp.n_observations)
    maps = []
    for a in range(min(pomdp.mdp.n_actions, MOST_MAPS)):
        allowed = np.zeros_like(pomdp.legal)
        allowed[states, np.where(pomdp.legal[:, a], a, pomdp.legal.argmax(axis=1))] = True
        maps.append(allowed & pomdp.legal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # of states that nobody reaches
        revealed, blind = (_closed(walk, left, allowed) for allowed in ([pomdp.legal], maps))
    return BeliefBounds(revealed, blind, len(walk.found) - len(left))


def _closed(walk: Walk, left: IntArray, maps: list[BoolArray]) -> MDP:
    """The MDP in which, from the beliefs that were left on, the states go by one of the maps [O, A]."""
    if not len(left):
        return walk.model()
    pomdp, mdp = walk.pomdp, walk.pomdp.mdp
    first = len(walk.found) + walk.ended
    seen = np.array([walk.observation[i] for i in left])
    choice = mdp.per_transition(np.arange(mdp.n_choices))  # [T]
    rows: list[Rows] = []
    for k, allowed in enumerate(maps):
        offset, more = first + k * mdp.n_states, k * mdp.n_actions
        for a in np.flatnonzero(allowed[seen].any(axis=0)):
            source = left[allowed[seen, a]]
            belief = walk.stack(source)
            reward = expected_reward(belief.data, walk.reward[a][belief.indices], belief.indptr[:-1])
            after = (belief @ walk.kernel[a]).tocoo()
            row, state = (x.astype(np.int64) for x in after.coords)
            rows.append((source[row], np.full(len(row), a + more), offset + state, after.data, reward[row]))
        taken = allowed[pomdp.observation[mdp.state_of_choice], mdp.action][choice]  # [T]
        own = choice[taken]
        moves = offset + mdp.state_of_choice[own], more + mdp.action[own], offset + mdp.successor[taken]
        rows.append((*moves, mdp.probability[taken], mdp.reward[own]))
    return walk.model(rows, states=len(maps) * mdp.n_states, actions=len(maps))
