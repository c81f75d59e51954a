"""Attention over the recent past: a gated transformer with memory (Parisotto et al. 2020, "GTrXL").

A block reads inputs x_t and gives, with LN a layer norm and the gates g below,

    y_t = g_1(x_t, relu(A_t)),  A_t = attention of LN(x_t) over LN(x_s), t - context <= s <= t, same episode
    x'_t = g_2(y_t, MLP(LN(y_t)))

Inputs of earlier calls are remembered, without a gradient (Dai et al. 2019). For each head and distance t - s
there are a learned bias of the score and a learned vector that is added to what is read there (Shaw et al.
2018): without the vector a step could not be told when it was.
"""

import math
from typing import Self

import torch
from torch import Generator, Tensor, nn

from rlkit.errors import ConfigError

from .backbones import State
from .config import NetworkConfig
from .fast.products import Linear, affine
from .fast.tanh import Tanh
from .init import blank, initialise
from .mlp import MLP
from .network import Memory


class Attention(Memory):
    """`blocks` transformer blocks of `width`, in which a step sees the `context` steps before it and itself.

    The state is the last `context` inputs of each block [B, context, width], then how many of these belong to
    the present episode [B]. The width must be a multiple of `heads`.
    """

    def __init__(
        self,
        width: int,
        *,
        context: int = 32,
        heads: int = 2,
        blocks: int = 1,
        init: str = "orthogonal",
        generator: Generator,
    ) -> None:
        super().__init__()
        self.context = context
        self.blocks = nn.ModuleList(
            Block(width, context=context, heads=heads, init=init, generator=generator) for _ in range(blocks)
        )
        self.n_features = width

    @classmethod
    def check(cls, config: NetworkConfig) -> None:
        """Raise ConfigError for a width that the heads do not divide, and for none."""
        if not config.hidden:
            raise ConfigError("attention is as wide as the last layer of hidden, which has none")
        if config.hidden[-1] % config.heads:
            raise ConfigError(
                f"heads must divide the last width of hidden ({config.hidden[-1]}), got {config.heads}"
            )

    @classmethod
    def over(cls, width: int, config: NetworkConfig, *, generator: Generator) -> Self:
        """Blocks as wide as what they read."""
        return cls(
            width,
            context=config.context,
            heads=config.heads,
            blocks=config.blocks,
            init=config.init,
            generator=generator,
        )

    @classmethod
    def depth(cls, config: NetworkConfig) -> int:
        """One layer a block at least."""
        return config.blocks

    def initial_state(self, batch: int) -> State:
        """A memory of which nothing counts."""
        zeros = next(self.parameters()).new_zeros(batch, self.context, self.n_features)
        n = torch.zeros(batch, dtype=torch.int64, device=zeros.device)
        return (*(zeros.clone() for _ in self.blocks), n)

    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[B, width] or [T, B, width] -> [..., width]."""
        if x.dim() == 2:
            features, state = self.forward(x[None], state, None if reset is None else reset[None])
            return features[0], state
        *memories, n = state
        begin = episode_begin(reset, n, steps=len(x))
        piece = min(len(x), self.context)
        mask, distance = window(pieces_of_begin(begin, piece), context=self.context)
        x = x.transpose(0, 1)  # [B, T, width]
        new_memories = []
        for block, memory in zip(self.blocks, memories, strict=True):
            past_and_x = torch.cat([memory, x], 1)
            new_memories.append(past_and_x[:, -self.context :].detach())
            y = block(pieces(past_and_x, context=self.context), mask, distance)
            x = y.unflatten(0, (len(x), -1)).flatten(1, 2)[:, : x.shape[1]]
        n = (x.shape[1] - begin[-1]).clamp(max=self.context)
        return x.transpose(0, 1), (*new_memories, n)


def episode_begin(reset: Tensor | None, n: Tensor, *, steps: int) -> Tensor:
    """The step at which the episode of each step began [T, B]: a reset, or -n, with `n` [B] remembered."""
    before = -n.expand(steps, -1)
    if reset is None:
        return before
    now = torch.arange(steps, device=n.device)[:, None]
    return torch.where(reset, now, before).cummax(0).values


def pieces(past_and_x: Tensor, *, context: int) -> Tensor:
    """Sequences [B, context + T, width] cut up: [B * pieces, context + length, width].

    A piece is `context` steps after as many before them; past the end of the last stand zeros. So no step
    is held against more than 2 context - 1 others, however long the sequence. A shorter one is one piece.
    """
    if past_and_x.shape[1] <= 2 * context:
        return past_and_x
    padded = nn.functional.pad(past_and_x, (0, 0, 0, -past_and_x.shape[1] % context))
    parts = padded.unflatten(1, (-1, context))
    return torch.cat([parts[:, :-1], parts[:, 1:]], 2).flatten(0, 1)


def pieces_of_begin(begin: Tensor, length: int) -> Tensor:
    """From [T, B] to [B * pieces, length], counted from the first step of each piece."""
    padded: Tensor = nn.functional.pad(begin.T, (0, -len(begin) % length)).unflatten(1, (-1, length))
    first = length * torch.arange(padded.shape[1], device=begin.device)
    return (padded - first[:, None]).flatten(0, 1)


def window(begin: Tensor, *, context: int) -> tuple[Tensor, Tensor]:
    """What each of T steps sees of the `context` before them and of themselves, and how far back these lie.

    From `begin` [B, T] to [B, 1, T, context + T], 0 or minus infinity, and int64 [T, context + T].
    """
    t = torch.arange(begin.shape[1], device=begin.device)[:, None]
    s = torch.arange(-context, begin.shape[1], device=begin.device)
    distance = t - s
    near = (distance >= 0) & (distance <= context)
    seen = near & (s >= begin[:, :, None])
    mask = torch.zeros(seen.shape, device=begin.device).masked_fill_(~seen, -torch.inf)
    return mask[:, None], distance.clamp(0, context)


def by_distance(weight: Tensor) -> Tensor:
    """Attention [..., T, context + T] from place to place, as [..., T, context + 1] by the distance back."""
    steps, places = weight.shape[-2:]
    context = places - steps
    t = torch.arange(steps, device=weight.device)[:, None]
    place = context + t - torch.arange(context + 1, device=weight.device)
    return weight.gather(-1, place.expand(*weight.shape[:-1], -1))


class Block(nn.Module):
    """One transformer block."""

    def __init__(self, width: int, *, context: int, heads: int, init: str, generator: Generator) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = _maps(1, width, init=init, generator=generator)
        self.key_value = _maps(2, width, init=init, generator=generator)
        self.out = _maps(1, width, init=init, generator=generator)
        self.distance_bias = nn.Parameter(torch.zeros(heads, context + 1))
        self.distance_value = nn.Parameter(torch.empty(heads, context + 1, width // heads))
        nn.init.normal_(self.distance_value, std=0.5, generator=generator)
        self.mlp = MLP(width, (2 * width, width), activation="relu", init=init, generator=generator)
        self.gate_1 = Gate(width, init=init, generator=generator)
        self.gate_2 = Gate(width, init=init, generator=generator)

    def forward(self, past_and_x: Tensor, mask: Tensor, distance: Tensor) -> Tensor:
        """The inputs of memory and of T new steps [B, context + T, width] -> [B, T, width]."""
        x = past_and_x[:, -len(distance) :]
        normed = self.norm_1(past_and_x)
        q = self._by_head(self.query(normed[:, -len(distance) :]))
        attend = self._attend_one if len(distance) == 1 else self._attend
        attended = attend(q / math.sqrt(q.shape[-1]), normed, self.distance_bias[:, distance] + mask)
        y = self.gate_1(x, self.out(attended.transpose(1, 2).flatten(2)).relu())
        out: Tensor = self.gate_2(y, self.mlp(self.norm_2(y), (), None)[0])
        return out

    def _by_head(self, z: Tensor) -> Tensor:
        """[B, steps, width] -> [B, heads, steps, width of a head]."""
        by_head: Tensor = z.unflatten(-1, (self.heads, -1))
        return by_head.transpose(1, 2)

    def _attend(self, q: Tensor, normed: Tensor, bias: Tensor) -> Tensor:
        """What the queries of T steps read [B, heads, T, width of a head]."""
        k, v = (self._by_head(z) for z in self.key_value(normed).chunk(2, -1))
        weight = (q @ k.transpose(-1, -2) + bias).softmax(-1)
        return weight @ v + by_distance(weight) @ self.distance_value

    def _attend_one(self, q: Tensor, normed: Tensor, bias: Tensor) -> Tensor:
        """The same for one step, which takes no keys and values of the steps before.

        q . (W_k n) = (W_k' q) . n, the sum of w W_v n is W_v (sum of w n), and b_k changes no weight.
        """
        of_keys, of_values = (w.unflatten(0, (self.heads, -1)) for w in self.key_value.weight.chunk(2))
        v_bias = self.key_value.bias.chunk(2)[1].unflatten(0, (self.heads, 1, -1))
        asked = torch.einsum("bhtd,hdi->bhti", q, of_keys)
        score = torch.einsum("bhti,bsi->bhts", asked, normed)
        weight = (score + bias).softmax(-1)
        read = torch.einsum("bhts,bsi->bhti", weight, normed)
        v: Tensor = torch.einsum("bhti,hdi->bhtd", read, of_values) + v_bias
        return v + by_distance(weight) @ self.distance_value


class Gate(nn.Module):
    """A GRU in place of the residual sum: g(x, y) = (1 - z) x + z h.

    r = sigmoid(W_r y + U_r x), z = sigmoid(W_z y + U_z x - b), h = tanh(W_h y + U_h (r x)). Twelve blocks
    need b = 2 at first to be steady; a few learn faster with b = 0, as here.
    """

    def __init__(self, width: int, *, init: str, generator: Generator) -> None:
        super().__init__()
        self.w = _maps(3, width, bias=False, init=init, generator=generator)
        self.u = _maps(2, width, bias=False, init=init, generator=generator)
        self.u_h = _maps(1, width, bias=False, init=init, generator=generator)
        self.bias = nn.Parameter(torch.zeros(width))
        self.tanh = Tanh()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """[..., width] of both -> [..., width]."""
        w_r, w_z, w_h = (affine(y, w) for w in self.w.weight.chunk(3))
        of_r, of_z = self.u.weight.chunk(2)
        r, z = torch.sigmoid(w_r + affine(x, of_r)), torch.sigmoid(w_z + affine(x, of_z, -self.bias))
        h = self.tanh(w_h + self.u_h(r * x))
        return torch.lerp(x, h, z)


def _maps(n: int, width: int, *, bias: bool = True, init: str, generator: Generator) -> nn.Linear:
    """`n` linear maps of [..., width], initialised one by one, whose results lie side by side."""
    layer = blank(Linear, width, n * width, bias=bias)
    for weight in layer.weight.split(width):
        initialise(weight, init, gain=1.0, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
