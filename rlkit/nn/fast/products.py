"""Products of matrices in linear layers, with gradients of our own: large ones may go to oneDNN.

It comes with torch, whose own products go to MKL, which leaves half of the vector unit of AMD's processors
unused. On Intel's, where it does not, oneDNN is a tenth slower. What both give differs by roundings.
"""

from typing import Any

import torch
from torch import Tensor, nn

from . import switch

MANY = 2**21  # multiplications, from which on oneDNN pays, which prepares itself for every new shape
FEW, MANY_OF_FEW = 16, 2**17  # numbers that a layer reads, and from where on the order in its gradient pays
AVAILABLE = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
ONEDNN = AVAILABLE and switch.AMD


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b of rows [..., n] with a weight [m, n] and bias [m]: [..., m]."""
    m, n = weight.shape
    if x.numel() * m < (MANY if n >= FEW else MANY_OF_FEW) or not switch.eager_on_cpu(x):
        return nn.functional.linear(x, weight, bias)
    y: Tensor = Affine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same on a CPU, of float32, without a gradient."""
    if not ONEDNN or x.numel() * weight.shape[0] < MANY:
        return nn.functional.linear(x, weight, bias)
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return y


def outer_sum(g: Tensor, x: Tensor) -> Tensor:
    """The sum of the outer products of rows [N, m] and [N, n]: [m, n]. The fewer columns are faster first."""
    return multiply(g.t(), x.t()) if g.shape[1] <= x.shape[1] else multiply(x.t(), g.t()).t()


class Affine(torch.autograd.Function):
    """W x + b and its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b."""
        ctx.save_for_backward(x, weight)
        return multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, W and b from that of W x + b."""
        (g,), (x, weight) = gradients, ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = g.flatten(0, -2)
        return (
            multiply(g, weight.t()) if of_x else None,
            outer_sum(rows, x.flatten(0, -2)) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


class Linear(nn.Linear):
    """torch's linear layer, with the products of `affine`."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., n] -> [..., m]."""
        return affine(x, self.weight, self.bias)
