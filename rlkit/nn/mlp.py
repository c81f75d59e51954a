"""Multilayer perceptrons."""

from itertools import pairwise
from typing import Self

from torch import Generator, Tensor, nn

from .backbones import Backbone, State
from .config import NetworkConfig
from .init import HIDDEN_GAIN, linear
from .layers import ACTIVATIONS, NORMS, Dropout, Residual, width_before


class MLP(Backbone):
    """Fully connected layers of the widths `hidden`, each dropout(activation(norm(W x + b))).

    Without any it gives what it reads. With `skip`, a layer as wide as what it reads adds that to its result.
    Initial weights are drawn from `generator`.
    """

    def __init__(
        self,
        n_in: int,
        hidden: tuple[int, ...],
        *,
        activation: str,
        norm: str = "none",
        skip: bool = False,
        dropout: float = 0.0,
        init: str = "orthogonal",
        generator: Generator,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n, m in pairwise((n_in, *hidden)):
            width = width_before(activation, m)
            layer: list[nn.Module] = [linear(n, width, gain=HIDDEN_GAIN, init=init, generator=generator)]
            if norm != "none":
                layer.append(NORMS[norm](width))
            layer.append(ACTIVATIONS[activation]())
            if dropout:
                layer.append(Dropout(dropout))
            layers += [Residual(nn.Sequential(*layer))] if skip and n == m else layer
        self.layers = nn.Sequential(*layers)
        self.n_features = (n_in, *hidden)[-1]

    @classmethod
    def of(cls, n_in: int, config: NetworkConfig, *, generator: Generator) -> Self:
        """As a configuration asks for."""
        return cls(
            n_in,
            config.hidden,
            activation=config.activation,
            norm=config.norm,
            skip=config.skip,
            dropout=config.dropout,
            init=config.init,
            generator=generator,
        )

    def initial_state(self, batch: int) -> State:
        """The empty tuple: it has no memory."""
        return ()

    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[..., F] -> [..., n_features]; the state passes through."""
        return self.layers(x), state
