"""Backbones with memory: a sequence is its steps one by one, and no episode knows of another."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from tensors import seeded
from torch import Tensor

from rlkit import registry
from rlkit.nn import Attention, Backbone, Memory, NetworkConfig, State, attention, recurrent

KINDS = [name for name in registry.names("backbone") if issubclass(registry.find("backbone", name), Memory)]
T, B, WIDTH, CONTEXT = 23, 5, 6, 4


def make(kind: str, *, blocks: int = 2) -> Backbone:
    config = NetworkConfig(hidden=(WIDTH,), context=CONTEXT, heads=2, blocks=blocks)
    network: Backbone = registry.find("backbone", kind).over(WIDTH, config, generator=seeded())
    if kind == "attention":
        generator = seeded(1)
        with torch.no_grad():
            for parameter in network.parameters():  # some are 0 at first
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return network


def inputs(steps: int = T, *, chance: float = 0.2, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Features [T, B, WIDTH] and random resets [T, B]; the first column has none, the last is all resets."""
    x = torch.randn(steps, B, WIDTH, generator=seeded(seed))
    reset = torch.rand(steps, B, generator=seeded(seed)) < chance
    reset[:, 0], reset[:, -1] = False, True
    return x, reset


def half_way(network: Backbone) -> State:
    """A state in the middle of episodes."""
    x, reset = inputs(7, chance=0.4, seed=4)
    return network(x, network.initial_state(B), reset)[1]


