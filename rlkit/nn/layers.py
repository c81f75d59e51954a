"""Activations and normalisation of hidden layers."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .fast.tanh import Tanh


class Maxout(nn.Module):
    """The larger number of each pair of channels (Goodfellow et al. 2013): [..., 2 n] -> [..., n].

    The channels stand on the last axis, or, as in convolutions, on the third from last: `dim` -1 or -3.
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """The larger of channels 2 i and 2 i + 1."""
        return torch.unflatten(x, self.dim, (-1, 2)).amax(self.dim)


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "gelu": nn.GELU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "maxout": Maxout,
}


def width_before(activation: str, width: int) -> int:
    """How many numbers `activation` reads for `width` that it gives."""
    return 2 * width if activation == "maxout" else width


class Dropout(nn.Module):
    """In training each number is 0 with probability `p`, and else 1 / (1 - p) times as large.

    Draws from `generator`, torch's own if that is None (Srivastava et al. 2014).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[...] -> [...]."""
        if not self.training:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * kept / (1 - self.p)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation (Ioffe and Szegedy 2015) in which all leading axes are one batch.

    A batch of one, which has no variance, is normalised by the running statistics.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., F] -> [..., F]."""
        rows = x.reshape(-1, x.shape[-1])
        if len(rows) > 1:
            return super().forward(rows).reshape(x.shape)
        y = nn.functional.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )
        return y.reshape(x.shape)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": nn.Identity,
    "layer": nn.LayerNorm,
    "batch": BatchNorm,
}


class Residual(nn.Module):
    """x + f(x) (He et al. 2016)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """[..., F] -> [..., F]."""
        added: Tensor = x + self.inner(x)
        return added
