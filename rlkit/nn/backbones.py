"""Backbones: networks from encoded observations to features, with a state carried through time.

Every backbone has one interface, so an agent does not know which one it has:

    features, state = backbone(x, state, reset)

`x` is [B, F] for one step or [T, B, F] for a sequence; `reset` ([B] or [T, B], bool) is true where
`x` is the first observation of an episode, where a backbone with memory clears its state before reading
`x`. The state is a tuple of tensors with leading axis B, and the empty tuple for a memoryless backbone.
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

from .init import ACTIVATIONS, linear

State: TypeAlias = tuple[Tensor, ...]


class Backbone(nn.Module, ABC):
    """From encoded observations to `n_features` features."""

    n_features: int

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state at the start of an episode, for `batch` environments."""

    @abstractmethod
    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Features of the last axis of `x` and the state after reading it."""


class MLP(Backbone):
    """Fully connected layers; it has no memory, so its state is the empty tuple."""

    def __init__(
        self, n_in: int, hidden: tuple[int, ...], *, activation: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        widths = (n_in, *hidden)
        layers: list[nn.Module] = []
        for n, m in pairwise(widths):
            layers += [linear(n, m, gain=2**0.5, generator=generator), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers)
        self.n_features = widths[-1]

    def initial_state(self, batch: int) -> State:
        """The empty tuple."""
        return ()

    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[..., F] -> [..., n_features]; the state passes through."""
        return self.layers(x), state
