"""An MDP as a `Model`: a table is a description too, and gets every face."""

from __future__ import annotations

from dataclasses import dataclass, field

import array_api_compat
import numpy as np
from gymnasium import spaces

from rlkit.core.mdp import MDP
from rlkit.core.model import Array, Model, Step


@dataclass(frozen=True)
class TableState:
    """The number of the state."""

    index: Array  # [B] int64


@dataclass(frozen=True)
class TableModel(Model[TableState]):
    """Sample from an MDP; the observation is the state's number.

    An event is a transition's place within its choice. It is found by bisection on the cumulative
    probabilities, so that memory stays that of the MDP however uneven its rows are.
    """

    mdp: MDP
    choice: Array = field(init=False, repr=False)  # [S, A] choice of each state and action, -1 for none
    cumulative: Array = field(init=False, repr=False)  # [T] probability up to here within the choice
    outcome_reward: Array = field(init=False, repr=False)  # [T]
    starts: Array = field(init=False, repr=False)  # [n_starts] states with an initial probability

    def __post_init__(self) -> None:
        mdp = self.mdp
        choice = np.full((mdp.n_states, mdp.n_actions), -1, dtype=np.int64)
        choice[mdp.state_of_choice, mdp.action] = np.arange(mdp.n_choices)
        sizes = np.diff(mdp.choice_ptr)
        reward = mdp.transition_reward
        derived = {
            "choice": choice,
            "cumulative": _cumulative(mdp.probability, mdp.choice_ptr),
            "outcome_reward": np.repeat(mdp.reward, sizes) if reward is None else reward,
            "starts": np.flatnonzero(mdp.initial),
            "n_actions": mdp.n_actions,
            "n_events": int(sizes.max(initial=1)),
            "n_starts": int(np.count_nonzero(mdp.initial)),
            "observation_space": spaces.Discrete(mdp.n_states),
            "action_names": mdp.action_names,
            "discount": mdp.discount,
            "masked": not mdp.legal[~mdp.terminal].all(),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def start_probs(self) -> Array:
        """Initial probabilities of the states that have one, [n_starts]."""
        return self.mdp.initial[self.starts]

    def initial(self, event: Array) -> TableState:
        """The start state of that number, [B]."""
        return TableState(self.starts[event])

    def sample_start(self, u: Array) -> TableState:
        """Start states for uniform numbers u [B], by bisection."""
        xp = array_api_compat.array_namespace(u)
        event = xp.searchsorted(xp.cumulative_sum(self.start_probs())[:-1], u, side="right")
        return self.initial(event)

    def event_probs(self, state: TableState, action: Array) -> Array:
        """Probability of each transition of the choice, [B, n_events]; 0 behind its last one."""
        choice = self.choice[state.index, action]
        first, last = self.mdp.choice_ptr[choice], self.mdp.choice_ptr[choice + 1]
        place = first[:, None] + np.arange(self.n_events)
        inside = place < last[:, None]
        return np.where(inside, self.mdp.probability[np.where(inside, place, 0)], 0.0)

    def sample_event(self, state: TableState, action: Array, u: Array) -> Array:
        """First transition whose cumulative probability exceeds u [B]."""
        xp = array_api_compat.array_namespace(u)
        choice = self.choice[state.index, action]
        first = self.mdp.choice_ptr[choice]
        low, high = first, self.mdp.choice_ptr[choice + 1] - 1
        for _ in range((self.n_events - 1).bit_length()):
            middle = (low + high) // 2
            beyond = (self.cumulative[middle] <= u) & (low < high)
            low, high = xp.where(beyond, middle + 1, low), xp.where(beyond, high, middle)
        return low - first

    def transition(self, state: TableState, action: Array, event: Array) -> Step[TableState]:
        """Follow the transition of that place."""
        place = self.mdp.choice_ptr[self.choice[state.index, action]] + event
        successor = self.mdp.successor[place]
        return Step(
            TableState(successor.astype(np.int64)), self.outcome_reward[place], self.mdp.terminal[successor]
        )

    def observe(self, state: TableState) -> Array:
        """The number of the state, [B]."""
        return state.index

    def legal(self, state: TableState) -> Array:
        """Actions for which the state has a choice, [B, A]."""
        return self.mdp.legal[state.index]

    def all_states(self) -> TableState:
        """States in the order of the MDP."""
        return TableState(np.arange(self.mdp.n_states))

    def state_names(self, state: TableState) -> tuple[str, ...] | None:
        """Names from the MDP."""
        names = self.mdp.state_names
        return None if names is None else tuple(names[i] for i in state.index)


def _cumulative(probability: Array, choice_ptr: Array) -> Array:
    """Running sums within each choice [T], each from its own 0, so that no rounding crosses rows."""
    total = probability.copy()
    sizes = np.diff(choice_ptr)
    rows = np.flatnonzero(sizes > 1)
    for k in range(1, int(sizes.max(initial=1))):
        rows = rows[sizes[rows] > k]
        place = choice_ptr[rows] + k
        total[place] += total[place - 1]
    return total
