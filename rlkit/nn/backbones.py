"""Backbones: networks from observations to features, with a state carried through time.

Every backbone has one interface, so an agent does not know which one it has:

    features, state = backbone(x, state, reset)

`x` is [B, ...] for one step or [T, B, ...] for a sequence; `reset` ([B] or [T, B], bool, None for nowhere) is
true where `x` is the first observation of an episode, where a backbone with memory clears its state before
reading `x`. The state is a tuple of tensors with leading axis B, and the empty tuple for a memoryless
backbone; it is never changed in place. A sequence gives what its steps give one by one.

A class that is chosen by name, in `backbone=`, also has `build`, and may check what it is built from.
"""

from abc import ABC, abstractmethod
from typing import TypeAlias

from torch import Generator, Tensor, nn

from .config import NetworkConfig
from .encoders import Encoder

State: TypeAlias = tuple[Tensor, ...]


class Backbone(nn.Module, ABC):
    """From observations, packed ones or features of them, to `n_features` features."""

    n_features: int

    @classmethod
    def build(cls, encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> "Backbone":
        """The network from packed observations to features, its weights drawn from `generator`."""
        raise NotImplementedError(
            f"{cls.__name__} is part of a network; a backbone needs a classmethod build"
        )

    @classmethod
    def check(cls, config: NetworkConfig) -> None:
        """Raise ConfigError for settings that it cannot be built from."""

    @classmethod
    def check_space(cls, encoder: Encoder) -> None:
        """Raise UnsupportedSpaceError for observations that it cannot read."""

    @classmethod
    def least_weights(cls, config: NetworkConfig) -> int:
        """So many weights it has at least, as far as that is known before it is built."""
        return 0

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state at the start of an episode, for `batch` environments."""

    @abstractmethod
    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Features [..., n_features] of `x` and the state after reading it."""
