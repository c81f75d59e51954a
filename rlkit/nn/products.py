"""Products of matrices in linear layers: on a CPU large ones go to oneDNN, which comes with torch.

torch's own go to a library that leaves half of the vector unit of some processors unused. What both give
differs by roundings. Small products, for which a call costs more than is gained, stay torch's own.
"""

from typing import Any

import torch
from torch import Tensor, nn

MANY = 2**19  # multiplications, from which on a call of oneDNN pays
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def for_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN is to multiply the rows `x` [..., n] by `weight` [m, n]."""
    known = ONEDNN and x.device.type == "cpu" and x.dtype == torch.float32 == weight.dtype
    return known and x.numel() * weight.shape[0] >= MANY and not torch.compiler.is_compiling()


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b of rows [..., n] with a weight [m, n] and bias [m]: [..., m]."""
    if not for_onednn(x, weight):
        return nn.functional.linear(x, weight, bias)
    y: Tensor = Product.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return y


def outer_sum(g: Tensor, x: Tensor) -> Tensor:
    """The sum of the outer products of rows [N, m] and [N, n]: [m, n]. The fewer columns are faster first."""
    if g.shape[1] > x.shape[1]:
        return outer_sum(x, g).t()
    return affine(g.t(), x.t())


class Product(torch.autograd.Function):
    """A linear layer by oneDNN."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """W x + b."""
        ctx.save_for_backward(x, weight)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, W and b from that of W x + b."""
        (g,), (x, weight) = gradients, ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = g.flatten(0, -2)
        return (
            affine(g, weight.t()) if of_x else None,
            outer_sum(rows, x.flatten(0, -2)) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


class Linear(nn.Linear):
    """torch's linear layer, with the products of `affine`."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., n] -> [..., m]."""
        return affine(x, self.weight, self.bias)
