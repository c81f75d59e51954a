"""The Markov decision process (Definition 6.34) as sparse, read-only arrays."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from rlkit.core.validation import ModelError, normalised_rows, validate
from rlkit.errors import did_you_mean

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

FEW, MANY = 12, 10_000  # states that a message lists, and among which it looks for the one that was meant
LARGEST_TABLE = 2**32  # entries of a table of states and actions


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MDP:
    """A finite Markov decision process: states, their choices, and the successors of each choice.

    State s owns the choices `state_ptr[s]:state_ptr[s+1]`, and choice c the transitions
    `choice_ptr[c]:choice_ptr[c+1]`. A state without choices is terminal and has value 0. Parallel
    transitions (same choice, same successor) are allowed, so that their rewards may differ.

    Rows that miss 1 by at most 1e-6 are renormalised with a `ModelWarning`; any other defect raises
    a `ModelError` naming state and action. The arrays are made read-only. Source: Definition 6.34.
    """

    state_ptr: IntArray  # [S+1] first choice of each state
    choice_ptr: IntArray  # [C+1] first transition of each choice
    successor: IntArray  # [T]
    probability: FloatArray  # [T]
    reward: FloatArray  # [C] expected reward of taking the choice
    action: IntArray  # [C] action index of the choice
    initial: FloatArray  # [S] distribution of the first state
    transition_reward: FloatArray | None = None  # [T] R(s,a,s'), where the successor matters
    discount: float = 1.0
    fade: float = 0.0  # a reward earned at step t = 1, 2, ... counts 1 - fade t; that needs a horizon
    zero_sum: bool = False  # two players take turns: what one who moves gains, the next one loses
    labels: Mapping[str, IntArray] = field(default_factory=dict)  # name -> sorted states
    state_names: tuple[str, ...] | None = None
    action_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        index = np.int32 if len(self.successor) < 2**31 else np.int64
        for name in ("state_ptr", "choice_ptr", "successor", "action"):
            object.__setattr__(self, name, _as_index(getattr(self, name), name, index))
        for name in ("probability", "reward", "initial", "transition_reward"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.ascontiguousarray(value, dtype=np.float64))
        validate(self)
        self._drop_zeros()
        object.__setattr__(self, "probability", normalised_rows(self))
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def _drop_zeros(self) -> None:
        kept = self.probability > 0
        if kept.all():
            return
        counts = np.append(0, np.cumsum(kept))[self.choice_ptr]
        object.__setattr__(self, "choice_ptr", counts.astype(self.choice_ptr.dtype))
        for name in ("successor", "probability", "transition_reward"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, value[kept])

    def __repr__(self) -> str:
        return f"MDP(states={self.n_states}, choices={self.n_choices}, transitions={self.n_transitions})"

    @property
    def n_states(self) -> int:
        """Number of states S, terminal ones included."""
        return len(self.state_ptr) - 1

    @property
    def n_choices(self) -> int:
        """Number of state-action pairs C."""
        return len(self.choice_ptr) - 1

    @property
    def n_transitions(self) -> int:
        """Number of stored transitions T."""
        return len(self.successor)

    @cached_property
    def n_actions(self) -> int:
        """Number of actions A over all states."""
        if self.action_names is not None:
            return len(self.action_names)
        return int(self.action.max()) + 1 if len(self.action) else 0

    @cached_property
    def terminal(self) -> BoolArray:
        """Which states end the episode, [S]."""
        ends: BoolArray = np.diff(self.state_ptr) == 0
        return ends

    @cached_property
    def matrix(self) -> csr_array:
        """Transition probabilities as a sparse matrix over the same memory, [C, S]."""
        return csr_array(
            (self.probability, self.successor, self.choice_ptr), shape=(self.n_choices, self.n_states)
        )

    @cached_property
    def incoming(self) -> csc_array:
        """The same matrix by column: which choices may lead to a state, [C, S]."""
        return self.matrix.tocsc()

    @cached_property
    def state_of_choice(self) -> IntArray:
        """The state that owns each choice, [C]."""
        return np.repeat(np.arange(self.n_states, dtype=self.state_ptr.dtype), np.diff(self.state_ptr))

    @cached_property
    def legal(self) -> BoolArray:
        """Which actions each state offers, [S, A]; raises `ModelError` where there are too many pairs."""
        states, actions = self.n_states, self.n_actions
        if states * actions > LARGEST_TABLE:
            raise ModelError(f"{states:,} states times {actions:,} actions are too many for a table")
        mask = np.zeros((self.n_states, self.n_actions), dtype=np.bool_)
        mask[self.state_of_choice, self.action] = True
        return mask

    def share(self, step: int) -> float:
        """What is left of a reward that is earned at step 1, 2, ... of an episode."""
        return max(0.0, 1.0 - self.fade * step)

    def with_fade(self, fade: float) -> MDP:
        """The same model, whose rewards shrink with time, sharing all else."""
        other = copy(self)
        object.__setattr__(other, "fade", float(fade))
        return other

    def with_reward(self, reward: FloatArray) -> MDP:
        """The same decisions with another expected reward of each choice, [C], sharing all else."""
        other = copy(self)
        reward.flags.writeable = False
        object.__setattr__(other, "reward", reward)
        object.__setattr__(other, "transition_reward", None)
        return other

    def table(self, per_choice: npt.NDArray[Any], fill: float = np.nan) -> FloatArray:
        """Spread numbers given per choice, [C], over a table [S, A]; `fill` where no choice is."""
        table = np.full((self.n_states, self.n_actions), fill)
        table[self.state_of_choice, self.action] = per_choice
        return table

    def expectation(self, value: FloatArray) -> float:
        """Mean of a value [S] over the initial distribution; states that cannot be first do not count."""
        start = np.flatnonzero(self.initial)
        return float(self.initial[start] @ value[start])

    def state_name(self, state: int) -> str:
        """Name of a state, its number where it has none."""
        return self.state_names[state] if self.state_names is not None else str(state)

    def action_name(self, action: int) -> str:
        """Name of an action, its number where it has none."""
        return self.action_names[action] if self.action_names is not None else str(action)

    def states_with(self, label: str) -> IntArray:
        """States that carry a label, or else have that name.

        Raises `ModelError` with the known labels, and the likeliest name, if there is no such one.
        """
        names = self.state_names or ()
        if label in self.labels:
            return self.labels[label]
        if label in names:
            return np.flatnonzero([name == label for name in names])
        known = f"labels: {', '.join(sorted(self.labels)) or 'none'}"
        if not names:
            raise ModelError(f"no label {label!r} in this model ({known})")
        if len(names) <= FEW:
            raise ModelError(
                f"no label or state {label!r} in this model ({known}; states: {', '.join(names)})"
            )
        hint = did_you_mean(label, [*self.labels, *names[:MANY]])
        raise ModelError(f"no label or state {label!r} in this model ({known}){hint}")


def _as_index(value: npt.ArrayLike, name: str, dtype: type[np.integer[Any]]) -> IntArray:
    array = np.asarray(value)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{name} must hold integers, not {array.dtype}")
    if array.size and (array.max() > np.iinfo(dtype).max or array.min() < np.iinfo(dtype).min):
        raise ModelError(f"{name} holds {array.max()}, which is no index into this model")
    return np.ascontiguousarray(array, dtype=dtype)
