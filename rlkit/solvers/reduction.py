"""Models made of others: with some of their choices, or with sets of states merged into one."""

from dataclasses import dataclass, replace

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.core.rows import pointers, ranges
from rlkit.solvers.graph import toward


@dataclass(frozen=True, eq=False)
class Quotient:
    """A model whose end components are single states, and the way back."""

    mdp: MDP  # merged states first, and last a terminal state for having stopped
    state: IntArray  # [S] quotient state of each model state
    origin: IntArray  # [C'] model choice of each quotient choice, -1 for stopping
    inside: BoolArray  # [C] model choices that stay inside a merged state


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
    choice_ptr = pointers(sizes)
    state_ptr = np.searchsorted(owner[order], np.arange(ended + 2))
    from_model = np.repeat(real, sizes)
    source = ranges(np.where(real, mdp.choice_ptr[origin], 0), sizes)[from_model]
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


def with_choices(mdp: MDP, kept: BoolArray, *, reward: FloatArray | None = None) -> MDP:
    """The same states with some of their choices [C], and other rewards [C] if given."""
    transitions = mdp.per_transition(kept)
    return replace(
        mdp,
        state_ptr=pointers(kept)[mdp.state_ptr],
        choice_ptr=pointers(np.diff(mdp.choice_ptr)[kept]),
        successor=mdp.successor[transitions],
        probability=mdp.probability[transitions],
        reward=(mdp.reward if reward is None else reward)[kept],
        transition_reward=None,
        action=mdp.action[kept],
    )


def entering(mdp: MDP, target: BoolArray) -> FloatArray:
    """Probability that each choice leads into the target, [C]."""
    into: FloatArray = mdp.matrix @ target.astype(np.float64)
    return into
