"""Normalised observations and scaled rewards, by running statistics of the training.

    x -> clip((x - mean) / std, -10, 10) for the numbers of float Boxes
    r -> r / std of the discounted return G_t = gamma G_{t-1} + r_t, which starts over with every episode

What is stored stays as it was met: observations are normalised where a network reads them, rewards scaled
where they are learned from. Statistics of observations change between iterations only, so that the policy
which learns from a rollout is the one that acted.
"""

from typing import Any, Self

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import UnsupportedError

from . import Encoder, grid_of

CLIP = 10.0


class Moments(nn.Module):
    """Mean and variance of all [*shape] seen so far, merged batch by batch (Chan, Golub and LeVeque 1979)."""

    count: Tensor
    mean: Tensor
    m2: Tensor  # sum of squared differences from the mean

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("m2", torch.zeros(shape, dtype=torch.float64))

    def add(self, x: Tensor, where: Tensor) -> None:
        """Take in those of `x` [N, *shape] for which `where` [N] is true."""
        weight = where.double().reshape(-1, *(1,) * (x.dim() - 1))
        x = x.double()
        n = weight.sum()
        mean = (weight * x).sum(0) / n.clamp(min=1)
        m2 = (weight * (x - mean).square()).sum(0)
        total = self.count + n
        delta, share = mean - self.mean, n / total.clamp(min=1)
        self.mean.add_(delta * share)
        self.m2.add_(m2).add_(delta.square() * self.count * share)
        self.count.copy_(total)

    def scale(self) -> Tensor:
        """1 / standard deviation [*shape]; 1 where nothing has varied yet."""
        variance = self.m2 / self.count.clamp(min=1)
        return torch.where(variance > 0, variance, 1.0).rsqrt()


class NormalisingEncoder(Encoder):
    """An encoder that normalises the numbers of float Boxes and leaves categories, grids and pictures alone.

    Copies of a network share it: a target network reads observations as they are read now.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        super().__init__(space)
        numeric = [
            torch.full(shape, is_numeric(leaf)) for leaf, shape in zip(self.leaves, self._shapes, strict=True)
        ]
        joined = numeric[0] if self._single else torch.cat([part.flatten() for part in numeric])
        if not joined.any():
            raise UnsupportedError(f"normalize_obs has no numbers to normalise in observations of {space}")
        self._all_numeric = bool(joined.all())
        self.register_buffer("_numeric", joined, persistent=False)
        # Far from 0, as a time stamp is, differences of float64 numbers are lost in float32.
        exact = torch.float64 if self.dtype == np.float64 else torch.float32
        self.register_buffer("_mean", torch.zeros(self.shape, dtype=exact))
        self.register_buffer("_scale", torch.ones(self.shape, dtype=exact))

    def read(self, moments: Moments) -> None:
        """Normalise by these from now on."""
        self.get_buffer("_mean").copy_(moments.mean)
        self.get_buffer("_scale").copy_(moments.scale())

    def split(self, packed: Tensor) -> list[Tensor]:
        """The packed observations of every leaf, numbers normalised."""
        mean = self.get_buffer("_mean")
        x = packed.to(mean.dtype)
        normalised = ((x - mean) * self.get_buffer("_scale")).clamp(-CLIP, CLIP)
        if not self._all_numeric:
            normalised = torch.where(self.get_buffer("_numeric"), normalised, x)
        return super().split(normalised.float())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def is_numeric(leaf: spaces.Space[Any]) -> bool:
    """Whether what is observed there are numbers of any range: a float Box that is no picture."""
    return isinstance(leaf, spaces.Box) and np.issubdtype(leaf.dtype, np.floating) and grid_of(leaf) is None


class Statistics(nn.Module):
    """Moments of what was observed, if the encoder normalises, and of returns, if `rewards` are scaled."""

    ongoing: Tensor  # [B] the discounted return of each environment's present episode

    def __init__(self, encoder: Encoder, *, gamma: float, rewards: bool) -> None:
        super().__init__()
        self._gamma = gamma
        self._encoder = encoder if isinstance(encoder, NormalisingEncoder) else None
        self._unread: list[tuple[Tensor, Tensor]] = []
        self.obs = Moments(encoder.shape) if self._encoder else None
        self.returns = Moments(()) if rewards else None
        self.register_buffer("ongoing", torch.zeros(0), persistent=False)

    @property
    def sees(self) -> bool:
        """Whether the configuration asks for any."""
        return self.obs is not None or self.returns is not None

    def begin(self, num_envs: int) -> None:
        """Get ready for the steps of so many environments."""
        if len(self.ongoing) != num_envs:
            self.ongoing = self.ongoing.new_zeros(num_envs)

    def see(self, obs: Tensor, reset: Tensor, reward: Tensor, valid: Tensor) -> None:
        """Take in one step of all environments [B], from where they stood."""
        if self.obs is not None:
            self._unread.append((obs, valid))
        if self.returns is not None:
            self.ongoing.masked_fill_(reset, 0).mul_(self._gamma).add_(reward)
            self.returns.add(self.ongoing, valid)

    @torch.no_grad()
    def update(self) -> None:
        """Let the encoder normalise by all that was seen."""
        if self.obs is None or self._encoder is None:
            return
        if self._unread:
            obs, valid = (torch.cat(column) for column in zip(*self._unread, strict=True))
            self.obs.add(obs, valid)
            self._unread.clear()
        self._encoder.read(self.obs)

    def scaled(self, reward: Tensor) -> Tensor:
        """Rewards as they are learned from."""
        return reward if self.returns is None else reward * self.returns.scale().float()
