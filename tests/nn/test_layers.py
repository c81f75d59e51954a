"""Fully connected layers against formulae: activations, norms, skips, dropout and initial weights."""

from typing import Any

import pytest
import torch
from tensors import seeded
from torch import Tensor, nn

from rlkit.nn import ACTIVATIONS, MLP, linear
from rlkit.nn.init import INITS, initialise


def apply(mlp: MLP, x: Tensor) -> Tensor:
    features, state = mlp(x, (), None)
    assert state == ()
    return features


def mlp(n: int, *hidden: int, **options: Any) -> MLP:
    return MLP(n, hidden, **({"activation": "tanh", "generator": seeded()} | options))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_has_no_memory(activation: str) -> None:
    network = mlp(3, 5, 4, activation=activation)
    x, reset = torch.randn(7, 2, 3), torch.ones(7, 2, dtype=torch.bool)
    features, state = network(x, network.initial_state(2), reset)
    assert (features.shape, network.n_features, state) == ((7, 2, 4), 4, ())
    torch.testing.assert_close(features[3], apply(network, x[3]))


X = torch.tensor([-2.0, -0.5, 0.0, 1.5])
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("relu", X.clamp(min=0)),
        ("leaky_relu", torch.where(X > 0, X, 0.01 * X)),
        ("prelu", torch.where(X > 0, X, 0.25 * X)),
        ("gelu", X / 2 * (1 + torch.erf(X / 2**0.5))),
        ("selu", SCALE * torch.where(X > 0, X, ALPHA * (X.exp() - 1))),
        ("tanh", (X.exp() - (-X).exp()) / (X.exp() + (-X).exp())),
        ("sigmoid", 1 / (1 + (-X).exp())),
        ("maxout", torch.tensor([-0.5, 1.5])),
    ],
)
def test_activations(activation: str, expected: Tensor) -> None:
    torch.testing.assert_close(ACTIVATIONS[activation]()(X), expected)


def test_maxout_takes_the_larger_of_two_linear_maps() -> None:
    network, x = mlp(3, 5, activation="maxout"), torch.randn(7, 3)
    layer = network.layers[0]
    assert isinstance(layer, nn.Linear)
    maps = x @ layer.weight.T + layer.bias
    torch.testing.assert_close(apply(network, x), torch.maximum(maps[:, 0::2], maps[:, 1::2]))


def test_the_slope_of_prelu_is_learned() -> None:
    network = mlp(3, 5, activation="prelu")
    apply(network, torch.randn(9, 3)).sum().backward()
    (slope,) = (p for p in network.parameters() if p.numel() == 1)
    assert slope.grad is not None
    assert slope.grad != 0


