"""The hyperbolic tangent as an activation."""

from typing import Any

import torch
from torch import Tensor, nn

from . import switch


class Tanh(nn.Module):
    """The hyperbolic tangent; on AMD's processors that of many numbers is computed by compiled loops."""

    def forward(self, x: Tensor) -> Tensor:
        """[...] -> [...]."""
        if not (switch.AMD and switch.for_loops(x)):
            return x.tanh()
        y: Tensor = CompiledTanh.apply(x)  # type: ignore[no-untyped-call]
        return y


class CompiledTanh(torch.autograd.Function):
    """The compiled loop, with torch's own derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """[...] -> [...]."""
        from .loops import tanh

        y = torch.empty_like(x, memory_format=torch.contiguous_format)
        tanh(x.detach().contiguous().view(-1).numpy(), y.view(-1).numpy())
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The gradient of x from that of y."""
        return torch.ops.aten.tanh_backward(gradients[0], *ctx.saved_tensors)  # type: ignore[no-any-return]
