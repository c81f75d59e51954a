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


def descend(
    loss: Tensor, optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], config: "NeuralConfig"
) -> Tensor:
    """One step of the optimiser on the loss and its penalties; the gradient's norm before clipping.

    Raises NonFiniteError before a gradient that is NaN or infinite reaches the parameters; on a GPU, where
    looking would make it wait, such parameters are found when they are to be saved.
    """
    if config.l1 or config.l2:
        loss = loss + penalty(parameters, l1=config.l1, l2=config.l2)
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
    if norm.device.type == "cpu" and not math.isfinite(norm.item()):
        raise NonFiniteError(f"the gradient's norm is {norm.item()}, the loss {loss.item()}")
    optimizer.step()
    return norm
