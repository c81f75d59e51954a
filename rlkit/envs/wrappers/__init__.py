"""Models made of models: each wrapper changes one thing about a problem and keeps it exact."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import OptionError, number, whole
from .base import SameState, Wrapped, Wrapper
from .illegal import illegal_actions
from .indicators import multi_binary


@dataclass(frozen=True)
class Owed:
    """The state of the model within, and the rewards it has not paid."""

    inner: Any
    sum: Array  # [B] float64
    wait: Array  # [B] int64 steps since the last pay-day


class StickyActions(Wrapper):
    """With probability `chance` the last action is taken again instead of the one chosen.

    Nothing sticks in the first step, nor where the last action is not legal any more. Source: Machado et
    al., Revisiting the Arcade Learning Environment, 2018, section 5.
    """

    def __init__(self, model: Model[Any], chance: float) -> None:
        super().__init__(model)
        self.chance = number("sticky", chance, 0, 1)
        self.n_events = 2 * model.n_events  # as chosen, then as before
        self.partially_observable = True  # what was done is not seen

    def initial(self, event: Array) -> Wrapped:
        """Nothing was done so far."""
        return Wrapped(self.inner.initial(event), event * 0 - 1)

    def event_probs(self, state: Wrapped, action: Array) -> Array:
        """The events of the action chosen, then those of the last one, [B, 2 E]."""
        xp = namespace(action)
        last = xp.where(state.memory < 0, action, state.memory)
        sticks = state.memory >= 0
        if self.masked:
            sticks = sticks & xp.take_along_axis(self.inner.legal(state.inner), last[:, None], axis=1)[:, 0]
        weight = (self.chance * xp.astype(sticks, xp.float64))[:, None]
        chosen = self.inner.event_probs(state.inner, action)
        return xp.concat([(1 - weight) * chosen, weight * self.inner.event_probs(state.inner, last)], axis=1)

    def transition(self, state: Wrapped, action: Array, event: Array) -> Step[Wrapped]:
        """Take the action that the event says."""
        xp = namespace(action)
        again = event >= self.inner.n_events
        taken = xp.where(again, state.memory, action)
        step = self.inner.transition(state.inner, taken, event - self.inner.n_events * again)
        return Step(Wrapped(step.state, taken), step.reward, step.terminated)


class RewardNoise(SameState):
    """Every reward comes `scale` too high or too low, each half the time; the optimum stays what it was."""

    def __init__(self, model: Model[Any], scale: float) -> None:
        super().__init__(model)
        self.scale = number("reward_noise", scale, 0)
        self.n_events = 2 * model.n_events  # too low, then too high

    def event_probs(self, state: Any, action: Array) -> Array:
        """Each event twice, half as likely, [B, 2 E]."""
        half = self.inner.event_probs(state, action) / 2
        return namespace(action).concat([half, half], axis=1)

    def transition(self, state: Any, action: Array, event: Array) -> Step[Any]:
        """As within, but for the reward."""
        high = event >= self.inner.n_events
        step = self.inner.transition(state, action, event - self.inner.n_events * high)
        xp = namespace(action)
        return Step(
            step.state, step.reward + self.scale * (2 * xp.astype(high, xp.float64) - 1), step.terminated
        )


class RewardDelay(Wrapper):
    """Rewards are held back and paid together every `steps` steps, and at the episode's end.

    What is owed when a time limit cuts the episode is lost.
    """

    def __init__(self, model: Model[Any], steps: int) -> None:
        super().__init__(model)
        self.steps = whole("reward_delay", steps, 1)
        self.partially_observable = True  # what is owed is not seen

    def initial(self, event: Array) -> Owed:
        """Nothing is owed."""
        xp = namespace(event)
        return Owed(self.inner.initial(event), xp.zeros_like(event, dtype=xp.float64), event * 0)

    def transition(self, state: Owed, action: Array, event: Array) -> Step[Owed]:
        """Add to what is owed, and pay it when it is time."""
        xp = namespace(action)
        step = self.inner.transition(state.inner, action, event)
        owed, wait = state.sum + step.reward, state.wait + 1
        pays = step.terminated | (wait >= self.steps)
        kept = Owed(step.state, xp.where(pays, 0.0, owed), xp.where(pays, 0, wait))
        return Step(kept, xp.where(pays, owed, 0.0), step.terminated)


class FrameStack(Wrapper):
    """The last `frames` observations are seen together, oldest first; the first one fills the stack."""

    def __init__(self, model: Model[Any], frames: int) -> None:
        super().__init__(model)
        self.frames = whole("frame_stack", frames, 1)
        space = model.observation_space
        if isinstance(space, spaces.Discrete):
            self.observation_space = spaces.MultiDiscrete([int(space.n)] * frames)
        elif isinstance(space, spaces.Box):
            low, high = (np.repeat(bound[None], frames, axis=0) for bound in (space.low, space.high))
            self.observation_space = spaces.Box(low, high, dtype=space.dtype.type)
        else:
            raise OptionError(f"frame_stack needs a Discrete or Box observation, not {space}")

    def initial(self, event: Array) -> Wrapped:
        """The first observation, `frames` times."""
        inner = self.inner.initial(event)
        frame = self.inner.observe(inner)[:, None]
        return Wrapped(inner, namespace(event).concat([frame] * self.frames, axis=1))

    def transition(self, state: Wrapped, action: Array, event: Array) -> Step[Wrapped]:
        """As within; the oldest observation makes room."""
        step = self.inner.transition(state.inner, action, event)
        frame = self.inner.observe(step.state)[:, None]
        frames = namespace(action).concat([state.memory[:, 1:], frame], axis=1)
        return Step(Wrapped(step.state, frames), step.reward, step.terminated)

    def observe(self, state: Wrapped) -> Array:
        """The stack, [B, frames, ...]."""
        return state.memory


class ObservationNoise(Wrapper):
    """With probability `chance` a number drawn uniformly is seen instead of the true one."""

    def __init__(self, model: Model[Any], chance: float) -> None:
        super().__init__(model)
        self.chance = number("observation_noise", chance, 0, 1)
        space = model.observation_space
        if not isinstance(space, spaces.Discrete) or space.start != 0:
            raise OptionError(f"observation_noise needs a Discrete observation from 0 on, not {space}")
        self.n_seen = int(space.n)
        self.n_events = (self.n_seen + 1) * model.n_events  # the truth, then each number
        self.n_starts = (self.n_seen + 1) * model.n_starts
        self.partially_observable = True
        self.noise = np.array([1 - chance] + [chance / self.n_seen] * self.n_seen)
        self.starts = (np.asarray(model.start_probs())[:, None] * self.noise).ravel()

    def start_probs(self) -> Array:
        """Each start with each noise, [n_starts]."""
        return self.starts

    def initial(self, event: Array) -> Wrapped:
        """A start, and what is seen of it."""
        inner = self.inner.initial(event // (self.n_seen + 1))
        return Wrapped(inner, self._seen(inner, event % (self.n_seen + 1)))

    def event_probs(self, state: Wrapped, action: Array) -> Array:
        """Each event with each noise, [B, E (n + 1)]."""
        probs = self.inner.event_probs(state.inner, action)
        return namespace(action).reshape(probs[:, :, None] * self.noise, (probs.shape[0], -1))

    def transition(self, state: Wrapped, action: Array, event: Array) -> Step[Wrapped]:
        """As within, and what is seen of it."""
        step = self.inner.transition(state.inner, action, event // (self.n_seen + 1))
        return Step(
            Wrapped(step.state, self._seen(step.state, event % (self.n_seen + 1))),
            step.reward,
            step.terminated,
        )

    def observe(self, state: Wrapped) -> Array:
        """What is seen, [B]."""
        return state.memory

    def _seen(self, inner: Any, noise: Array) -> Array:
        return namespace(noise).where(noise == 0, self.inner.observe(inner), noise - 1)


class TimeAware(Wrapper):
    """The episode ends after `steps` steps, and is seen to: the time limit is part of the problem."""

    def __init__(self, model: Model[Any], steps: int) -> None:
        super().__init__(model)
        self.steps = whole("time_aware", steps, 1)
        self.observation_space = spaces.Dict(
            {"obs": model.observation_space, "time": spaces.Discrete(steps + 1)}
        )

    def initial(self, event: Array) -> Wrapped:
        """Time 0."""
        return Wrapped(self.inner.initial(event), event * 0)

    def transition(self, state: Wrapped, action: Array, event: Array) -> Step[Wrapped]:
        """As within, until the time is over."""
        step = self.inner.transition(state.inner, action, event)
        time = state.memory + 1
        return Step(Wrapped(step.state, time), step.reward, step.terminated | (time >= self.steps))

    def observe(self, state: Wrapped) -> dict[str, Any]:
        """The observation within, and the time."""
        return {"obs": self.inner.observe(state.inner), "time": state.memory}


WRAPPERS: dict[str, Callable[[Model[Any], Any], Model[Any]]] = {  # option -> wrapper, innermost first
    "illegal": illegal_actions,
    "sticky": StickyActions,
    "reward_noise": RewardNoise,
    "reward_delay": RewardDelay,
    "observation_noise": ObservationNoise,
    "frame_stack": FrameStack,
    "time_aware": TimeAware,
    "multi_binary": multi_binary,
}
