"""The arrays that the kernels read and write; B environments side by side, S states, A actions.

A pair is a state and an action as one number, state * A + action.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Table(NamedTuple):
    """Action values, and how often each was updated."""

    q: FloatArray  # [S, A]
    visits: IntArray  # [S, A]


class Rule(NamedTuple):
    """What every update needs: gamma, and the step size alpha / N^omega of the N-th update of a pair."""

    gamma: float
    alpha: float
    omega: float


class Transitions(NamedTuple):
    """One step of every environment."""

    state: IntArray  # [B]
    action: IntArray  # [B]
    reward: NDArray[np.float32]  # [B]
    discount: NDArray[np.float32]  # [B] 0 at termination, else 1
    next_state: IntArray  # [B] the true successor, also where a time limit ended the episode
    next_mask: BoolArray  # [B, A] legal actions there
    done: BoolArray  # [B] the episode ended, by termination or a time limit
    valid: BoolArray  # [B] false where nothing may be learned, and what came before leads nowhere


class Window(NamedTuple):
    """The latest steps of each episode whose return is not complete: a ring for each environment."""

    pair: IntArray  # [B, N]
    reward: FloatArray  # [B, N]
    start: IntArray  # [B] the column of the oldest step
    length: IntArray  # [B]

    @classmethod
    def empty(cls, num_envs: int, capacity: int) -> Self:
        """A window with room for `capacity` steps."""
        shape = (num_envs, capacity)
        start, length = _zeros(num_envs), _zeros(num_envs)
        return cls(np.zeros(shape, dtype=np.int64), np.zeros(shape), start, length)

    def check(self, like: Window, n_states: int, n_actions: int) -> None:
        """ValueError unless these are arrays as those of `like`, of any room, that point into a table."""
        capacity = _check_form(self, like, "pair", "reward")
        _check_within("pair", self.pair, 0, n_states * n_actions)
        _check_within("start", self.start, 0, capacity)
        _check_within("length", self.length, 0, capacity + 1)

    def with_room(self) -> Self:
        """The same window, twice as large if it cannot take one more step; then no ring has turned."""
        capacity = self.pair.shape[1]
        if self.length.max() < capacity:
            return self
        return self._replace(pair=lengthened(self.pair, capacity), reward=lengthened(self.reward, capacity))


class Trace(NamedTuple):
    """The pairs of each episode that have a trace, the oldest first, and how large it is."""

    pair: IntArray  # [B, N]
    weight: FloatArray  # [B, N]
    length: IntArray  # [B]

    @classmethod
    def empty(cls, num_envs: int, capacity: int) -> Self:
        """Traces with room for `capacity` pairs."""
        shape = (num_envs, capacity)
        return cls(np.zeros(shape, dtype=np.int64), np.zeros(shape), _zeros(num_envs))

    def check(self, like: Trace, n_states: int, n_actions: int) -> None:
        """ValueError unless these are arrays as those of `like`, of any room, that point into a table."""
        capacity = _check_form(self, like, "pair", "weight")
        _check_within("pair", self.pair, 0, n_states * n_actions)
        _check_within("length", self.length, 0, capacity + 1)

    def with_room(self) -> Self:
        """The same traces, with twice the room if they cannot take one more pair."""
        capacity = self.pair.shape[1]
        if self.length.max() < capacity:
            return self
        return self._replace(pair=lengthened(self.pair, capacity), weight=lengthened(self.weight, capacity))


OUTCOMES = ("pair", "successor", "times", "reward", "older", "older_into")  # arrays of a Model, a row each


class Model(NamedTuple):
    """What was seen of the environment: the outcomes of each pair tried, counted.

    Outcomes are the links of two chains: those of the same pair, from `newest` along `older`, and those
    that lead to the same state, from `newest_into` along `older_into`. -1 ends a chain; as a successor it
    stands for termination.
    """

    tries: IntArray  # [S * A]
    newest: IntArray  # [S * A]
    newest_into: IntArray  # [S]
    legal: BoolArray  # [S, A] the actions that are legal in each state, as last seen
    tried: IntArray  # [S * A] the pairs in the order of their first try
    size: IntArray  # [2] how many pairs were tried, and how many outcomes there are
    pair: IntArray  # [M] from here on a row is an outcome
    successor: IntArray  # [M]
    times: IntArray  # [M] how often it was seen
    reward: FloatArray  # [M] the sum over these times
    older: IntArray  # [M]
    older_into: IntArray  # [M]

    @classmethod
    def empty(cls, n_states: int, n_actions: int, capacity: int) -> Self:
        """A model with room for `capacity` outcomes."""
        pairs = n_states * n_actions
        return cls(
            tries=_zeros(pairs),
            newest=_zeros(pairs) - 1,
            newest_into=_zeros(n_states) - 1,
            legal=np.zeros((n_states, n_actions), dtype=np.bool_),
            tried=_zeros(pairs),
            size=_zeros(2),
            pair=_zeros(capacity),
            successor=_zeros(capacity),
            times=_zeros(capacity),
            reward=np.zeros(capacity),
            older=_zeros(capacity),
            older_into=_zeros(capacity),
        )

    def check(self, like: Model, n_states: int, n_actions: int) -> None:
        """ValueError unless these are arrays as those of `like`, of any room, that point into a table."""
        room, pairs = _check_form(self, like, *OUTCOMES), n_states * n_actions
        _check_within("size", self.size, 0, np.array([pairs, room]) + 1)
        for name, above in (("tried", pairs), ("pair", pairs)):
            _check_within(name, getattr(self, name), 0, above)
        for name, above in (("newest", room), ("newest_into", room), ("successor", n_states)):
            _check_within(name, getattr(self, name), -1, above)
        for name in ("older", "older_into"):  # a chain that led back would have no end
            _check_within(name, getattr(self, name)[: self.size[1]], -1, np.arange(self.size[1]))

    def with_room(self, outcomes: int) -> Self:
        """The same model, with larger arrays if they cannot take that many more outcomes."""
        if self.size[1] + outcomes <= len(self.pair):
            return self
        more = max(outcomes, len(self.pair))
        return self._replace(**{name: lengthened(getattr(self, name), more) for name in OUTCOMES})


class Queue(NamedTuple):
    """Pairs by priority, the largest first: a binary heap that knows where each pair stands."""

    heap: IntArray  # [S * A] the pairs
    place: IntArray  # [S * A] where each pair stands in the heap, or -1
    priority: FloatArray  # [S * A]
    size: IntArray  # [1]

    def check(self, like: Queue, n_states: int, n_actions: int) -> None:
        """ValueError unless these are arrays as those of `like` that point into a table."""
        _check_form(self, like)
        pairs = n_states * n_actions
        _check_within("heap", self.heap, 0, pairs)
        _check_within("place", self.place, -1, pairs)
        _check_within("size", self.size, 0, pairs + 1)

    @classmethod
    def empty(cls, pairs: int) -> Self:
        """A queue with room for all pairs."""
        return cls(_zeros(pairs), _zeros(pairs) - 1, np.zeros(pairs), _zeros(1))


Running: TypeAlias = Window | Trace


def _check_form(arrays: NamedTuple, like: NamedTuple, *growing: str) -> int:
    """ValueError unless types and shapes fit; the last axis of those that have grown, all alike."""
    room = -1
    for name, x, y in zip(arrays._fields, arrays, like, strict=True):
        if name in growing:
            fits, room = x.shape[:-1] == y.shape[:-1] and room in (-1, x.shape[-1]), x.shape[-1]
        else:
            fits = x.shape == y.shape
        if not fits or x.dtype != y.dtype:
            raise ValueError(f"{name} is {x.dtype} {x.shape}, which does not fit {y.dtype} {y.shape}")
    return room


def _check_within(name: str, x: IntArray, low: int, above: int | IntArray) -> None:
    if ((x < low) | (x >= above)).any():
        raise ValueError(f"{name} points outside the table")


def lengthened(array: NDArray[Any], more: int) -> NDArray[Any]:
    """The array with `more` zeros behind its last axis."""
    return np.concatenate([array, np.zeros((*array.shape[:-1], more), dtype=array.dtype)], axis=-1)


def _zeros(n: int) -> IntArray:
    return np.zeros(n, dtype=np.int64)
