"""Networks of action values, and what agents that act on them share."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..nn import ACTIVATIONS, Encoder, State, build, linear
from ..nn.init import HIDDEN_GAIN
from ..nn.layers import width_before
from ..nn.noisy import NoisyLinear
from .config import EpsilonConfig, NeuralConfig
from .q_losses import bellman_target, categorical_divergence, huber, project, quantile_huber


@dataclass(frozen=True, kw_only=True)
class QConfig(EpsilonConfig, NeuralConfig):
    """What networks of action values have in common."""

    activation: str = "relu"
    max_grad_norm: float = 10.0


class Returns(nn.Module, ABC):
    """What the `size` numbers that a network gives for an action say of its return."""

    size: int

    @abstractmethod
    def mean(self, x: Tensor) -> Tensor:
        """The expected return, [..., K] -> [...]."""

    @abstractmethod
    def loss(
        self, x: Tensor, following: Tensor, *, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The loss of `x` [..., K] for the return r + gamma z, z that of `following` [..., K], as [...].

        And as much the error by which replay is prioritized, without a gradient.
        """


class Expected(Returns):
    """Its expectation alone; the error is the temporal difference."""

    size = 1

    def mean(self, x: Tensor) -> Tensor:
        """The number itself."""
        return x.squeeze(-1)

    def loss(
        self, x: Tensor, following: Tensor, *, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Huber."""
        target = bellman_target(reward=reward, discount=discount, value=following)
        return huber(x, target).squeeze(-1), (x.detach() - target).squeeze(-1)


class Categorical(Returns):
    """Logits of evenly spaced returns, "C51" (Bellemare et al. 2017); the error is the loss."""

    atoms: Tensor  # [K]

    def __init__(self, *, v_min: float, v_max: float, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("atoms", torch.linspace(v_min, v_max, size), persistent=False)

    def mean(self, x: Tensor) -> Tensor:
        """sum_i p_i z_i."""
        return x.softmax(-1) @ self.atoms

    def loss(
        self, x: Tensor, following: Tensor, *, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        """KL(projected target || softmax(x))."""
        at = bellman_target(reward=reward, discount=discount, value=self.atoms)
        loss = categorical_divergence(x, project(following.softmax(-1), at, atoms=self.atoms))
        return loss, loss.detach()


class Quantiles(Returns):
    """Its quantiles (i + 1/2) / K, "QR-DQN" (Dabney et al. 2018); the error is that of the mean."""

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.size = size

    def mean(self, x: Tensor) -> Tensor:
        """The mean of the quantiles."""
        return x.mean(-1)

    def loss(
        self, x: Tensor, following: Tensor, *, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Quantile Huber."""
        target = bellman_target(reward=reward, discount=discount, value=following)
        return quantile_huber(x, target), (x.detach() - target).mean(-1)


class QNetwork(nn.Module):
    """Action values, or what `returns` knows of every action's return, from one backbone.

    With `dueling` they are V + A - mean_a A, from two streams that have a hidden layer each (Wang et al.
    2016); with `sigma` these, or the layer and the hidden one before it, are noisy (Fortunato et al. 2018).
    """

    def __init__(
        self,
        encoder: Encoder,
        n_actions: int,
        config: NeuralConfig,
        generator: torch.Generator,
        *,
        returns: Returns | None = None,
        dueling: bool = False,
        sigma: float = 0.0,
    ) -> None:
        super().__init__()
        self.returns = returns or Expected()
        self.shape = (n_actions, self.returns.size)
        self.backbone = build(encoder, config, generator=generator)
        width = self.backbone.n_features

        def layer(n_in: int, n_out: int, gain: float) -> nn.Module:
            if sigma:
                return NoisyLinear(n_in, n_out, sigma=sigma, generator=generator)
            return linear(n_in, n_out, gain=gain, generator=generator)

        def stream(n_out: int) -> nn.Module:
            hidden = layer(width, width_before(config.activation, width), HIDDEN_GAIN)
            return nn.Sequential(hidden, ACTIVATIONS[config.activation](), layer(width, n_out, 1.0))

        n_out = math.prod(self.shape)
        self.head = stream(n_out) if dueling or sigma else layer(width, n_out, 1.0)
        self.value_head = stream(self.returns.size) if dueling else None
        self._noisy = [module for module in self.modules() if isinstance(module, NoisyLinear)]

    def initial_state(self, batch: int) -> State:
        """The backbone's state at the start of episodes."""
        return self.backbone.initial_state(batch)

    def scores(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Q [..., A] of packed observations, and the next state."""
        x, state = self.outputs(obs, state, reset)
        return self.returns.mean(x), state

    def draw_noise(self, generator: torch.Generator, batch: tuple[int, ...] = ()) -> None:
        """New noise in all noisy layers: one sample, or one for each entry of `batch`."""
        for layer in self._noisy:
            layer.draw_noise(generator, batch)

    def silence(self) -> None:
        """No noise in any layer."""
        for layer in self._noisy:
            layer.set_noise(None)

    def outputs(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """What `returns` reads, [..., A, K] of packed observations, and the next state."""
        features, state = self.backbone(obs, state, reset)
        x = self.head(features).unflatten(-1, self.shape)
        if self.value_head is not None:
            x = self.value_head(features).unsqueeze(-2) + x - x.mean(-2, keepdim=True)
        return x, state
