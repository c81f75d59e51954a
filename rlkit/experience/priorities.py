"""Priorities of replay, and drawing in proportion to them (Schaul et al. 2016)."""

import torch
from torch import Generator, Tensor

SMALLEST_ERROR = 1e-6  # so that nothing is never drawn


class Priorities:
    """Numbers |error|^alpha of things that can be drawn; what is new gets the highest so far, at first 1."""

    def __init__(self, size: int, *, alpha: float, device: torch.device) -> None:
        self.alpha = alpha
        self.weight = torch.zeros(size, dtype=torch.float64, device=device)
        self.highest = torch.ones((), dtype=torch.float64, device=device)

    def renew(self, at: Tensor, where: Tensor) -> None:
        """What stands at `at` [N] is new `where` [N] says so, and elsewhere nothing that can be drawn."""
        self.weight[at] = self.highest.where(where, 0.0)

    def set_errors(self, at: Tensor, error: Tensor) -> None:
        """Note the errors [N] that were found."""
        weight = (error.double().abs() + SMALLEST_ERROR) ** self.alpha
        self.weight[at] = weight
        self.highest = torch.maximum(self.highest, weight.max())


def draw(weight: Tensor, size: int, *, generator: Generator) -> Tensor:
    """Indices [size] drawn in proportion to `weight` [n], one from each of `size` equal parts of its sum."""
    part = torch.rand(size, generator=generator, device=generator.device, dtype=torch.float64)
    return search(weight, (part + torch.arange(size, device=part.device)) / size)


def search(weight: Tensor, part: Tensor) -> Tensor:
    """The first entries [N] of `weight` [n] up to which its sum is more than the parts [N] of the whole."""
    upto = weight.cumsum(0)
    below_all = torch.nextafter(upto[-1], torch.zeros_like(upto[-1]))
    return torch.searchsorted(upto, (part * upto[-1]).minimum(below_all), right=True)


def importance_weights(priority: Tensor, *, beta: float) -> Tensor:
    """(n P_i)^-beta over the largest in the batch [N], in float32 (Schaul et al. 2016): n and sums cancel."""
    return (priority / priority.min()).pow(-beta).float()
