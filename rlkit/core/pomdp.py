"""The finite partially observable Markov decision process: an MDP, and what is observed in its states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.core.enumerate import enumerated
from rlkit.core.errors import ModelError
from rlkit.core.mdp import MDP, BoolArray, IntArray
from rlkit.core.model import Model
from rlkit.core.rows import first


@dataclass(frozen=True, eq=False, kw_only=True)
class POMDP:
    """An MDP whose agent sees the class of states it is in, and not which of them.

    The agent also knows its own actions and when the episode ends; it does not see rewards. What it sees is
    a function of the state: noise is a part of the state. It holds an MDP and is none, since `solve` on that
    gives the optimum with full observability. Raises `ModelError` where states of one observation offer
    different actions. Source: Kaelbling, Littman and Cassandra 1998, section 3.
    """

    mdp: MDP
    observation: IntArray  # [S] number of the class from 0 on; -1 where the episode is over

    def __post_init__(self) -> None:
        given = np.asarray(self.observation)
        n = self.mdp.n_states
        if given.shape != (n,) or not np.issubdtype(given.dtype, np.integer):
            raise ModelError(f"observation must be {n} integers, not {given.dtype} {given.shape}")
        alive = ~self.mdp.terminal
        if (s := first(alive & (given < 0))) is not None:
            raise ModelError(f"state {self.mdp.state_name(s)} has the observation {given[s]}", state=s)
        seen = np.where(alive, given, -1).astype(np.int64)
        seen.flags.writeable = False
        object.__setattr__(self, "observation", seen)
        self._check_actions()

    def _check_actions(self) -> None:
        mdp = self.mdp
        states = np.flatnonzero(~mdp.terminal)
        _, first, back = np.unique(self.observation[states], return_index=True, return_inverse=True)
        example, count = states[first][back], np.diff(mdp.state_ptr)
        differ = count[states] != count[example]
        owner, place = np.repeat(np.arange(len(states)), count[states]), np.arange(mdp.n_choices)
        shift = np.where(differ, 0, mdp.state_ptr[example] - mdp.state_ptr[states])
        differ[owner[mdp.action != mdp.action[place + shift[owner]]]] = True
        if differ.any():
            s, t = (int(x[np.argmax(differ)]) for x in (states, example))
            names = f"{mdp.state_name(t)} and {mdp.state_name(s)}"
            message = f"states {names} have the same observation, but offer different actions"
            raise ModelError(message, state=s)

    @property
    def n_observations(self) -> int:
        """Number of classes O."""
        return int(self.observation.max(initial=-1)) + 1

    @property
    def full_information(self) -> MDP:
        """The MDP that is left to whoever sees the states."""
        return self.mdp

    def state_name(self, state: int) -> str:
        """Name of a state."""
        return named_state(self.mdp.state_name(state))

    def observation_name(self, observation: int) -> str:
        """Name of a class."""
        return f"observation {observation}"

    @cached_property
    def legal(self) -> BoolArray:
        """Which actions each class offers, [O, A]."""
        mask = np.zeros((self.n_observations, self.mdp.n_actions), dtype=np.bool_)
        alive = ~self.mdp.terminal
        mask[self.observation[alive]] = self.mdp.legal[alive]
        return mask

    def over_states(self, policy: npt.ArrayLike) -> npt.NDArray[Any]:
        """A policy over observations, [O] or [O, A], as one over states, [S] or [S, A]."""
        given = np.asarray(policy)
        end = np.full((1, *given.shape[1:]), -1 if given.ndim == 1 else 0, dtype=given.dtype)
        return np.concatenate([given, end])[self.observation]


def named_state(name: str) -> str:
    """The name of a state, which beside other numbers must not be one."""
    return f"state {name}" if name.isdecimal() else name


def enumerate_pomdp(model: Model[Any], *, max_states: int = 1_000_000) -> POMDP:
    """Walk a numpy model and return its exact POMDP; observations are numbered as they are first met.

    States whose observations are equal are of one class. Raises `ModelError` where states of one class offer
    different actions, and `NoExactModel` beyond `max_states`.
    """
    found = enumerated(model, max_states=max_states)
    return pomdp_of(found.mdp, model.observe(found.states))


def pomdp_of(mdp: MDP, seen: Any) -> POMDP:
    """An MDP and what is seen in its first states (the others are terminal), arrays [S, ...], as a POMDP."""
    columns = np.stack([_numbered(array) for array in _arrays(seen)], axis=1)
    observation = np.full(mdp.n_states, -1, dtype=np.int64)  # states added behind them are terminal
    observation[: len(columns)] = _numbered(columns)
    return POMDP(mdp=mdp, observation=observation)


def _arrays(observation: Any) -> Iterable[npt.NDArray[Any]]:
    """The arrays [S, ...] of an observation, whatever holds them."""
    if isinstance(observation, Mapping):
        observation = tuple(observation.values())
    if isinstance(observation, tuple):
        for part in observation:
            yield from _arrays(part)
    else:
        yield np.asarray(observation)


def _numbered(rows: npt.NDArray[Any]) -> IntArray:
    """Number of each row among the distinct ones, in the order in which they are first met, [S]."""
    flat = rows.reshape(len(rows), -1)
    _, first, back = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[back.ravel()]
