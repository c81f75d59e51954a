"""Observations of indicators: bytes in a `Box`, which most programs take, or Gymnasium's `MultiBinary`."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import OptionError, flag
from .base import SameState

Space = spaces.Space[Any]


def indicators(*shape: int) -> spaces.Box:
    """The space of indicators [*shape], 0 or 1 in a byte each."""
    return spaces.Box(0, 1, shape, np.uint8)


class MultiBinaryObservation(SameState):
    """Every array of indicators within an observation lies in a `MultiBinary` space and is int8."""

    def __init__(self, model: Model[Any]) -> None:
        super().__init__(model)
        space = model.observation_space
        self.observation_space = _binary(space)
        if self.observation_space == space:
            raise OptionError(
                f"multi_binary needs an observation of indicators, 0 or 1 in uint8, not {space}"
            )

    def transition(self, state: Any, action: Array, event: Array) -> Step[Any]:
        """As within."""
        return self.inner.transition(state, action, event)

    def sample(self, state: Any, action: Array, u: Array) -> Step[Any]:
        """As within."""
        return self.inner.sample(state, action, u)

    def observe(self, state: Any) -> Any:
        """What is seen of the model within, indicators as int8."""
        return _signed(self.inner.observation_space, self.inner.observe(state))


def multi_binary(model: Model[Any], wanted: bool) -> Model[Any]:
    """The model with indicators in `MultiBinary` if that is `wanted`."""
    return MultiBinaryObservation(model) if flag("multi_binary", wanted) else model


def _are(space: Space) -> bool:
    """Whether a space is one of indicators."""
    return isinstance(space, spaces.Box) and space == indicators(*space.shape)


def _binary(space: Space) -> Space:
    if isinstance(space, spaces.Dict):
        return spaces.Dict({name: _binary(part) for name, part in space.spaces.items()})
    return spaces.MultiBinary(space.shape or ()) if _are(space) else space


def _signed(space: Space, seen: Any) -> Any:
    if isinstance(space, spaces.Dict):
        return {name: _signed(part, seen[name]) for name, part in space.spaces.items()}
    return seen.view(namespace(seen).int8) if _are(space) else seen
