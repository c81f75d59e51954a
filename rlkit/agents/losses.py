"""Losses as pure functions of tensors."""

import torch
from torch import Tensor
from torch.nn import functional

from ..nn import mask_logits


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


def double_q_target(
    *, reward: Tensor, discount: Tensor, next_q: Tensor, next_q_target: Tensor, next_mask: Tensor | None
) -> Tensor:
    """r + gamma Q_target(x', argmax_a Q(x', a)) over legal a (van Hasselt et al. 2016), [B] from [B, A]."""
    best = mask_logits(next_q, next_mask).argmax(-1, keepdim=True)
    return reward + discount * next_q_target.gather(-1, best).squeeze(-1)


def q_loss(*, q: Tensor, action: Tensor, target: Tensor) -> Tensor:
    """Huber loss of Q(x, a) [B, A] against its target [B]."""
    return functional.smooth_l1_loss(q.gather(-1, action.unsqueeze(-1)).squeeze(-1), target)
