"""Recurrent backbones: simple recurrent networks, GRU, LSTM.

A sequence is processed in one call, whatever episodes begin in it. On a CPU a long one is left to the
compiled loops of `rlkit.nn.fast.scan`; else the columns of a batch [T, B] are cut where `reset` is true, the
pieces packed side by side as sequences of different lengths, and the results put back in place. A GPU, which
would wait to be told where, takes one step after the other.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .backbones import State
from .config import NetworkConfig
from .fast import switch
from .fast.products import affine
from .init import blank, initialise
from .network import Memory

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS: dict[str, Callable[..., Any]] = {  # the same for one step
    "rnn": torch.rnn_tanh_cell,
    "gru": torch.gru_cell,
    "lstm": torch.lstm_cell,
}


COMPILED = ("gru", "lstm")


class Recurrent(Memory):
    """A layer of `width` units: rnn (Elman 1990), gru (Cho et al. 2014) or lstm (Gers et al. 2000).

    The state is the hidden vector [B, width], and for lstm the cell too. Recurrent weights are orthogonal for
    each gate, biases 0, and that of the lstm's forget gate 1 (Jozefowicz et al. 2015).
    """

    kind: ClassVar[str]

    def __init__(self, n_in: int, width: int, *, init: str = "orthogonal", generator: Generator) -> None:
        super().__init__()
        self.rnn = blank(LAYERS[self.kind], n_in, width)
        w_ih, w_hh, b_ih, b_hh = self.rnn.parameters()
        for from_input, from_hidden in zip(w_ih.split(width), w_hh.split(width), strict=True):  # gate by gate
            initialise(from_input, init, gain=1.0, generator=generator)
            initialise(from_hidden, "orthogonal", gain=1.0, generator=generator)
        for bias in (b_ih, b_hh):
            nn.init.zeros_(bias)
        self._cell, self._n_states = CELLS[self.kind], 2 if self.kind == "lstm" else 1
        if self.kind == "lstm":
            nn.init.ones_(b_ih.detach()[width : 2 * width])
        self.n_features = width

    @classmethod
    def over(cls, width: int, config: NetworkConfig, *, generator: Generator) -> Self:
        """A layer as wide as what it reads."""
        return cls(width, width, init=config.init, generator=generator)

    def initial_state(self, batch: int) -> State:
        """Zeros."""
        weight = next(self.parameters())
        return tuple(weight.new_zeros(batch, self.n_features) for _ in range(self._n_states))

    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[B, F] or [T, B, F] -> [..., width]."""
        steps = x.dim() == 3
        if steps and reset is not None and on_gpu(x):
            return self._one_by_one(x, state, reset)
        if reset is not None:
            at_first = reset[0] if steps else reset
            state = tuple(s.masked_fill(at_first[:, None], 0) for s in state)
        if not steps:
            state = _as_tuple(self._cell(x, _as_given(state), *self.rnn.all_weights[0]))
            return state[0], state
        if self.kind in COMPILED and switch.for_loops(x):
            return self._scan(x, state, reset)
        if reset is not None and len(reset) > 1 and reset[1:].any():
            return self._pieces(x, state, reset)
        return self._run(x, state)

    def _one_by_one(self, x: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        rows = []
        for x_t, reset_t in zip(x, reset, strict=True):
            row, state = self.forward(x_t, state, reset_t)
            rows.append(row)
        return torch.stack(rows), state

    def _scan(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """The compiled loops, which set the state back at resets themselves."""
        from .fast.scan import Scan

        w_ih, w_hh, b_ih, b_hh = self.rnn.parameters()
        going = x.new_ones(x.shape[:2], dtype=torch.bool) if reset is None else ~reset
        gates = affine(x, w_ih, b_ih)
        features, last = Scan.apply(self.kind, gates, torch.stack(state), going, w_hh, b_hh)  # type: ignore[no-untyped-call]
        return features, last.unbind(0)

    def _pieces(self, x: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        pieces = cut(reset)
        initial = tuple(s[pieces.column].masked_fill(~pieces.carried[:, None], 0) for s in state)
        packed = PackedSequence(x.flatten(0, 1)[pieces.order], pieces.batch_sizes)
        features, final = self._run(packed, initial)
        return features[pieces.place].unflatten(0, reset.shape), tuple(s[pieces.last] for s in final)

    def _run(self, x: Tensor | PackedSequence, state: State) -> tuple[Tensor, State]:
        """The library's layer: the states of a sequence, or of all packed rows, and the last ones."""
        output, final = self.rnn(x, _as_given(tuple(s[None].contiguous() for s in state)))
        features = output.data if isinstance(output, PackedSequence) else output
        return features, tuple(s[0] for s in _as_tuple(final))


class RNN(Recurrent):
    """A simple recurrent network."""

    kind = "rnn"


class GRU(Recurrent):
    """Gated recurrent units."""

    kind = "gru"


class LSTM(Recurrent):
    """Long short-term memory."""

    kind = "lstm"


def on_gpu(x: Tensor) -> bool:
    """Whether to look at a number would make a GPU wait."""
    return x.is_cuda


def _as_given(state: State) -> Tensor | State:
    """As torch takes a state: a tensor alone without a tuple."""
    return state if len(state) > 1 else state[0]


def _as_tuple(state: Tensor | State) -> State:
    return (state,) if isinstance(state, Tensor) else state


class Pieces(NamedTuple):
    """A batch [T, B] cut into P pieces at the resets, in the order of a PackedSequence: longest first."""

    order: Tensor  # [T B] packed row -> t B + b
    place: Tensor  # [T B] t B + b -> packed row
    batch_sizes: Tensor  # [length of the longest] on the CPU, how many pieces are longer than 0, 1, ...
    column: Tensor  # [P] the b of each piece
    carried: Tensor  # [P] bool, it goes on from the state given for its column
    last: Tensor  # [B] the piece that ends each column


def cut(reset: Tensor) -> Pieces:
    """The pieces between resets [T, B]; a reset at the first step is not looked at."""
    t, b = reset.shape
    starts = reset.T.cpu().clone()  # [B, T], so that a piece is a range of consecutive numbers
    starts[:, 0] = True
    first = starts.flatten().nonzero().squeeze(-1)  # [P]
    length = torch.diff(first, append=torch.tensor([t * b]))
    by_length = length.argsort(descending=True, stable=True)
    rank = torch.empty_like(by_length)
    rank[by_length] = torch.arange(len(first))
    piece = starts.flatten().cumsum(0) - 1  # [B T]
    offset = torch.arange(t * b) - first[piece]
    packed = (offset * len(first) + rank[piece]).argsort()  # packed row -> b T + t
    order = packed % t * b + packed // t
    place = torch.empty_like(order)
    place[order] = torch.arange(t * b)
    on_device = (
        index.to(reset.device)
        for index in (first[by_length] // t, first[by_length] % t == 0, rank[piece[t - 1 :: t]])
    )
    return Pieces(order.to(reset.device), place.to(reset.device), offset.bincount(), *on_device)
