"""Linear layers with noise that is learned: networks that explore by themselves (Fortunato et al. 2018)."""

import math

import torch
from torch import Generator, Tensor, nn

from .fast.products import affine


class NoisyLinear(nn.Module):
    """y = W x + b + e_out * (S (e_in * x) + s), with factorised noise e; without noise y = W x + b.

    W and b begin uniform in +-1 / sqrt(n_in), all entries of S and s as `sigma` / sqrt(n_in). `set_noise`
    gives the noise; leading axes of it go with those of x.
    """

    def __init__(self, n_in: int, n_out: int, *, sigma: float, generator: Generator) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_out, n_in).uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.empty(n_out).uniform_(-bound, bound, generator=generator))
        self.weight_sigma = nn.Parameter(torch.full((n_out, n_in), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((n_out,), sigma * bound))
        self._noise: tuple[Tensor, Tensor] | None = None

    def set_noise(self, noise: Tensor | None) -> None:
        """From now on e = sgn(n) sqrt|n| of the normal numbers n [..., n_in + n_out], or none."""
        if noise is None:
            self._noise = None
            return
        e_in, e_out = (noise.sign() * noise.abs().sqrt()).split((self.n_in, self.n_out), -1)
        self._noise = e_in, e_out

    def draw_noise(self, generator: Generator, batch: tuple[int, ...] = ()) -> None:
        """New noise: one sample, or one for each entry of `batch`."""
        n = self.n_in + self.n_out
        self.set_noise(torch.randn((*batch, n), generator=generator, device=generator.device))

    def forward(self, x: Tensor) -> Tensor:
        """[..., n_in] -> [..., n_out]."""
        mean = affine(x, self.weight, self.bias)
        if self._noise is None:
            return mean
        e_in, e_out = self._noise
        return torch.addcmul(mean, affine(x * e_in, self.weight_sigma, self.bias_sigma), e_out)
