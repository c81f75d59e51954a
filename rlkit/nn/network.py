"""Whole networks, from packed observations to features, as a configuration asks for them."""

import torch
from torch import Generator, Tensor, nn

from .attention import Attention
from .backbones import Backbone, State
from .cnn import CNN, grid_of
from .config import NetworkConfig
from .encoders import Encoder, LeafEncoder, Space, UnsupportedSpaceError
from .mlp import MLP
from .recurrent import Recurrent


def resolve(backbone: str, encoder: Encoder) -> tuple[str, str]:
    """The kind of network that `backbone` means for these observations, and a sentence that says why.

    "auto" is cnn where there is a grid or a picture, else mlp. UnsupportedSpaceError for cnn without one.
    """
    grids = [grid for grid in map(grid_of, encoder.leaves) if grid is not None]
    if backbone == "cnn" and not grids:
        raise UnsupportedSpaceError(
            f"backbone cnn needs an observation with three axes, at least 3x3 cells; {encoder.space} has none"
        )
    if backbone != "auto":
        return backbone, f"{backbone}: as configured"
    if grids:
        return "cnn", f"cnn: the observation holds a grid of {'x'.join(map(str, grids[0].shape))}"
    return "mlp", "mlp: the observation holds no grid"


def build(encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> Backbone:
    """The network of `config`, from packed observations [B, *shape] or [T, B, *shape] to features.

    What reads the observations is followed by fully connected layers, and these by what remembers.
    UnsupportedSpaceError for a cnn without a grid.
    """
    kind, _ = resolve(config.backbone, encoder)
    reader = reader_of(encoder, config, generator=generator)
    mlp = MLP.of(reader.n_features, config, generator=generator)
    memory: Backbone | None = None
    if kind == "attention":
        memory = Attention(
            mlp.n_features,
            context=config.context,
            heads=config.heads,
            blocks=config.blocks,
            init=config.init,
            generator=generator,
        )
    elif kind not in ("mlp", "cnn"):
        memory = Recurrent(mlp.n_features, mlp.n_features, kind=kind, init=config.init, generator=generator)
    network = Network(reader, mlp, memory)
    if config.compiler != "none":
        network.compile(backend=config.compiler)
    return network


def reader_of(encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> "Encoder | GridReader":
    """What turns packed observations [..., *shape] into features [..., n_features] for `config`.

    Grids are read by convolutions, though not by an mlp, and everything else as `encoder` has it.
    """
    if not any(map(grid_of, encoder.leaves)):
        return encoder
    kind, _ = resolve(config.backbone, encoder)
    return GridReader(encoder, () if kind == "mlp" else config.channels, config, generator=generator)


class Network(Backbone):
    """A reader of packed observations, fully connected layers, and perhaps a memory, one after the other."""

    def __init__(self, reader: nn.Module, mlp: MLP, memory: Backbone | None) -> None:
        super().__init__()
        self.reader, self.mlp, self.memory = reader, mlp, memory
        self.n_features = mlp.n_features

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


class GridReader(nn.Module):
    """Packed observations [..., *shape] -> features of their grids and of the rest side by side."""

    def __init__(
        self, encoder: Encoder, channels: tuple[int, ...], config: NetworkConfig, *, generator: Generator
    ) -> None:
        super().__init__()
        self.encoder = encoder
        readers = [_reader(leaf, channels, config, generator) for leaf in encoder.leaves]
        self.readers = nn.ModuleList(readers)
        self.n_features = sum(reader.n_features for reader in readers)

    def forward(self, packed: Tensor) -> Tensor:
        """[..., n_features]."""
        parts = zip(self.readers, self.encoder.split(packed), strict=True)
        return torch.cat([reader(x) for reader, x in parts], -1)


def _reader(
    leaf: Space, channels: tuple[int, ...], config: NetworkConfig, generator: Generator
) -> CNN | LeafEncoder:
    grid = grid_of(leaf)
    if grid is None:
        return LeafEncoder(leaf)
    return CNN(
        grid,
        channels=channels,
        activation=config.activation,
        init=config.init,
        generator=generator,
    )