def test_layer_norm_stands_before_the_activation() -> None:
    plain, normed = mlp(3, 5), mlp(3, 5, norm="layer")
    x = torch.randn(7, 2, 3)
    z = plain.layers[0](x)
    z = (z - z.mean(-1, keepdim=True)) / (z.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(apply(normed, x), z.tanh())


def test_batch_norm_takes_time_and_batch_as_one_batch() -> None:
    plain, normed = mlp(3, 5), mlp(3, 5, norm="batch")
    x = torch.randn(7, 2, 3)
    z = plain.layers[0](x)
    mean, variance = z.flatten(0, 1).mean(0), z.flatten(0, 1).var(0, correction=0)
    torch.testing.assert_close(apply(normed, x), ((z - mean) / (variance + 1e-5).sqrt()).tanh())
    one_by_one = torch.stack([apply(normed, step) for step in x])
    assert not torch.allclose(
        one_by_one, apply(normed, x)
    )  # in training, statistics are of the batch at hand
    alone = apply(normed, x[0, :1])
    normed.eval()
    torch.testing.assert_close(torch.stack([apply(normed, step) for step in x]), apply(normed, x))
    torch.testing.assert_close(alone, apply(normed, x[0, :1]))  # one row has no variance of its own


def test_skips_add_the_input_where_widths_match() -> None:
    plain, skipping = mlp(3, 4, 4, 5), mlp(3, 4, 4, 5, skip=True)
    x = torch.randn(7, 3)
    first, second, third = (layer for layer in plain.layers if isinstance(layer, nn.Linear))
    h = first(x).tanh()
    torch.testing.assert_close(apply(skipping, x), third(h + second(h).tanh()).tanh())
    assert not torch.allclose(apply(skipping, x), apply(plain, x))


def test_dropout_drops_and_rescales_in_training_only() -> None:
    plain, dropping = mlp(3, 2_000), mlp(3, 2_000, dropout=0.3)
    x = torch.randn(3)
    features = apply(dropping, x)
    kept = features != 0
    assert 0.65 < kept.float().mean() < 0.75
    torch.testing.assert_close(features[kept], apply(plain, x)[kept] / 0.7)


@pytest.mark.parametrize(
    ("options", "differ"),
    [
        ({}, False),
        ({"norm": "layer"}, False),
        ({"skip": True}, False),
        ({"norm": "batch"}, True),
        ({"dropout": 0.5}, True),
    ],
)
def test_training_differs_from_evaluation_only_by_dropout_and_batch_norm(
    options: dict[str, Any], differ: bool
) -> None:
    network, x = mlp(3, 8, 8, **options), torch.randn(7, 3)
    training = apply(network.train(), x)
    assert torch.equal(training, apply(network.eval(), x)) is not differ


def test_orthogonal_weights_have_the_gain() -> None:
    for n, m in ((6, 4), (4, 6)):
        w = linear(n, m, gain=3.0, generator=seeded()).weight
        gram = w @ w.T if m < n else w.T @ w
        torch.testing.assert_close(gram, 9 * torch.eye(4))
    hidden = mlp(6, 4).layers[0]
    assert isinstance(hidden, nn.Linear)
    torch.testing.assert_close(hidden.weight @ hidden.weight.T, 2 * torch.eye(4))


@pytest.mark.parametrize(("init", "variance"), [("xavier", 2 / (400 + 300)), ("kaiming", 2 / 400)])
def test_variance_of_normal_weights(init: str, variance: float) -> None:
    w = linear(400, 300, gain=1.0, init=init, generator=seeded()).weight
    assert w.var().item() == pytest.approx(variance, rel=0.02)
    assert w.mean().item() == pytest.approx(0, abs=4 * (variance / w.numel()) ** 0.5)


def test_variance_of_convolutions_counts_their_whole_window() -> None:
    w = torch.empty(64, 32, 3, 3)
    initialise(w, "kaiming", gain=1.0, generator=seeded())
    assert w.var().item() == pytest.approx(2 / (32 * 9), rel=0.05)
    initialise(w, "xavier", gain=1.0, generator=seeded())
    assert w.var().item() == pytest.approx(2 / ((32 + 64) * 9), rel=0.05)


@pytest.mark.parametrize(("init", "size"), [("kaiming", 1.0), ("xavier", 2.0**-10)])
def test_signals_keep_their_size_through_rectifiers_only_with_kaiming(init: str, size: float) -> None:
    network = mlp(512, *[512] * 10, activation="relu", init=init)
    mean_square = apply(network, torch.randn(64, 512)).square().mean()
    assert mean_square.item() == pytest.approx(size, rel=0.5)


def test_units_that_start_at_zero_stay_identical() -> None:
    """Their gradients are the same for ever; with other initial weights they part."""
    for init in INITS:
        network = mlp(3, 8, 8, activation="sigmoid", init=init)
        head = linear(8, 1, gain=1.0, generator=seeded(1))
        optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=1.0)
        x = torch.randn(16, 3, generator=seeded(2))
        for _ in range(20):
            optimizer.zero_grad()
            (head(apply(network, x)).squeeze(-1) - x[:, 0]).square().mean().backward()
            optimizer.step()
        first = network.layers[0].weight
        assert isinstance(first, Tensor)
        assert first.abs().max() > 1e-3
        assert torch.allclose(first, first[0].expand_as(first), atol=1e-7) is (init == "zero")


def test_initial_weights_come_from_the_generator_alone() -> None:
    before = torch.get_rng_state()
    for init in ("orthogonal", "xavier", "kaiming"):
        weights = [linear(6, 4, gain=2.0, init=init, generator=seeded(seed)).weight for seed in (0, 0, 1)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])
    assert not linear(6, 4, gain=2.0, generator=seeded()).bias.any()
    assert torch.equal(torch.get_rng_state(), before)
