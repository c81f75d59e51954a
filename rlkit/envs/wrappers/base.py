"""What wrappers of a model share: all is as within, but for what a subclass changes."""

from dataclasses import dataclass
from typing import Any

from ...core.arrays import Array
from ...core.model import Model

KEPT = (
    *("n_actions", "n_events", "n_starts", "observation_space", "action_space", "action_names"),
    *("discount", "masked", "partially_observable", "zero_sum", "reward_decay", "max_episode_steps"),
)


@dataclass(frozen=True)
class Wrapped:
    """The state of the model within, and what a wrapper remembers besides."""

    inner: Any
    memory: Array  # [B, ...]


class Wrapper(Model[Any]):
    """The model within, unchanged; a subclass says what differs."""

    def __init__(self, model: Model[Any]) -> None:
        self.inner = model
        for name in KEPT:
            setattr(self, name, getattr(model, name))

    def inside(self, state: Any) -> Any:
        """The state of the model within."""
        return state.inner

    def start_probs(self) -> Array:
        """Those of the model within."""
        return self.inner.start_probs()

    def decayed(self, reward: Array, elapsed: Array) -> Array:
        """As within."""
        return self.inner.decayed(reward, elapsed)

    def all_states(self) -> None:
        """None, or the refusal of the model within to be enumerated."""
        self.inner.all_states()

    def start_event(self, u: Array) -> Array:
        """That of the model within, if it has the same events."""
        same = self.n_starts == self.inner.n_starts
        return self.inner.start_event(u) if same else super().start_event(u)

    def event_probs(self, state: Any, action: Array) -> Array:
        """Those of the model within, [B, E]."""
        return self.inner.event_probs(self.inside(state), action)

    def sample_event(self, state: Any, action: Array, u: Array) -> Array:
        """That of the model within, if it has the same events."""
        if self.n_events == self.inner.n_events:
            return self.inner.sample_event(self.inside(state), action, u)
        return super().sample_event(state, action, u)

    def observe(self, state: Any) -> Any:
        """What is seen of the model within."""
        return self.inner.observe(self.inside(state))

    def legal(self, state: Any) -> Array:
        """What is legal in the model within, [B, A]."""
        return self.inner.legal(self.inside(state))


class SameState(Wrapper):
    """A wrapper that has nothing to remember: its states are those of the model within."""

    def inside(self, state: Any) -> Any:
        """The state itself."""
        return state

    def initial(self, event: Array) -> Any:
        """That of the model within."""
        return self.inner.initial(event)

    def all_states(self) -> Any:
        """As within."""
        return self.inner.all_states()

    def state_names(self, state: Any) -> tuple[str, ...] | None:
        """As within."""
        return self.inner.state_names(state)
