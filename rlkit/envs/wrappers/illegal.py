"""What an action does that is not legal, for programs that know no masks."""

from typing import Any

from ...core.arrays import Array, namespace
from ...core.model import Model, Step, batch_size, equally, inverse_cdf, only, take, where
from ...core.random import GRID
from ..options import OptionError, one_of
from .base import SameState


class LegalActions(SameState):
    """Every action may be taken; a subclass says what one does that is not legal in the model within."""

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        self.masked = False

    def legal(self, state: Any) -> Array:
        """All actions where one is legal within, none after the end, [B, A]."""
        legal = self.inner.legal(state)
        xp = namespace(legal)
        return xp.broadcast_to(xp.any(legal, axis=1)[:, None], legal.shape)

    def refused(self, state: Any, action: Array) -> Array:
        """Whether an action is not legal within, [B]."""
        xp = namespace(action)
        return ~xp.take_along_axis(self.inner.legal(state), action[:, None], axis=1)[:, 0]


class IllegalLoses(LegalActions):
    """An action that is not legal ends the episode where it is, and pays the worst return of the model."""

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        if model.worst is None:
            raise OptionError(
                "illegal='lose' needs the worst return that can come of a state, which a model with negative "
                "rewards, or those of another player, and no discount does not have; illegal='random' needs "
                "nothing"
            )
        self.lost = model.worst

    def event_probs(self, state: Any, action: Array) -> Array:
        """Those of the model within; the first for certain where the action is not legal, [B, E]."""
        refused = self.refused(state, action)[:, None]
        probs = self.inner.event_probs(state, action)
        return namespace(action).where(refused, only(0, action, self.n_events), probs)

    def sample_event(self, state: Any, action: Array, u: Array) -> Array:
        """That of the model within; the first where the action is not legal, [B]."""
        return self.inner.sample_event(state, action, u) * ~self.refused(state, action)

    def transition(self, state: Any, action: Array, event: Array) -> Step[Any]:
        """As within, or the end."""
        return self._judged(state, action, self.inner.transition(state, action, event))

    def sample(self, state: Any, action: Array, u: Array) -> Step[Any]:
        """As within, or the end."""
        return self._judged(state, action, self.inner.sample(state, action, u))

    def _judged(self, state: Any, action: Array, step: Step[Any]) -> Step[Any]:
        refused = self.refused(state, action)
        reward = namespace(action).where(refused, self.lost, step.reward)
        return Step(where(refused, state, step.state), reward, step.terminated | refused)


class IllegalRandom(LegalActions):
    """In place of an action that is not legal a legal one is taken, each equally likely.

    An event says which action is taken, and what it does.
    """

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        self.n_events = model.n_actions * model.n_events

    def event_probs(self, state: Any, action: Array) -> Array:
        """The events of every action, times the probability that it is taken, [B, A E]."""
        xp, n = namespace(action), self.n_actions
        chance = xp.reshape(self._taken_probs(state, action), (-1, 1))
        shape = (batch_size(state) * n, self.inner.n_events)
        every = xp.arange(shape[0], device=action.device)
        probs = xp.broadcast_to(self.inner.event_probs(take(state, every // n), every % n), shape)
        joint = xp.where(chance > 0, chance * probs, 0.0)
        return xp.reshape(joint, (-1, self.n_events))

    def sample_event(self, state: Any, action: Array, u: Array) -> Array:
        """Which action is taken, and its event, [B]."""
        taken, rest = self._split(state, action, u)
        return taken * self.inner.n_events + self.inner.sample_event(state, taken, rest)

    def transition(self, state: Any, action: Array, event: Array) -> Step[Any]:
        """What the action of the event does within."""
        n = self.inner.n_events
        return self.inner.transition(state, event // n, event % n)

    def sample(self, state: Any, action: Array, u: Array) -> Step[Any]:
        """The same, drawn within."""
        return self.inner.sample(state, *self._split(state, action, u))

    def _taken_probs(self, state: Any, action: Array) -> Array:
        """Probability that each action is taken, [B, A]."""
        xp = namespace(action)
        chosen = action[:, None] == xp.arange(self.n_actions, device=action.device)
        return equally(xp.where(self.refused(state, action)[:, None], self.inner.legal(state), chosen))

    def _split(self, state: Any, action: Array, u: Array) -> tuple[Array, Array]:
        """The action taken [B] for uniform numbers u [B], and where in its interval u lies, from 0 to 1."""
        xp = namespace(u)
        chance = self._taken_probs(state, action)
        taken = inverse_cdf(chance, u)
        width, upper = (
            xp.take_along_axis(x, taken[:, None], axis=1)[:, 0]
            for x in (chance, xp.cumulative_sum(chance, axis=1))
        )
        rest = (u - (upper - width)) / width
        return taken, xp.where(rest < 1, rest, 1 - GRID)


def illegal_actions(model: Model[Any], consequence: str) -> Model[Any]:
    """The model in which an action that is not legal is an error, loses, or is replaced by a random one."""
    one_of("illegal", consequence, ("error", "lose", "random"))
    if consequence == "error" or not model.masked:
        return model
    return IllegalLoses(model) if consequence == "lose" else IllegalRandom(model)
