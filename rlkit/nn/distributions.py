"""What a network's outputs mean as actions.

A head's last layer gives `n_params` numbers. `act` turns them and some noise into actions: without noise the
greedy ones, with noise from `noise` a sample, so that the noise of many steps can be drawn at once.
Masks [..., n_params] say which discrete actions are legal; those of MultiDiscrete lie side by side.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import torch
from gymnasium import spaces
from torch import Tensor, nn

from .encoders import UnsupportedSpaceError

Mask: TypeAlias = Tensor | None


class Head(nn.Module, ABC):
    """Actions from `n_params` numbers; `shape` and `dtype` are those of one action."""

    n_params: int
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.int64

    @abstractmethod
    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """What `act` needs to draw one action for every entry of the leading axes."""

    @abstractmethod
    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """Actions [..., *shape]: greedy, or drawn with the noise."""


class Distribution(Head, ABC):
    """A stochastic policy that can be differentiated."""

    @abstractmethod
    def log_prob_and_entropy(self, params: Tensor, action: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        """The log-probability (or density) of the actions and the entropy in nats, both [...]."""


class Discrete(Head, ABC):
    """A head over n actions, of which it can tell the probabilities."""

    @abstractmethod
    def probabilities(self, params: Tensor, mask: Mask) -> Tensor:
        """The probability of each action [..., n], 0 where it is not legal."""


class Categorical(Distribution, Discrete):
    """One of n actions, from logits."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n_params = n

    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard Gumbel noise: argmax(logits + noise) is a sample of softmax(logits)."""
        return gumbel((*lead, self.n_params), generator=generator)

    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """The likeliest legal action, or one drawn among the legal."""
        return mask_logits(params if noise is None else params + noise, mask).argmax(-1)

    def log_prob_and_entropy(self, params: Tensor, action: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        """log softmax(logits)[action] and the entropy, over legal actions."""
        log_probs = log_softmax(mask_logits(params, mask))
        return log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1), entropy(log_probs)

    def probabilities(self, params: Tensor, mask: Mask) -> Tensor:
        """The probability of each action [..., n], 0 where it is not legal."""
        return mask_logits(params, mask).softmax(-1)


class MultiCategorical(Distribution):
    """Several choices at once, independent given the observation."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.parts = [Categorical(n) for n in sizes]
        self.sizes = sizes
        self.n_params = sum(sizes)
        self.shape = (len(sizes),)

    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard Gumbel noise for every part."""
        return gumbel((*lead, self.n_params), generator=generator)

    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """An action of every part [..., parts]."""
        scores = mask_logits(params if noise is None else params + noise, mask)
        return torch.stack([part.argmax(-1) for part in scores.split(self.sizes, -1)], -1)

    def log_prob_and_entropy(self, params: Tensor, action: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        """The sums over the parts."""
        masks = [None] * len(self.sizes) if mask is None else mask.split(self.sizes, -1)
        columns = zip(self.parts, params.split(self.sizes, -1), action.unbind(-1), masks, strict=True)
        found = [part.log_prob_and_entropy(p, a, m) for part, p, a, m in columns]
        log_probs, entropies = zip(*found, strict=True)
        return torch.stack(log_probs).sum(0), torch.stack(entropies).sum(0)


class Gaussian(Distribution):
    """A normal distribution for each number of a Box, with a standard deviation that is learned by itself.

    Actions are in units in which the bounds of the space are -1 and 1; what lies beyond is clipped by the
    environment's side, and the density is that of the unclipped action.
    """

    dtype = torch.float32

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.n_params = math.prod(shape)
        self.log_std = nn.Parameter(torch.zeros(self.n_params))

    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard normal noise."""
        return torch.randn((*lead, self.n_params), generator=generator, device=generator.device)

    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """The mean, or a sample."""
        action = params if noise is None else params + noise * self.log_std.exp()
        return action.reshape(*action.shape[:-1], *self.shape)

    def log_prob_and_entropy(self, params: Tensor, action: Tensor, mask: Mask) -> tuple[Tensor, Tensor]:
        """The log-density of the unclipped action and the differential entropy."""
        z = (action.reshape(params.shape) - params) * (-self.log_std).exp()
        log_scale = self.log_std + 0.5 * math.log(2 * math.pi)
        log_prob = -(0.5 * z.square() + log_scale).sum(-1)
        return log_prob, (0.5 + log_scale).sum().expand(log_prob.shape)


