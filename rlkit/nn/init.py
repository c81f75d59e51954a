"""Initial weights, drawn from an explicit random generator and never from torch's global one.

| `init` | weights of a layer from n inputs to m outputs | source |
|---|---|---|
| orthogonal | W Wᵀ = g² I, or WᵀW = g² I if m > n | Saxe et al. 2014 |
| xavier | normal, variance 2 / (n + m) | Glorot and Bengio 2010 |
| kaiming | normal, variance 2 / n | He et al. 2015 |
| zero | 0: what such layers feed alike stays alike | |
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn

from .fast.products import Linear

Layer = TypeVar("Layer", bound=nn.Module)

INITS = ("orthogonal", "xavier", "kaiming", "zero")
HIDDEN_GAIN = 2**0.5


def initialise(weight: Tensor, init: str, *, gain: float, generator: Generator) -> None:
    """Fill `weight` [m, n, ...] in place; `gain` is the g of the orthogonal one, the others have none."""
    weight = weight.detach()
    if init == "orthogonal":
        nn.init.orthogonal_(weight, gain, generator=generator)
    elif init == "xavier":
        nn.init.xavier_normal_(weight, generator=generator)
    elif init == "kaiming":
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    else:
        nn.init.zeros_(weight)


def blank(kind: Callable[..., Layer], *sizes: Any, **options: Any) -> Layer:
    """A layer whose parameters have yet to be filled; torch would draw them from its global generator.

    As `torch.nn.utils.skip_init`, which takes half a second when it is first called.
    """
    layer = kind(*sizes, device="meta", **options)
    for name, p in layer.named_parameters(recurse=False):
        setattr(layer, name, nn.Parameter(torch.empty(p.shape)))
    return layer


def linear(
    n_in: int, n_out: int, *, gain: float, generator: Generator, init: str = "orthogonal"
) -> nn.Linear:
    """A linear layer with the given initial weights, orthogonal as a rule, and zero bias."""
    layer = blank(Linear, n_in, n_out)
    initialise(layer.weight, init, gain=gain, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
