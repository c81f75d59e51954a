"""Losses and targets of action values as pure functions of tensors, entry by entry."""

import torch
from torch import Tensor
from torch.nn import functional

from ..nn import mask_logits


def greedy(q: Tensor, mask: Tensor | None) -> Tensor:
    """The legal action of the highest value, [..., A] -> [...]."""
    return mask_logits(q, mask).argmax(-1)


def bellman_target(*, reward: Tensor, discount: Tensor, value: Tensor) -> Tensor:
    """r + gamma z for every number z of `value` [..., K]: of a value, of atoms, or of quantiles."""
    return torch.addcmul(reward.unsqueeze(-1), discount.unsqueeze(-1), value)


def huber(q: Tensor, target: Tensor) -> Tensor:
    """d^2 / 2 where |d| <= 1, else |d| - 1/2, of the difference d."""
    return functional.smooth_l1_loss(q, target, reduction="none")


def project(probs: Tensor, at: Tensor, *, atoms: Tensor) -> Tensor:
    """The distribution on evenly spaced `atoms` [K] nearest to `probs` on the points `at`, all [..., K].

    A point between two atoms is divided among them, the nearer one getting more, and one beyond the ends is
    moved there (Bellemare et al. 2017, eq. 7).
    """
    low, step = atoms[0], (atoms[-1] - atoms[0]) / (len(atoms) - 1)
    b = ((at - low) / step).clamp(0, len(atoms) - 1)
    lower = b.floor()
    above = (b - lower) * probs
    index = lower.long()
    projected = torch.zeros_like(probs).scatter_add_(-1, index, probs - above)
    return projected.scatter_add_(-1, (index + 1).clamp(max=len(atoms) - 1), above)


def categorical_divergence(logits: Tensor, target: Tensor) -> Tensor:
    """KL(target || softmax(logits)), [..., K] -> [...]: the cross-entropy less what no logits can change."""
    return (torch.xlogy(target, target) - target * logits.log_softmax(-1)).sum(-1)


def quantile_huber(theta: Tensor, target: Tensor) -> Tensor:
    """Quantile regression of `theta` [..., K] for samples `target` [..., J] (Dabney et al. 2018), -> [...].

    sum_i mean_j |tau_i - [target_j < theta_i]| huber(target_j - theta_i), tau_i = (i + 1/2) / K.
    """
    k = theta.shape[-1]
    tau = (torch.arange(k, device=theta.device) + 0.5) / k
    theta, target = torch.broadcast_tensors(theta.unsqueeze(-1), target.unsqueeze(-2))  # [..., K, J]
    asymmetry = (tau[:, None] - (target < theta).float()).abs()
    return (asymmetry * huber(theta, target)).mean(-1).sum(-1)


def sequence_priority(error: Tensor, learned: Tensor, *, eta: float = 0.9) -> Tensor:
    """eta max + (1 - eta) mean of |error| [T, N] over rows `learned`, -> [N] (Kapturowski et al. 2019)."""
    error = error.abs() * learned
    mean = error.sum(0) / learned.sum(0).clamp(min=1)
    return eta * error.amax(0) + (1 - eta) * mean