class SquashedGaussian(Head):
    """The tanh of a normal distribution whose mean and deviation both depend on what is seen.

    Actions lie in (-1, 1), which stands for the bounds of the space (Haarnoja et al. 2018, appendix C).
    """

    dtype = torch.float32

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.n_params = 2 * math.prod(shape)

    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Standard normal noise."""
        return torch.randn((*lead, self.n_params // 2), generator=generator, device=generator.device)

    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """tanh of the mean, or a sample."""
        mean, log_std = self._parts(params)
        raw = mean if noise is None else mean + noise * log_std.exp()
        return raw.tanh().reshape(*raw.shape[:-1], *self.shape)

    def sample(self, params: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [..., d], through which gradients flow, and their log-density [...]."""
        mean, log_std = self._parts(params)
        raw = mean + noise * log_std.exp()
        log_prob = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        # log(1 - tanh(u)^2), which rounds to log 0 where u is large.
        log_slope = 2 * (math.log(2) - raw - nn.functional.softplus(-2 * raw))
        return raw.tanh(), (log_prob - log_slope).sum(-1)

    def _parts(self, params: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = params.chunk(2, -1)
        return mean, log_std.clamp(-10, 2)


class EpsilonGreedy(Discrete):
    """The action of the highest value, or with probability `epsilon` a uniformly random legal one."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n_params = n
        self.register_buffer("_epsilon", torch.zeros(()), persistent=False)

    @property
    def epsilon(self) -> float:
        """The probability, which is kept on the device, where acting needs it."""
        return self.get_buffer("_epsilon").item()

    @epsilon.setter
    def epsilon(self, value: float) -> None:
        self.get_buffer("_epsilon").fill_(value)

    def noise(self, lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Uniform numbers: whether to explore, and a rank for every action."""
        return torch.rand((*lead, 1 + self.n_params), generator=generator, device=generator.device)

    def act(self, params: Tensor, noise: Tensor | None, mask: Mask) -> Tensor:
        """The greedy legal action, or the epsilon-greedy one."""
        greedy = mask_logits(params, mask).argmax(-1)
        if noise is None:
            return greedy
        explore, rank = noise[..., 0] < self.get_buffer("_epsilon"), mask_logits(noise[..., 1:], mask)
        return torch.where(explore, rank.argmax(-1), greedy)

    def probabilities(self, params: Tensor, mask: Mask) -> Tensor:
        """The probability of each action [..., n], 0 where it is not legal."""
        legal = torch.ones_like(params, dtype=torch.bool) if mask is None else mask
        greedy = nn.functional.one_hot(mask_logits(params, mask).argmax(-1), self.n_params)
        epsilon = self.get_buffer("_epsilon")
        return (1 - epsilon) * greedy + epsilon * legal / legal.sum(-1, keepdim=True)


def distribution(space: spaces.Space[Any]) -> Distribution:
    """The policy for an action space; UnsupportedSpaceError names one that has none."""
    match space:
        case spaces.Discrete():
            return Categorical(int(space.n))
        case spaces.MultiDiscrete() if space.nvec.ndim == 1:
            return MultiCategorical(tuple(int(n) for n in space.nvec))
        case spaces.Box():
            return Gaussian(space.shape)
    raise UnsupportedSpaceError(f"action space {space} is not supported; use Discrete, MultiDiscrete or Box")


def mask_logits(logits: Tensor, mask: Mask) -> Tensor:
    """Logits [..., A] in float32 with illegal actions at its lowest number, so that their probability is 0.

    The lowest finite number and not minus infinity: p log p is then 0 and has a gradient.
    """
    if mask is None:
        return logits
    logits = logits.float()
    return logits.masked_fill(~mask, torch.finfo(torch.float32).min)


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities [..., N, A], taken from A rows of N numbers: torch is fast along long rows."""
    return logits.transpose(-1, -2).contiguous().log_softmax(-2).transpose(-1, -2)


def gumbel(shape: tuple[int, ...], *, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise: argmax(logits + gumbel) is a sample of softmax(logits)."""
    exponential = torch.empty(shape, device=generator.device).exponential_(generator=generator)
    return exponential.log_().neg_()


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats of categorical log-probabilities, [..., A] -> [...]."""
    return -(log_probs.exp() * log_probs).sum(-1)
