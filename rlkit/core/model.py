"""The one description of a decision problem, from which everything else comes.

A model says how the first state is drawn, with which probability each random event happens, and what
each event does. Sampling draws one event; enumeration walks them all. Every method works on a batch
of states.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from gymnasium import spaces

from rlkit.core.arrays import Array, namespace
from rlkit.core.errors import ModelError

S = TypeVar("S")


@dataclass(frozen=True)
class Step(Generic[S]):
    """What one event does to a batch of states."""

    state: S
    reward: Array  # [B] float64
    terminated: Array  # [B] bool


class Holder:
    """Something whose attributes are arrays, or holders; the torch interface moves them to its device."""


class Model(Holder, ABC, Generic[S]):
    """A decision problem; S is a frozen dataclass of arrays with leading axis B.

    Methods run in numpy and in torch: constants are attributes, and names come from the `namespace` of the
    state. They look at no number to decide what to do, so that a GPU never waits. What they return for an
    action that is not legal, or after the end, means nothing, but they must not fail.
    """

    n_actions: int
    n_events: int = 1  # how many random outcomes one step can have
    n_starts: int = 1  # how many random outcomes the start can have
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any] | None = None  # MultiDiscrete with n_actions entries; None is Discrete
    action_names: tuple[str, ...] | None = None
    signs: Mapping[str, str] = {}  # what the characters of a map that `text` draws stand for
    discount: float = 1.0
    masked: bool = False  # whether some state forbids some action; True where a class has its own `legal`
    partially_observable: bool = False  # whether different states can have the same observation
    max_episode_steps: int | None = None  # steps after which an episode is cut, where the options decide it
    zero_sum: bool = False  # whether the agent is two players who take turns, and gain what the other loses
    reward_decay: float = 0.0  # the part of a reward that waiting until step `max_episode_steps` loses
    worst: float | None = None  # a return that no way to act falls below, from any state; None is unknown

    def __init_subclass__(cls) -> None:
        if "legal" in vars(cls) and "masked" not in vars(cls):
            cls.masked = True

    def start_probs(self) -> Array:
        """Probability of each start event, [n_starts]; equally likely unless a model says otherwise."""
        return np.full(self.n_starts, 1 / self.n_starts)

    @abstractmethod
    def initial(self, event: Array) -> S:
        """First states [B] for start events [B]."""

    def event_probs(self, state: S, action: Array) -> Array:
        """Probability of each event, [B, n_events], rows sum to 1; equal unless a model says otherwise."""
        xp = namespace(action)
        shape = (action.shape[0], self.n_events)
        return xp.full(shape, 1 / self.n_events, dtype=xp.float64, device=action.device)

    @abstractmethod
    def transition(self, state: S, action: Array, event: Array) -> Step[S]:
        """What `event` [B] does to `state` [B] under `action` [B]."""

    @abstractmethod
    def observe(self, state: S) -> Any:
        """What the agent sees, [B, ...], or a dict or tuple of such."""

    def legal(self, state: S) -> Array:
        """Which actions may be taken, [B, A]; all of them unless a model says otherwise."""
        first = leaves(state)[0]
        xp = namespace(first)
        return xp.ones((batch_size(state), self.n_actions), dtype=xp.bool, device=first.device)

    def start_event(self, u: Array) -> Array:
        """Start events [B] for uniform numbers u [B]."""
        xp = namespace(u)
        if type(self).start_probs is Model.start_probs:
            return xp.astype(u * self.n_starts, xp.int64)
        return xp.searchsorted(xp.cumulative_sum(self.start_probs())[:-1], u, side="right")

    def decayed(self, reward: Array, elapsed: Array) -> Array:
        """A reward as it is paid at step `elapsed` = 1, 2, ... of an episode."""
        if not (self.reward_decay and self.max_episode_steps):
            return reward
        return reward * (1 - self.reward_decay * (elapsed / self.max_episode_steps))

    def sample_event(self, state: S, action: Array, u: Array) -> Array:
        """Events [B] for uniform numbers u [B]."""
        if type(self).event_probs is Model.event_probs:
            return namespace(u).astype(u * self.n_events, namespace(u).int64)
        return inverse_cdf(self.event_probs(state, action), u)

    def sample(self, state: S, action: Array, u: Array) -> Step[S]:
        """What the events of uniform numbers u [B] do; a model may do it in one go."""
        return self.transition(state, action, self.sample_event(state, action, u))

    def all_states(self) -> S | None:
        """Every state in canonical order, where observations number them; None leaves it to a search."""
        return None

    def state_names(self, state: S) -> tuple[str, ...] | None:
        """Names of the states of a batch, for tables; None where they have none."""
        return None


def inverse_cdf(probs: Array, u: Array) -> Array:
    """Index of the interval of the cumulative probabilities [B or 1, E] that holds u [B]."""
    xp = namespace(u)
    cumulative = xp.cumulative_sum(probs, axis=-1)
    passed = (cumulative <= u[:, None]) & (cumulative < cumulative[..., -1:])
    return xp.sum(xp.astype(passed, xp.int64), axis=-1)


def equally(allowed: Array) -> Array:
    """The same probability wherever a mask [B, A] holds; the first for certain where it holds nowhere."""
    xp = namespace(allowed)
    count = xp.sum(xp.astype(allowed, xp.int64), axis=1)[:, None]
    chance = xp.astype(allowed, xp.float64) / (count + (count == 0))
    return xp.where(count == 0, only(0, allowed, allowed.shape[1]), chance)


def only(index: int, like: Array, n: int) -> Array:
    """Certainty of one of n outcomes, [1, n] float64, on the device of `like`."""
    xp = namespace(like)
    return xp.astype(xp.arange(n, device=like.device) == index, xp.float64)[None, :]


def leaves(state: Any) -> list[Array]:
    """The arrays of a batch of states, in order; a state may hold states. ModelError for no dataclass."""
    if not is_dataclass(state):
        raise ModelError(f"a state must be a dataclass of arrays [B, ...], not {type(state).__name__}")
    arrays = []
    for part in vars(state).values():
        arrays += leaves(part) if is_dataclass(part) else [part]
    return arrays


def each(function: Callable[..., Array], state: S, *others: S) -> S:
    """A batch of states made by applying a function to every array of one or more."""
    parts = zip(*(vars(s).values() for s in (state, *others)), strict=True)
    return type(state)(
        *(each(function, *part) if is_dataclass(part[0]) else function(*part) for part in parts)
    )


def batch_size(state: Any) -> int:
    """Number of states in a batch."""
    return int(leaves(state)[0].shape[0])


def take(state: S, index: Array | slice) -> S:
    """The states at `index` (integers, a mask or a slice) of a batch."""
    return each(lambda x: x[index], state)


def put(state: S, index: Array, new: S) -> S:
    """A batch with the states at `index` replaced by new ones."""

    def replaced(old: Array, value: Array) -> Array:
        array = namespace(old).asarray(old, copy=True)
        array[index] = value
        return array

    return each(replaced, state, new)


def where(mask: Array, new: S, old: S) -> S:
    """The new states where the mask [B] holds, the old ones elsewhere."""
    xp = namespace(mask)
    return each(lambda x, y: xp.where(xp.reshape(mask, (-1, *(1,) * (x.ndim - 1))), x, y), new, old)


def concatenate(first: S, second: S) -> S:
    """Two batches of states as one."""
    xp = namespace(leaves(first)[0])
    return each(lambda x, y: xp.concat([x, y]), first, second)
