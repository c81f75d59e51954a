"""Returns and advantages over (reward, discount, value, cut), each formula once.

For step t of B environments, all arrays with leading axes [T, B]:

    reward[t]      r_t, the reward of the step
    discount[t]    gamma_t: gamma, or 0 where the step reached a terminal state
    value[t]       V(x_t), and next_value[t] = V(x_{t+1}) of the true successor, also where a time limit
                   ended the episode and the environment now stands elsewhere
    cut[t]         whether the trace stops after the step: the next row belongs to another episode

A time limit therefore keeps its discount and is cut; a terminal state has discount 0 and is cut.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rlkit.experience.rollout import Final, Rollout
from rlkit.nn import State


def gae(
    *, reward: Tensor, discount: Tensor, value: Tensor, next_value: Tensor, cut: Tensor, lambda_: float
) -> Tensor:
    """Generalised advantage estimates [T, B] (Schulman et al. 2016); plus `value` they are lambda-returns.

    delta_t = r_t + gamma_t V(x_{t+1}) - V(x_t),  A_t = delta_t + gamma_t lambda A_{t+1}, or delta_t if cut.
    """
    _check_shapes(reward, discount, value, next_value, cut)
    delta = reward + discount * next_value - value
    decay = lambda_ * discount * ~cut
    advantage = torch.empty_like(delta)
    acc = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        acc = torch.addcmul(delta[t], decay[t], acc, out=advantage[t])
    return advantage


def rollout_returns(
    r: Rollout,
    value_of: Callable[[Tensor, State, Tensor, Tensor | None], Tensor],
    *,
    reward: Tensor,
    gamma: float,
    lambda_: float,
) -> tuple[Tensor, Tensor]:
    """(advantages, lambda-returns) [T, B] of a rollout for `reward` [T, B], as it is learned from.

    `value_of` (obs, state, reset, mask) gives V.
    """

    def of_final(final: Final) -> Tensor:
        nowhere = torch.zeros_like(final.at, dtype=torch.bool)
        return value_of(final.obs, final.state, nowhere, final.mask)

    value = value_of(r.obs, r.state, r.reset, r.mask)
    advantage = gae(
        reward=reward,
        discount=gamma * r.discount,
        value=value[:-1],
        next_value=r.successors(value, of_final),
        cut=r.cut,
        lambda_=lambda_,
    )
    return advantage, advantage + value[:-1]


def n_step(*, reward: Tensor, discount: Tensor, cut: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The rewards of up to n = T steps summed, stopping after the first cut, and what is needed to bootstrap.

    Returns (sum of discounted rewards [B], product of discounts [B], index of the last step used [B]): the
    n-step return is `rewards + discounts * V(x_{last + 1})`, and an episode that ends after k < n steps is
    bootstrapped with gamma^k, or not at all if it ended in a terminal state.
    """
    _check_shapes(reward, discount, cut)
    used = torch.cat([torch.ones_like(cut[:1]), ~cut[:-1]]).cumprod(0).bool()
    discounts = torch.where(used, discount, 1.0).cumprod(0)
    before = torch.cat([torch.ones_like(discounts[:1]), discounts[:-1]])
    return (before * reward * used).sum(0), discounts[-1], used.sum(0) - 1


def n_step_rows(*, reward: Tensor, discount: Tensor, start: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The n-step reward and discount [T, N] of the first T of T + n rows of a replay memory.

    `reward` and `discount` [T + n - 1, N] are those of all rows but the last, `start` [T + n - 1, N] says
    which of all but the first start a transition. Also which row each is bootstrapped from: the n-th after
    it, or the first that starts nothing.
    """

    def windows(x: Tensor) -> Tensor:
        # [T + n - 1, N] -> [n, T N]
        return x if len(x) == n else x.unfold(0, n, 1).permute(2, 0, 1).flatten(1)

    rewards, discounts, last = n_step(reward=windows(reward), discount=windows(discount), cut=windows(~start))
    shape = (len(reward) - n + 1, reward.shape[1])
    now = torch.arange(shape[0], device=reward.device)[:, None]
    return rewards.view(shape), discounts.view(shape), now + last.view(shape) + 1


def _check_shapes(*tensors: Tensor) -> None:
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"all arguments must have the same shape [T, B], got {sorted(shapes)}")
