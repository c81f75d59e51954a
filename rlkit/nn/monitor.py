"""Watching gradients flow: vanishing and exploding gradients (Def 6.11, 6.12), and units that have died.

For every layer with weights, of the last batch that was learned from,

    grad/<layer>    the norm of its gradient, before clipping
    weight/<layer>  the norm of its weights
    dead/<layer>    the share of its units whose activation is flat on the whole batch, so that they learn
                    nothing from it: a ReLU at 0, a tanh beyond +-0.99, a sigmoid within 0.01 of 0 or 1

Gradients vanish where those of the first layer of a network are below 1e-3 of those of its last.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from .fast.tanh import Tanh

VANISHING = 1e-3  # of the last layer's gradient norm
EXPLODING = 1e3
DEAD = 0.5  # of a layer's units
NEAR = 0.05  # of the range of the returns, within which one is as good as the best

FLAT: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ReLU: lambda y: y == 0,
    Tanh: lambda y: y.abs() > 0.99,
    nn.Sigmoid: lambda y: (y - 0.5).abs() > 0.49,
}


class GradientMonitor:
    """Hooks into the layers of a network that learns."""

    def __init__(self, network: nn.Module) -> None:
        self._layers: dict[str, list[nn.Parameter]] = {}
        self._gradients: dict[nn.Parameter, Tensor] = {}
        self._dead: dict[str, Tensor] = {}
        layer = ""
        for name, module in network.named_modules():
            own = [p for p in module.parameters(recurse=False) if p.requires_grad]
            if any(p.dim() > 1 for p in own):
                layer = name
                self._layers[layer] = own
                for p in own:
                    p.register_post_accumulate_grad_hook(self._see_gradient)
            elif type(module) in FLAT and layer:
                module.register_forward_hook(self._see_units(layer, FLAT[type(module)]))

    def _see_gradient(self, parameter: Tensor) -> None:
        if isinstance(parameter, nn.Parameter) and parameter.grad is not None:
            self._gradients[parameter] = parameter.grad.norm()

    def _see_units(self, layer: str, flat: Callable[[Tensor], Tensor]) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, y: Tensor) -> None:
            if torch.is_grad_enabled():  # not while acting
                units = flat(y.detach()).movedim(-3 if y.dim() > 3 else -1, 0).flatten(1)
                self._dead[layer] = units.all(1).float().mean()

        return hook

    def metrics(self) -> dict[str, float]:
        """The figures of every layer, in the order of the layers; nothing before anything was learned."""
        found: dict[str, float] = {}
        for layer, own in self._layers.items():
            gradients = [self._gradients[p] for p in own if p in self._gradients]
            if not gradients:
                continue
            found[f"grad/{layer}"] = torch.stack(gradients).norm().item()
            found[f"weight/{layer}"] = torch.stack([p.detach().norm() for p in own]).norm().item()
            if layer in self._dead:
                found[f"dead/{layer}"] = self._dead[layer].item()
        return found


class Trend:
    """Whether the mean return stands near the best of a run, and that is more than its worst."""

    def __init__(self) -> None:
        self._worst, self._best = math.inf, -math.inf

    def rises(self, mean_return: float | None) -> bool:
        """See the present mean return, if there is one; True within `NEAR` of the best so far."""
        if mean_return is None:
            return False
        self._worst, self._best = min(self._worst, mean_return), max(self._best, mean_return)
        return self._best - mean_return <= NEAR * (self._best - self._worst) and self._best > self._worst


def warnings(metrics: Mapping[str, float | int | None], *, rising: bool = False) -> list[str]:
    """What is wrong by the figures of a `GradientMonitor`: lines of "what in LAYER, how much; what helps".

    While returns are `rising` flat units are no alarm: a critic whose values are great, or all alike,
    saturates without harm.
    """
    found = []
    figures = {name: value for name, value in metrics.items() if value is not None}
    gradients = {name.removeprefix("grad/"): g for name, g in figures.items() if name.startswith("grad/")}
    for first, last in _ends(list(gradients)):
        ratio = gradients[first] / gradients[last] if gradients[last] else 1.0
        if ratio < VANISHING:
            found.append(
                f"vanishing gradient in {first}, {ratio:.0e} of that in {last}; "
                "try norm=layer, skip=true or activation=relu"
            )
    for layer, gradient in gradients.items():
        if gradient > EXPLODING:
            found.append(
                f"exploding gradient in {layer}, its norm is {gradient:.0e}; "
                "try a smaller learning_rate or max_grad_norm, or norm=layer"
            )
    for name, share in figures.items():
        if name.startswith("dead/") and share > DEAD and not rising:
            found.append(
                f"dead units in {name.removeprefix('dead/')}, {share:.0%} of them; "
                "try activation=leaky_relu, norm=layer or a smaller learning_rate"
            )
    return found


def _ends(layers: list[str]) -> list[tuple[str, str]]:
    """The first and the last layer of each part of a network, parts being named before the first dot."""
    parts: dict[str, list[str]] = {}
    for layer in layers:
        parts.setdefault(layer.partition(".")[0], []).append(layer)
    return [(part[0], part[-1]) for part in parts.values() if len(part) > 1]
