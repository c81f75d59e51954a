"""What stands on top of the features: action logits, masked and sampled without a distribution object."""

import torch
from torch import Tensor


def mask_logits(logits: Tensor, mask: Tensor | None) -> Tensor:
    """Logits [..., A] in float32 with illegal actions at its lowest number, so that their probability is 0.

    The lowest finite number and not minus infinity: p log p is then 0 and has a gradient.
    """
    if mask is None:
        return logits
    logits = logits.float()
    return logits.masked_fill(~mask, torch.finfo(torch.float32).min)


def gumbel(shape: tuple[int, ...], *, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise: argmax(logits + gumbel) is a sample of softmax(logits)."""
    exponential = torch.empty(shape, device=generator.device).exponential_(generator=generator)
    return exponential.log_().neg_()


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats of categorical log-probabilities, [..., A] -> [...]."""
    return -(log_probs.exp() * log_probs).sum(-1)
