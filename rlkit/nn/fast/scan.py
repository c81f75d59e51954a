"""Recurrence over a whole sequence in compiled loops, for GRU and LSTM on a CPU.

torch goes from step to step through a dozen small operations and as many in the backward pass; here a step is
one product of matrices and one loop. With p the state before a step, 0 where an episode begins, a what the
input contributes to the gates, U and b the recurrent weights and biases, s the logistic function,

    gru (Cho et al. 2014)                           lstm (Gers et al. 2000)
    r, z = s(a + U p + b)                           i, f, o = s(a + U p + b), g = tanh(a + U p + b)
    c = tanh(a + r (U p + b))                       cell = f cell + i g
    h = c + z (p - c)                               h = o tanh(cell)

Arrays are float32: gates [T, N, G H], states [S, N, H] of S = 1 or 2 parts, `going` [T, N] false where an
episode begins.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlkit.machine_code import machine_code

from .loops import tanh_of
from .products import outer_sum

Array = NDArray[Any]
HALF, ONE = np.float32(0.5), np.float32(1)

compiled = machine_code(fastmath={"contract"}, error_model="numpy", nogil=True)


@compiled
def logistic(x: Any) -> Any:
    """1 / (1 + exp(-x)) of a float32."""
    return HALF + HALF * tanh_of(HALF * x)


@compiled
def begin(state: Array, going: Array) -> None:
    """Set states to 0 where an episode begins."""
    for n in range(len(going)):
        if not going[n]:
            state[:, n] = 0


@compiled
def gru(a: Array, state: Array, going: Array, u: Array, b: Array, out: Array, kept: Array) -> None:
    """Write h [T, N, H] and r, z, c, U p + b [T, N, 4 H]; `state` becomes the last one. `u` is [H, 3 H]."""
    steps, rows, width = out.shape
    h, up = state[0], np.empty((rows, 3 * width), np.float32)
    for t in range(steps):
        begin(state, going[t])
        np.dot(h, u, up)
        for n in range(rows):
            x, k = a[t, n], kept[t, n]
            for j in range(2 * width):
                k[j] = logistic(x[j] + up[n, j] + b[j])
            for j in range(width):
                k[3 * width + j] = up[n, 2 * width + j] + b[2 * width + j]
                k[2 * width + j] = tanh_of(x[2 * width + j] + k[j] * k[3 * width + j])
            for j in range(width):
                c, z = k[2 * width + j], k[width + j]
                h[n, j] = c + z * (h[n, j] - c)
                out[t, n, j] = h[n, j]


@compiled
def gru_back(
    d_out: Array,
    d: Array,
    out: Array,
    first: Array,
    going: Array,
    u: Array,
    kept: Array,
    da: Array,
    du: Array,
) -> None:
    """Gradients of a and of U p + b [T, N, 3 H] from those of h; `u` is [3 H, H].

    `d`, the gradient of the last state, becomes that of the first.
    """
    steps, rows, width = out.shape
    dh, back = d[0], np.empty((rows, width), np.float32)
    for t in range(steps - 1, -1, -1):
        before = out[t - 1] if t > 0 else first[0]
        for n in range(rows):
            k, x, y = kept[t, n], da[t, n], du[t, n]
            at = np.float32(going[t, n])
            for j in range(width):
                r, z, c = k[j], k[width + j], k[2 * width + j]
                g = dh[n, j] + d_out[t, n, j]
                dc = g * (ONE - z) * (ONE - c * c)
                x[j] = y[j] = dc * k[3 * width + j] * r * (ONE - r)
                x[width + j] = y[width + j] = g * (at * before[n, j] - c) * z * (ONE - z)
                x[2 * width + j] = dc
                y[2 * width + j] = dc * r
                dh[n, j] = g * z
        np.dot(du[t], u, back)
        dh += back
        begin(d, going[t])


@compiled
def lstm(a: Array, state: Array, going: Array, u: Array, b: Array, out: Array, kept: Array) -> None:
    """Write h [T, N, H] and i, f, g, o, cell, tanh(cell) [T, N, 6 H]; `state` becomes the last h and cell."""
    steps, rows, width = out.shape
    h, cell, up = state[0], state[1], np.empty((rows, 4 * width), np.float32)
    for t in range(steps):
        begin(state, going[t])
        np.dot(h, u, up)
        for n in range(rows):
            x, k = a[t, n], kept[t, n]
            for j in range(2 * width):
                k[j] = logistic(x[j] + up[n, j] + b[j])
            for j in range(2 * width, 3 * width):
                k[j] = tanh_of(x[j] + up[n, j] + b[j])
            for j in range(3 * width, 4 * width):
                k[j] = logistic(x[j] + up[n, j] + b[j])
            for j in range(width):
                cell[n, j] = k[width + j] * cell[n, j] + k[j] * k[2 * width + j]
                k[4 * width + j] = cell[n, j]
                k[5 * width + j] = tanh_of(cell[n, j])
                h[n, j] = k[3 * width + j] * k[5 * width + j]
                out[t, n, j] = h[n, j]


@compiled
def lstm_back(
    d_out: Array,
    d: Array,
    out: Array,
    first: Array,
    going: Array,
    u: Array,
    kept: Array,
    da: Array,
    du: Array,
) -> None:
    """As `gru_back`, [T, N, 4 H]; here a and U p + b have the same gradient."""
    steps, rows, width = out.shape
    dh, d_cell, back = d[0], d[1], np.empty((rows, width), np.float32)
    before = np.empty((rows, width), np.float32)
    for t in range(steps - 1, -1, -1):
        for n in range(rows):
            k, x = kept[t, n], da[t, n]
            if not going[t, n]:
                before[n] = 0
            elif t > 0:
                before[n] = kept[t - 1, n, 4 * width : 5 * width]
            else:
                before[n] = first[1, n]
            for j in range(width):
                i, f, g, o, y = k[j], k[width + j], k[2 * width + j], k[3 * width + j], k[5 * width + j]
                gh = dh[n, j] + d_out[t, n, j]
                dc = d_cell[n, j] + gh * o * (ONE - y * y)
                x[j] = dc * g * i * (ONE - i)
                x[width + j] = dc * before[n, j] * f * (ONE - f)
                x[2 * width + j] = dc * i * (ONE - g * g)
                x[3 * width + j] = gh * y * o * (ONE - o)
                d_cell[n, j] = dc * f
        du[t] = da[t]
        np.dot(da[t], u, back)
        dh[:] = back
        begin(d, going[t])


KERNELS = {"gru": (gru, gru_back, 4), "lstm": (lstm, lstm_back, 6)}  # and how many numbers a unit keeps


class Scan(torch.autograd.Function):
    """(h [T, N, H], last state [S, N, H]) of a sequence."""

    @staticmethod
    def forward(
        ctx: Any, kind: str, a: Tensor, state: Tensor, going: Tensor, u: Tensor, b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """From what the input contributes to the gates [T, N, G H], the state before, and [G H, H], [G H]."""
        run, _, n_kept = KERNELS[kind]
        last = state.detach().clone()
        out = a.new_empty((*a.shape[:2], state.shape[-1]))
        kept = a.new_empty((*a.shape[:2], n_kept * state.shape[-1]))
        given = (a.detach().contiguous(), last, going, u.detach().t().contiguous(), b.detach(), out, kept)
        run(*(x.numpy() for x in given))
        ctx.kind = kind
        ctx.save_for_backward(out, state, going, u, kept)
        return out, last

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of a, the state, U and b."""
        d_out, d_last = gradients
        out, state, going, u, kept = ctx.saved_tensors
        da, du = (out.new_empty((*out.shape[:2], len(u))) for _ in range(2))
        d = d_last.clone()
        given = (d_out.contiguous(), d, out, state.detach(), going, u.detach(), kept, da, du)
        KERNELS[ctx.kind][1](*(x.numpy() for x in given))
        before = torch.cat([state[:1], out[:-1]]) * going.unsqueeze(-1)
        flat = du.flatten(0, 1)
        return None, da, d, None, outer_sum(flat, before.flatten(0, 1)), flat.sum(0)
