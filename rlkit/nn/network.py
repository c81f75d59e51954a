"""Whole networks: what reads observations, fully connected layers, and perhaps what remembers."""

from abc import abstractmethod
from itertools import pairwise
from typing import ClassVar, Self

from torch import Generator, Tensor, nn

from .backbones import Backbone, State
from .cnn import grid_of
from .config import NetworkConfig
from .encoders import Encoder, UnsupportedSpaceError
from .mlp import MLP
from .readers import reader_of


class Network(Backbone):
    """A reader of packed observations, fully connected layers, and perhaps a memory, one after the other."""

    convolves: ClassVar[bool] = True

    def __init__(self, reader: nn.Module, mlp: MLP, memory: Backbone | None) -> None:
        super().__init__()
        self.reader, self.mlp, self.memory = reader, mlp, memory
        self.n_features = mlp.n_features

    @classmethod
    def build(cls, encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> Backbone:
        """Reader and layers."""
        reader = reader_of(encoder, config, convolve=cls.convolves, generator=generator)
        return cls(reader, MLP.of(reader.n_features, config, generator=generator), None)

    @classmethod
    def least_weights(cls, config: NetworkConfig) -> int:
        """Those of all layers but the first."""
        return sum(n * m for n, m in pairwise(config.hidden))

    def initial_state(self, batch: int) -> State:
        """That of the memory, on the device of the parameters."""
        return () if self.memory is None else self.memory.initial_state(batch)

    def forward(self, packed: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[B, *shape] or [T, B, *shape] -> [..., n_features]."""
        features, _ = self.mlp(self.reader(packed), (), None)
        if self.memory is None:
            return features, state
        features, state = self.memory(features, state, reset)
        return features, state


class FullyConnected(Network):
    """Layers over observations laid out flat."""

    convolves = False


class Convolutional(Network):
    """Layers over convolutions over the grids of observations."""

    @classmethod
    def check_space(cls, encoder: Encoder) -> None:
        """Raise UnsupportedSpaceError where there is no grid."""
        if not any(map(grid_of, encoder.leaves)):
            raise UnsupportedSpaceError(
                "backbone cnn needs an observation with three axes, at least 3x3 cells; "
                f"{encoder.space} has none"
            )


class Memory(Backbone):
    """What follows reader and layers, and is as wide as the last of them."""

    @classmethod
    @abstractmethod
    def over(cls, width: int, config: NetworkConfig, *, generator: Generator) -> Self:
        """A memory of features [..., width]."""

    @classmethod
    def depth(cls, config: NetworkConfig) -> int:
        """How many layers of the last width there are in it at least."""
        return 1

    @classmethod
    def build(cls, encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> Backbone:
        """Reader, layers and memory."""
        reader = reader_of(encoder, config, generator=generator)
        mlp = MLP.of(reader.n_features, config, generator=generator)
        return Network(reader, mlp, cls.over(mlp.n_features, config, generator=generator))

    @classmethod
    def least_weights(cls, config: NetworkConfig) -> int:
        """Those of all layers but the first."""
        widths = (*config.hidden, *config.hidden[-1:] * cls.depth(config))
        return sum(n * m for n, m in pairwise(widths))
