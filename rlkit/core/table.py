"""An MDP as a `Model`: a table is a description too, with every interface."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from rlkit.core.arrays import Array, namespace
from rlkit.core.errors import ModelError
from rlkit.core.mdp import MDP
from rlkit.core.model import Model, Step
from rlkit.core.pomdp import POMDP


@dataclass(frozen=True)
class TableState:
    """The number of the state."""

    index: Array  # [B] int64


class TableModel(Model[TableState]):
    """Sample from an MDP; the observation is the state's number. Raises `ModelError` where it has no choices.

    An event is a transition's place within its choice. It is found by bisection on the cumulative
    probabilities, so that memory stays that of the MDP however uneven its rows are.
    """

    def __init__(self, mdp: MDP) -> None:
        if not mdp.n_choices:
            raise ModelError("every state of the MDP is terminal: there is no step to take")
        sizes = np.diff(mdp.choice_ptr)
        self.mdp = mdp
        self.n_actions = mdp.n_actions
        self.n_events = int(sizes.max(initial=1))
        self.observation_space = spaces.Discrete(mdp.n_states)
        self.action_names = mdp.action_names
        self.discount = mdp.discount
        self.reward_decay = mdp.reward_decay
        self.zero_sum = mdp.zero_sum
        self.masked = not mdp.legal[~mdp.terminal].all()
        self.choice = np.zeros(mdp.n_states * mdp.n_actions, dtype=np.int64)  # [S * A]
        self.choice[mdp.state_of_choice * mdp.n_actions + mdp.action] = np.arange(mdp.n_choices)
        self.first = mdp.choice_ptr[:-1].astype(np.int64)  # [C] first transition of each choice
        self.last = mdp.choice_ptr[1:].astype(np.int64) - 1  # [C] and its last
        self.probability = mdp.probability  # [T]
        self.cumulative = _cumulative(mdp.probability, mdp.choice_ptr)  # [T] up to here within the choice
        self.successor = mdp.successor.astype(np.int64)  # [T]
        self.reward = mdp.reward_by_transition  # [T]
        paid = -abs(self.reward) if mdp.zero_sum else self.reward  # by either of two players
        least = float(paid.min(initial=0.0))
        self.worst = 0.0 if not least else least / (1 - mdp.discount) if mdp.discount < 1 else None
        self.ends = mdp.terminal  # [S]
        self.offered = mdp.legal  # [S, A]
        self.starts = np.flatnonzero(mdp.initial)  # [n_starts] states with an initial probability
        self.start_chance = mdp.initial[self.starts]  # [n_starts]
        self.n_starts = len(self.starts)

    def start_probs(self) -> Array:
        """Initial probabilities of the states that have one, [n_starts]."""
        return self.start_chance

    def initial(self, event: Array) -> TableState:
        """The start state of that number, [B]."""
        return TableState(self.starts[event])

    def event_probs(self, state: TableState, action: Array) -> Array:
        """Probability of each transition of the choice, [B, n_events]; 0 behind its last one."""
        xp = namespace(action)
        choice = self._choice(state, action)
        place = self.first[choice][:, None] + xp.arange(self.n_events, device=action.device)
        inside = place <= self.last[choice][:, None]
        return xp.where(inside, self.probability[place * inside], 0.0)

    def sample_event(self, state: TableState, action: Array, u: Array) -> Array:
        """First transition whose cumulative probability exceeds u [B]."""
        xp = namespace(u)
        choice = self._choice(state, action)
        first, high = self.first[choice], self.last[choice]
        low = first
        for _ in range((self.n_events - 1).bit_length()):
            middle = (low + high) >> 1
            beyond = (self.cumulative[middle] <= u) & (low < high)
            low, high = xp.where(beyond, middle + 1, low), xp.where(beyond, high, middle)
        return low - first

    def transition(self, state: TableState, action: Array, event: Array) -> Step[TableState]:
        """Follow the transition of that place."""
        place = self.first[self._choice(state, action)] + event
        successor = self.successor[place]
        return Step(TableState(successor), self.reward[place], self.ends[successor])

    def decayed(self, reward: Array, elapsed: Array) -> Array:
        """How much a reward counts at step `elapsed`, as `MDP.reward_scale` has it."""
        if not self.reward_decay:
            return reward
        scale = 1.0 - self.reward_decay * elapsed
        return reward * scale * (scale > 0)

    def observe(self, state: TableState) -> Array:
        """The number of the state, [B]."""
        return state.index

    def legal(self, state: TableState) -> Array:
        """Actions for which the state has a choice, [B, A]."""
        return self.offered[state.index]

    def all_states(self) -> TableState:
        """States in the order of the MDP."""
        return TableState(np.arange(len(self.ends)))

    def state_names(self, state: TableState) -> tuple[str, ...] | None:
        """Names from the MDP."""
        names = self.mdp.state_names
        return None if names is None else tuple(names[i] for i in state.index)

    def _choice(self, state: TableState, action: Array) -> Array:
        return self.choice[state.index * self.n_actions + action]


class HiddenTableModel(TableModel):
    """Sample from a POMDP; what is observed is the number of the state's class."""

    partially_observable = True

    def __init__(self, pomdp: POMDP) -> None:
        super().__init__(pomdp.mdp)
        self.observation_space = spaces.Discrete(pomdp.n_observations)
        self.seen = np.maximum(pomdp.observation, 0)  # [S] anything where the episode is over

    def observe(self, state: TableState) -> Array:
        """The number of the class, [B]."""
        return self.seen[state.index]


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
