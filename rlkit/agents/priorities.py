"""Priorities of replay, and drawing in proportion to them (Schaul et al. 2016)."""

import torch
from torch import Generator, Tensor
from torch.nn import functional

SMALLEST_ERROR = 1e-6  # so that nothing is never drawn
BLOCK = 256  # weights that are added up first


class Priorities:
    """Numbers |error|^alpha of things that can be drawn; what is new gets the highest so far, at first 1."""

    def __init__(self, size: int, *, alpha: float, device: torch.device) -> None:
        self.alpha = alpha
        self.weight = torch.zeros(-(-size // BLOCK) * BLOCK, dtype=torch.float64, device=device)
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
    """The first entries [N] of `weight` [n] up to which its sum is more than the parts [N] of the whole.

    Sums are taken in two steps, of blocks and within the blocks found, so that a million weights are added up
    but no million sums written down.
    """
    if len(weight) % BLOCK:
        weight = functional.pad(weight, (0, -len(weight) % BLOCK))
    blocks = weight.view(-1, BLOCK)
    total = blocks.sum(1)
    upto = total.cumsum(0)
    sought = below(part * upto[-1], upto[-1])
    i = torch.searchsorted(upto, sought, right=True)
    within = blocks[i].cumsum(1)
    rest = below(sought - (upto[i] - total[i]), within[:, -1])
    return i * BLOCK + torch.searchsorted(within, rest[:, None], right=True).squeeze(1)


def below(x: Tensor, limit: Tensor) -> Tensor:
    """`x` where it is from 0 up to the limit, else the nearest number there is."""
    return x.clamp(min=0).minimum(torch.nextafter(limit, torch.zeros_like(limit)))
