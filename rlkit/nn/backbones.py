"""Backbones: networks from observations to features, with a state carried through time.

Every backbone has one interface, so an agent does not know which one it has:

    features, state = backbone(x, state, reset)

`x` is [B, ...] for one step or [T, B, ...] for a sequence; `reset` ([B] or [T, B], bool, None for nowhere) is
true where `x` is the first observation of an episode, where a backbone with memory clears its state before
reading `x`. The state is a tuple of tensors with leading axis B, and the empty tuple for a memoryless
backbone; it is never changed in place. A sequence gives what its steps give one by one.
"""

from abc import ABC, abstractmethod
from typing import TypeAlias

from torch import Tensor, nn

State: TypeAlias = tuple[Tensor, ...]


class Backbone(nn.Module, ABC):
    """From observations, packed ones or features of them, to `n_features` features."""

    n_features: int

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state at the start of an episode, for `batch` environments."""

    @abstractmethod
    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Features [..., n_features] of `x` and the state after reading it."""
