"""Convolutions over grids and pictures: observations with three axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Generator, Tensor, nn

from .encoders import Space
from .init import HIDDEN_GAIN, blank, initialise
from .layers import ACTIVATIONS, Maxout, width_before

PICTURE_SIDE = 36  # the smallest side that the layers for pictures fit into
PICTURE_LAYERS = ((32, 8, 4, 0), (64, 4, 2, 0), (64, 3, 1, 0))  # channels, kernel, stride, padding
MAX_SYMBOLS = 1024
SYMBOL_WIDTH = 16  # numbers that a symbol becomes


@dataclass(frozen=True, kw_only=True)
class Grid:
    """How an observation with three axes is read: which are the sides, and what the numbers mean.

    Numbers are multiplied by `scale`; or, where `n_symbols` is not 0, they stand for that many symbols, from
    `low` upwards.
    """

    shape: tuple[int, int, int]
    channels_last: bool
    scale: float = 1.0
    low: int = 0
    n_symbols: int = 0

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[:2] if self.channels_last else self.shape[1:]

    @property
    def channels(self) -> int:
        """Numbers in a cell."""
        return self.shape[2] if self.channels_last else self.shape[0]


def grid_of(space: Space) -> Grid | None:
    """The grid that observations of `space` are, or None if they have not three axes or below 3x3 cells.

    Channels are the axis apart from two equal ones, else the smaller of the first and the last, else the
    last. Pictures are bytes of the full range with both sides of at least 36, and are scaled to 1; other
    integers of more than two values are symbols.
    """
    if space.shape is None or len(space.shape) != 3:
        return None
    a, b, c = space.shape
    channels_last = a == b or (b != c and c <= a)
    grid = Grid(shape=(a, b, c), channels_last=channels_last)
    if min(grid.sides) < 3:
        return None
    low, high = _range(space)
    if space.dtype == np.uint8 and (low, high) == (0, 255) and min(grid.sides) >= PICTURE_SIDE:
        return Grid(shape=grid.shape, channels_last=channels_last, scale=1 / 255)
    if 2 < high - low + 1 <= MAX_SYMBOLS:
        return Grid(shape=grid.shape, channels_last=channels_last, low=low, n_symbols=high - low + 1)
    return grid


def _range(space: Space) -> tuple[int, int]:
    """The lowest and highest integer that observations hold, or (0, 0) if they are not integers."""
    match space:
        case spaces.MultiDiscrete():
            return int(space.start.min()), int((space.start + space.nvec).max()) - 1
        case spaces.Box() if np.issubdtype(np.dtype(space.dtype), np.integer):
            return int(space.low.min()), int(space.high.max())
        case _:
            return 0, 0


class CNN(nn.Module):
    """From grids [..., *grid.shape] to flat features.

    Symbols are embedded, one table a channel, and added up over the channels of a cell (Hui et al. 2020).
    Sides of at least 36 get the three layers of Mnih et al. 2015; smaller ones a 3x3 convolution for each
    number of `channels`, padded where the shorter side is below 5, with stride 2 where it is at least 12.
    Without `channels` the cells are laid side by side as they are.
    """

    def __init__(
        self,
        grid: Grid,
        *,
        channels: tuple[int, ...] = (16, 32),
        activation: str = "relu",
        init: str = "orthogonal",
        generator: Generator,
    ) -> None:
        super().__init__()
        self.grid = grid
        n = grid.channels
        self.embedding: nn.Embedding | None = None
        if grid.n_symbols:
            self.embedding = _embedding(n, grid.n_symbols, init=init, generator=generator)
            offsets = torch.arange(n) * grid.n_symbols - grid.low
            self.register_buffer("_offsets", offsets, persistent=False)
            n = SYMBOL_WIDTH
        layers: list[nn.Module] = []
        height, width = grid.sides
        for m, kernel, stride, padding in _plan(channels, grid.sides):
            m_before = width_before(activation, m)
            conv = blank(nn.Conv2d, n, m_before, kernel, stride, padding)
            initialise(conv.weight, init, gain=HIDDEN_GAIN, generator=generator)
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
            layers += [conv, Maxout(-3) if activation == "maxout" else ACTIVATIONS[activation]()]
            n = m
            height, width = (_side_after(side, kernel, stride, padding) for side in (height, width))
        self.convolves = bool(layers)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.n_features = n * height * width

    def forward(self, x: Tensor) -> Tensor:
        """[..., *grid.shape] -> [..., n_features]."""
        grids = x.reshape(-1, *self.grid.shape)
        if not self.grid.channels_last:
            grids = grids.permute(0, 2, 3, 1)
        if self.embedding is None:
            cells = grids.float() if self.grid.scale == 1 else grids * self.grid.scale
        else:
            symbols = grids.long() + self.get_buffer("_offsets")
            cells = sum_of_rows(self.embedding.weight, symbols.flatten(0, 2)).unflatten(0, grids.shape[:3])
        features: Tensor = self.layers(cells.permute(0, 3, 1, 2)) if self.convolves else cells
        return features.reshape(*x.shape[:-3], self.n_features)


def sum_of_rows(table: Tensor, rows: Tensor) -> Tensor:
    """For each of N lists of rows [N, n] the sum of these rows of `table` [..., F]: [N, F]."""
    if table.device.type == "cpu":
        y: Tensor = SumOfRows.apply(table, rows)  # type: ignore[no-untyped-call]
        return y
    return nn.functional.embedding_bag(rows, table, mode="sum")


class SumOfRows(torch.autograd.Function):
    """`embedding_bag`, whose own gradient takes ten times as long on a CPU."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        """[..., F] and [N, n] -> [N, F]."""
        ctx.save_for_backward(rows)
        ctx.shape = table.shape
        return nn.functional.embedding_bag(rows, table, mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient of the table from that of the sums."""
        (rows,) = ctx.saved_tensors
        gradient = gradients[0].new_zeros(ctx.shape)
        for column in rows.T:
            gradient.index_add_(0, column, gradients[0])
        return gradient, None


def _embedding(n: int, symbols: int, *, init: str, generator: Generator) -> nn.Embedding:
    """A vector for each symbol of each of `n` channels, of norm 1 in the mean, as an indicator has."""
    embedding = blank(nn.Embedding, n * symbols, SYMBOL_WIDTH)
    std = 0.0 if init == "zero" else SYMBOL_WIDTH**-0.5
    nn.init.normal_(embedding.weight, std=std, generator=generator)
    return embedding


def _plan(channels: tuple[int, ...], sides: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Channels, kernel, stride and padding of every convolution."""
    if channels and min(sides) >= PICTURE_SIDE:
        return [*PICTURE_LAYERS]
    plan = []
    low = min(sides)
    for n in channels:
        stride, padding = (2, 0) if low >= 12 else (1, int(low < 5))
        plan.append((n, 3, stride, padding))
        low = _side_after(low, 3, stride, padding)
    return plan


def _side_after(side: int, kernel: int, stride: int, padding: int) -> int:
    return (side + 2 * padding - kernel) // stride + 1
