"""Losses as pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional


def ppo_clip(*, log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Clipped surrogate -E[min(r A, clip(r, 1 - clip, 1 + clip) A)], r = new / old (Schulman et al. 2017)."""
    ratio = (log_prob - old_log_prob).exp()
    return -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def policy_gradient(*, log_prob: Tensor, advantage: Tensor) -> Tensor:
    """-E[A log pi(a | x)], whose gradient is that of the expected return (Williams 1992)."""
    return -(advantage * log_prob).mean()


def kl_estimate(*, log_prob: Tensor, old_log_prob: Tensor) -> Tensor:
    """KL(old || new) estimated without bias from actions of the old policy: E[r - 1 - log r] >= 0."""
    log_ratio = log_prob - old_log_prob
    return (log_ratio.expm1() - log_ratio).mean()


def value_loss(value: Tensor, target: Tensor) -> Tensor:
    """Half the mean squared error."""
    return 0.5 * functional.mse_loss(value, target)
