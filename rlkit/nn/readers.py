"""From packed observations to numbers for layers: grids by convolutions, the rest by the encoder."""

import torch
from torch import Generator, Tensor, nn

from .cnn import CNN, grid_of
from .config import NetworkConfig
from .encoders import Encoder, LeafEncoder, Space


def reader_of(
    encoder: Encoder, config: NetworkConfig, *, convolve: bool = True, generator: Generator
) -> "Encoder | GridReader":
    """What turns packed observations [..., *shape] into features [..., n_features] for `config`.

    Grids are read by convolutions, or with `convolve=False` cell by cell, and the rest as `encoder` has it.
    """
    if not any(map(grid_of, encoder.leaves)):
        return encoder
    return GridReader(encoder, config.channels if convolve else (), config, generator=generator)


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
    return CNN(grid, channels=channels, activation=config.activation, init=config.init, generator=generator)
