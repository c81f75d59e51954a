"""The Markov decision process (Definition 6.34) as sparse, read-only arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from rlkit.core.errors import ModelError, ModelWarning, NoExactModel
from rlkit.core.rows import ROW_TOLERANCE, first, rescaled
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
    reward_decay: float = 0.0  # at step t = 1, 2, ... a reward counts 1 - reward_decay t; needs a horizon
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
        _validate(self)
        self._drop_zeros()
        self._rescale_rows()
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

    def _rescale_rows(self) -> None:
        probability, rows, worst, error = rescaled(self.probability, self.choice_ptr[:-1])
        if rows:
            warnings.warn(
                f"{rows} rows renormalised to sum to 1; the worst, {_place(self, worst)}, was off by "
                f"{error:.2g}",
                ModelWarning,
                stacklevel=4,
            )
        object.__setattr__(self, "probability", probability)

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

    @property
    def sign(self) -> float:
        """What a value of the next state counts for whoever moves now: -1 where it is the other player's."""
        return -1.0 if self.zero_sum else 1.0

    def reward_scale(self, step: int) -> float:
        """How much a reward counts that is earned at step 1, 2, ... of an episode."""
        return max(0.0, 1.0 - self.reward_decay * step)

    def with_reward_decay(self, decay: float) -> MDP:
        """The same model, whose rewards decay with time, sharing all else."""
        return self._sharing(reward_decay=float(decay))

    def with_reward(self, reward: FloatArray) -> MDP:
        """The same decisions with another expected reward of each choice, [C], sharing all else."""
        reward.flags.writeable = False
        return self._sharing(reward=reward, transition_reward=None)

    def with_one_player(self) -> MDP:
        """The same decisions, all made for the same player, sharing all else."""
        return self._sharing(zero_sum=False)

    def _sharing(self, **changed: Any) -> MDP:
        other = copy(self)
        for name, value in changed.items():
            object.__setattr__(other, name, value)
        return other

    def per_transition(self, per_choice: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Numbers given per choice, [C], for each of its transitions, [T]."""
        return np.repeat(per_choice, np.diff(self.choice_ptr))

    @property
    def reward_by_transition(self) -> FloatArray:
        """What each transition pays, [T]."""
        paid = self.transition_reward
        return self.per_transition(self.reward) if paid is None else paid

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
            message = f"no label or state {label!r} in this model ({known}; states: {', '.join(names)})"
            raise ModelError(message)
        hint = did_you_mean(label, [*self.labels, *names[:MANY]])
        raise ModelError(f"no label or state {label!r} in this model ({known}){hint}")


def one_player(mdp: MDP) -> None:
    """Raise `NoExactModel` for a game of two players."""
    if mdp.zero_sum:
        raise NoExactModel(
            "the agent makes the moves of both players of this game; name an opponent for a problem of one"
        )


def _validate(mdp: MDP) -> None:
    """Raise `ModelError` for the first defect of a model; warn of states that cannot be reached."""
    _pointers(mdp)
    _names(mdp)
    p, last = mdp.probability, mdp.n_states - 1
    if (c := first(np.diff(mdp.choice_ptr) == 0)) is not None:
        raise _at_choice(mdp, c, "has no successor of positive probability")
    if (t := first((mdp.successor < 0) | (mdp.successor > last))) is not None:
        raise _at_transition(mdp, t, f"leads to state {mdp.successor[t]}, but states are 0..{last}")
    for bad, what in (
        (~np.isfinite(p), "is not finite"),
        (p < 0, "is negative"),
        (p > 1 + ROW_TOLERANCE, "is above 1"),
    ):
        if (t := first(bad)) is not None:
            target = mdp.state_name(int(mdp.successor[t]))
            raise _at_transition(mdp, t, f"has probability {p[t]} to state {target}, which {what}")
    sums = np.add.reduceat(p, mdp.choice_ptr[:-1]) if mdp.n_choices else np.ones(0)
    if (c := first(np.abs(sums - 1) > ROW_TOLERANCE)) is not None:
        raise _at_choice(mdp, c, f"has probabilities that sum to {sums[c]:.9g}, not 1")
    if (c := first(~np.isfinite(mdp.reward))) is not None:
        raise _at_choice(mdp, c, f"has reward {mdp.reward[c]}")
    paid = mdp.transition_reward
    if paid is not None and (t := first(~np.isfinite(paid))) is not None:
        raise _at_transition(mdp, t, f"has reward {paid[t]}")
    if (s := first(~np.isfinite(mdp.initial) | (mdp.initial < 0))) is not None:
        raise ModelError(f"initial probability of state {mdp.state_name(s)} is {mdp.initial[s]}", state=s)
    if abs(mdp.initial.sum() - 1) > ROW_TOLERANCE:
        raise ModelError(f"initial probabilities sum to {mdp.initial.sum():.9g}, not 1")


def _pointers(mdp: MDP) -> None:
    if mdp.n_states < 1:
        raise ModelError("a model needs at least one state")
    for name, ptr, total, what in (
        ("state_ptr", mdp.state_ptr, mdp.n_choices, "choices"),
        ("choice_ptr", mdp.choice_ptr, mdp.n_transitions, "transitions"),
    ):
        if ptr.ndim != 1 or len(ptr) < 1 or ptr[0] != 0 or ptr[-1] != total or (np.diff(ptr) < 0).any():
            raise ModelError(f"{name} must rise from 0 to the number of {what}, {total}")
    sizes = {
        "probability": (mdp.probability, mdp.n_transitions),
        "reward": (mdp.reward, mdp.n_choices),
        "action": (mdp.action, mdp.n_choices),
        "initial": (mdp.initial, mdp.n_states),
    }
    if mdp.transition_reward is not None:
        sizes["transition_reward"] = (mdp.transition_reward, mdp.n_transitions)
    for name, (array, size) in sizes.items():
        if array.shape != (size,):
            raise ModelError(f"{name} has shape {array.shape}, expected ({size},)")
    if not (isinstance(mdp.discount, Real) and 0 <= mdp.discount <= 1):
        raise ModelError(f"discount must lie in [0, 1], not {mdp.discount!r}")
    if not (isinstance(mdp.reward_decay, Real) and 0 <= mdp.reward_decay < np.inf):
        raise ModelError(f"reward_decay must be a finite number of at least 0, not {mdp.reward_decay!r}")


def _names(mdp: MDP) -> None:
    if mdp.state_names is not None and len(mdp.state_names) != mdp.n_states:
        raise ModelError(f"{len(mdp.state_names)} state names for {mdp.n_states} states")
    if (c := first((mdp.action < 0) | (mdp.action >= mdp.n_actions))) is not None:
        raise _at_choice(mdp, c, f"has action index {mdp.action[c]}, but there are {mdp.n_actions} actions")
    if (c := first((np.diff(mdp.state_of_choice) == 0) & (np.diff(mdp.action) <= 0))) is not None:
        raise _at_choice(mdp, c + 1, "appears twice or out of order: the actions of a state must ascend")
    last = mdp.n_states - 1
    for label, states in mdp.labels.items():
        if len(states) and (np.min(states) < 0 or np.max(states) > last):
            raise ModelError(f"label {label!r} names state {np.max(states)}, but states are 0..{last}")


def _place(mdp: MDP, choice: int) -> str:
    action, state = int(mdp.action[choice]), mdp.state_name(int(mdp.state_of_choice[choice]))
    named = mdp.action_names is None or 0 <= action < len(mdp.action_names)
    return f"state {state}, action {mdp.action_name(action)}" if named else f"state {state}"


def _at_choice(mdp: MDP, choice: int, what: str) -> ModelError:
    state, action = int(mdp.state_of_choice[choice]), int(mdp.action[choice])
    return ModelError(f"{_place(mdp, choice)} {what}", state=state, action=action)


def _at_transition(mdp: MDP, transition: int, what: str) -> ModelError:
    choice = int(np.searchsorted(mdp.choice_ptr, transition, side="right")) - 1
    return _at_choice(mdp, choice, what)


def _as_index(value: npt.ArrayLike, name: str, dtype: type[np.integer[Any]]) -> IntArray:
    array = np.asarray(value)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{name} must hold integers, not {array.dtype}")
    if array.size and (array.max() > np.iinfo(dtype).max or array.min() < np.iinfo(dtype).min):
        raise ModelError(f"{name} holds {array.max()}, which is no index into this model")
    return np.ascontiguousarray(array, dtype=dtype)
