"""Going down a loss: optimisers, learning-rate schedules, penalties and clipping."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .errors import NonFiniteError

if TYPE_CHECKING:
    from .config import AgentConfig, NeuralConfig

OPTIMIZERS = ("adam", "sgd", "momentum", "rmsprop")
SCHEDULES = ("constant", "linear", "cosine")


def make_optimizer(config: "NeuralConfig", parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that the configuration names; momentum is SGD with 0.9 of the last step."""
    rate = config.learning_rate
    match config.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, eps=config.adam_eps, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, alpha=0.99, eps=1e-5)
        case name:
            return torch.optim.SGD(parameters, lr=rate, momentum=0.9 if name == "momentum" else 0.0)


def scheduled(config: "AgentConfig", progress: float) -> float:
    """The learning rate after the part `progress` of the training: constant, or falling to 0."""
    match config.schedule:
        case "linear":
            return config.learning_rate * (1 - progress)
        case "cosine":
            return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate


def penalty(parameters: Sequence[nn.Parameter], *, l1: float, l2: float) -> Tensor:
    """l1 sum |w| + l2 / 2 sum w^2 over all weights, biases and gains left out."""
    total = parameters[0].new_zeros(())
    for w in (w for w in parameters if w.ndim > 1):
        total = total + l1 * w.abs().sum() + 0.5 * l2 * w.square().sum()
    return total


class Descent:
    """An optimiser that takes parameters down losses; `vector` is all of them side by side.

    They and their gradients become parts of the vector and of its gradient, so that one call clips or steps
    all. They must stay parts: gradients are set to 0 and never dropped.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], config: "NeuralConfig") -> None:
        self.config, self.parameters = config, list(parameters)
        self.vector = nn.Parameter(torch.cat([p.detach().flatten() for p in self.parameters]))
        self.vector.grad = torch.zeros_like(self.vector)
        sizes = [p.numel() for p in self.parameters]
        parts = (x.split(sizes) for x in (self.vector.detach(), self.vector.grad))
        for p, value, gradient in zip(self.parameters, *parts, strict=True):
            p.data, p.grad = value.view_as(p), gradient.view_as(p)
        self.optimizer = make_optimizer(config, [self.vector])

    def set_rate(self, rate: float) -> None:
        """Learn at this rate from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, loss: Tensor) -> Tensor:
        """One step on the loss and its penalties; the gradient's norm before clipping.

        Raises NonFiniteError before a gradient that is NaN or infinite reaches the parameters; on a GPU,
        where looking would make it wait, such parameters are found when they are to be saved.
        """
        c, gradient = self.config, self.vector.grad
        assert gradient is not None
        if c.l1 or c.l2:
            loss = loss + penalty(self.parameters, l1=c.l1, l2=c.l2)
        gradient.zero_()
        torch.autograd.backward(loss)
        norm: Tensor = torch.linalg.vector_norm(gradient)
        if norm.device.type == "cpu" and not math.isfinite(norm.item()):
            raise NonFiniteError(f"the gradient's norm is {norm.item()}, the loss {loss.item()}")
        gradient.mul_((c.max_grad_norm / (norm + 1e-6)).clamp(max=1))
        self.optimizer.step()
        return norm