def step_by_step(network: Backbone, x: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
    features = []
    for t in range(len(x)):
        y, state = network(x[t], state, reset[t])
        features.append(y)
    return torch.stack(features), state


def same(a: tuple[Tensor, State], b: tuple[Tensor, State]) -> bool:
    pairs = zip((a[0], *a[1]), (b[0], *b[1]), strict=True)
    return all(torch.allclose(p, q, atol=1e-5) for p, q in pairs)


@pytest.mark.parametrize("chance", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_is_its_steps(kind: str, chance: float) -> None:
    network, (x, reset) = make(kind), inputs(chance=chance)
    state = half_way(network)
    by_steps = step_by_step(network, x, state, reset)
    assert same(network(x, state, reset), by_steps)
    first, middle = network(x[:9], state, reset[:9])
    second, end = network(x[9:], middle, reset[9:])
    assert same((torch.cat([first, second]), end), by_steps)


@pytest.mark.parametrize("kind", KINDS)
def test_without_resets_none_may_be_given(kind: str) -> None:
    network, (x, reset) = make(kind), inputs()
    state = half_way(network)
    assert same(network(x, state, None), step_by_step(network, x, state, torch.zeros_like(reset)))
    assert same(network(x[0], state, None), network(x[0], state, torch.zeros_like(reset[0])))


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_is_as_if_it_were_the_only_one(kind: str) -> None:
    network, (x, reset) = make(kind), inputs()
    features, _ = network(x, half_way(network), reset)
    for b in range(B):
        starts = [*reset[:, b].nonzero().flatten().tolist(), T]
        for start, end in pairwise(starts):
            alone, _ = network(x[start:end, b : b + 1], network.initial_state(1), None)
            torch.testing.assert_close(features[start:end, b : b + 1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_control_resets_that_are_ignored_are_seen(kind: str) -> None:
    network, (x, reset) = make(kind), inputs()
    state = half_way(network)
    by_steps = step_by_step(network, x, state, reset)
    assert not same(network(x, state, None), by_steps)
    only_first = reset.clone()
    only_first[1:] = False
    assert not same(network(x, state, only_first), by_steps)
    but_first = reset.clone()
    but_first[0] = False
    assert not same(network(x, state, but_first), by_steps)


@pytest.mark.parametrize("kind", KINDS)
def test_control_a_leak_across_episodes_is_seen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, (x, reset) = make(kind), inputs()
    state = half_way(network)
    by_steps = step_by_step(network, x, state, reset)
    cut, begin = recurrent.cut, attention.episode_begin

    def leaking_cut(reset: Tensor) -> recurrent.Pieces:
        pieces = cut(reset)
        return pieces._replace(carried=torch.ones_like(pieces.carried))

    def leaking_begin(reset: Tensor | None, n: Tensor, *, steps: int) -> Tensor:
        return begin(reset, n, steps=steps) - 1

    monkeypatch.setattr(recurrent, "cut", leaking_cut)
    monkeypatch.setattr(attention, "episode_begin", leaking_begin)
    assert not same(network(x, state, reset), by_steps)


@pytest.mark.parametrize("kind", KINDS)
def test_the_given_state_is_not_changed(kind: str) -> None:
    network, (x, reset) = make(kind), inputs()
    state = half_way(network)
    before = [part.clone() for part in state]
    network(x, state, reset)
    network(x[0], state, reset[0])
    assert all(torch.equal(a, b) for a, b in zip(state, before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_has_the_batch_first_and_lives_with_the_parameters(kind: str) -> None:
    network = make(kind)
    assert {len(part) for part in network.initial_state(3)} == {3}
    assert {part.device.type for part in network.initial_state(3)} == {"cpu"}
    assert {part.device.type for part in network.to("meta").initial_state(3)} == {"meta"}


def test_the_pieces_of_a_batch() -> None:
    """Columns 0 1|2 and |0|1 2, where | is a reset; the first step's is not looked at."""
    reset = torch.tensor([[False, True], [False, True], [True, False]])
    pieces = recurrent.cut(reset)
    # Longest first: (0, 1) of column 0, (1, 2) of column 1, then single steps.
    assert pieces.batch_sizes.tolist() == [4, 2]
    assert pieces.column.tolist() == [0, 1, 0, 1]
    assert pieces.carried.tolist() == [True, False, False, True]
    assert pieces.last.tolist() == [2, 1]
    assert pieces.order.tolist() == [0, 3, 4, 1, 2, 5]  # row t b of the batch is 2 t + b
    assert pieces.place[pieces.order].tolist() == list(range(6))


def sigmoid(z: Tensor) -> Tensor:
    return 1 / (1 + (-z).exp())


def test_the_recurrences() -> None:
    """Against the equations of the papers, with biases that are not 0."""
    x, h, c = (torch.randn(B, WIDTH, generator=seeded(i)) for i in range(3))
    for kind in ("rnn", "gru", "lstm"):
        network = make(kind)
        weights = list(network.parameters())
        for bias in weights[2:]:
            torch.nn.init.normal_(bias, generator=seeded(5))
        n_gates = len(weights[0]) // WIDTH
        w, u, b_w, b_u = (p.detach().chunk(n_gates) for p in weights)
        z = [x @ w[i].T + b_w[i] for i in range(n_gates)]
        y = [h @ u[i].T + b_u[i] for i in range(n_gates)]
        match kind:
            case "rnn":
                expected: State = (torch.tanh(z[0] + y[0]),)
            case "gru":  # gates: reset, update, new
                r, update = sigmoid(z[0] + y[0]), sigmoid(z[1] + y[1])
                expected = ((1 - update) * torch.tanh(z[2] + r * y[2]) + update * h,)
            case _:  # gates: input, forget, cell, output
                i, f, o = (sigmoid(z[j] + y[j]) for j in (0, 1, 3))
                cell = f * c + i * torch.tanh(z[2] + y[2])
                expected = (o * torch.tanh(cell), cell)
        features, state = network(x, (h, c)[: len(expected)], None)
        torch.testing.assert_close(state, expected)
        torch.testing.assert_close(features, expected[0])


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_initial_recurrent_weights_are_orthogonal_gate_by_gate(kind: str) -> None:
    w, u, *biases = make(kind).parameters()
    for gate in (*w.split(WIDTH), *u.split(WIDTH)):
        torch.testing.assert_close(gate @ gate.T, torch.eye(WIDTH))
    total = sum(biases).split(WIDTH)
    for i, bias in enumerate(total):
        forget = kind == "lstm" and i == 1
        assert bias.tolist() == [float(forget)] * WIDTH


def test_attention_is_what_its_equations_say() -> None:
    """One block without memory, a query and a head at a time."""
    network = make("attention", blocks=1)
    x, reset = inputs()
    p: dict[str, Any] = {
        name.removeprefix("blocks.0."): value.detach() for name, value in network.named_parameters()
    }

    def norm(name: str, z: Tensor) -> Tensor:
        centred = z - z.mean()
        normed = centred / (centred.square().mean() + 1e-5).sqrt()
        return p[f"{name}.weight"] * normed + p[f"{name}.bias"]

    def affine(name: str, z: Tensor) -> Tensor:
        return p[f"{name}.weight"] @ z + p[f"{name}.bias"]

    def gate(name: str, x: Tensor, y: Tensor) -> Tensor:
        w_r, w_z, w_h = p[f"{name}.w.weight"].chunk(3)
        u_r, u_z = p[f"{name}.u.weight"].chunk(2)
        r = sigmoid(w_r @ y + u_r @ x)
        z = sigmoid(w_z @ y + u_z @ x - p[f"{name}.bias"])
        return (1 - z) * x + z * torch.tanh(w_h @ y + p[f"{name}.u_h.weight"] @ (r * x))

    half = WIDTH // 2
    expected = torch.empty_like(x)
    for b in range(B):
        for t in range(T):
            seen = range(max([0, t - CONTEXT, *(s for s in range(t + 1) if reset[s, b])]), t + 1)
            query = affine("query", norm("norm_1", x[t, b]))
            keys_values = [affine("key_value", norm("norm_1", x[s, b])).chunk(2) for s in seen]
            heads = []
            for head in range(2):
                rows = slice(head * half, (head + 1) * half)
                q, back = query[rows], [t - s for s in seen]
                scores = [
                    q @ k[rows] / half**0.5 + p["distance_bias"][head, d]
                    for (k, _), d in zip(keys_values, back, strict=True)
                ]
                values = [
                    v[rows] + p["distance_value"][head, d]
                    for (_, v), d in zip(keys_values, back, strict=True)
                ]
                weights = torch.stack(scores).softmax(0)
                heads.append(sum(a * value for a, value in zip(weights, values, strict=True)))
            y = gate("gate_1", x[t, b], affine("out", torch.cat(heads)).relu())
            z = affine("mlp.layers.0", norm("norm_2", y)).relu()
            expected[t, b] = gate("gate_2", y, affine("mlp.layers.2", z).relu())
    torch.testing.assert_close(network(x, network.initial_state(B), reset)[0], expected)


@pytest.mark.parametrize("blocks", [1, 2])
def test_attention_sees_its_context_and_no_further(blocks: int) -> None:
    """What is remembered of earlier calls are inputs of each block, so two blocks see twice as far."""
    network = make("attention", blocks=blocks)
    x, _ = inputs()
    features, _ = network(x, network.initial_state(B), None)
    for t in (0, 5):
        other = x.clone()
        other[t] *= -1
        changed = (network(other, network.initial_state(B), None)[0] - features).abs().amax((1, 2)) > 1e-6
        expected = [t <= s <= t + blocks * CONTEXT for s in range(T)]
        assert changed.tolist() == expected


def test_gates_keep_half_of_what_passes_them_where_nothing_is_learned() -> None:
    network = Attention(WIDTH, blocks=2, init="zero", generator=seeded())
    x, reset = inputs()
    features, _ = network(x, network.initial_state(B), reset)
    torch.testing.assert_close(features, 0.5**4 * x)


def test_gradients_end_at_remembered_inputs() -> None:
    """But not within a call, and not in a recurrent state: whoever wants them cut there cuts them."""
    past = torch.randn(3, B, WIDTH, requires_grad=True)
    x, _ = inputs()
    for kind, expected in (("attention", False), ("gru", True)):
        network = make(kind)
        _, state = network(past, network.initial_state(B), None)
        assert any(part.requires_grad for part in state) is expected
        together, _ = network(torch.cat([past, x]), network.initial_state(B), None)
        (gradient,) = torch.autograd.grad(together[3].sum(), past)
        assert gradient.abs().amax((1, 2)).min() > 0
