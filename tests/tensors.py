"""Generators from a seed, and tensors that agree."""

import torch
from torch import Tensor


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether the tensors of two dictionaries agree to the last digit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
