"""Linear layers with gradients of our own, by oneDNN and by torch, against torch's in float64."""

import pytest
import torch
from torch import Tensor

from rlkit.nn import linear
from rlkit.nn.fast import products
from rlkit.nn.fast.products import MANY, MANY_OF_FEW, affine, outer_sum

SIZES = [((512, 64), 64), ((16, 128, 4), 64), ((8, 512, 64), 16), ((2, 1, 2000, 33), 17)]
BY = pytest.mark.parametrize(
    "onednn",
    [False, pytest.param(True, marks=pytest.mark.skipif(not products.AVAILABLE, reason="torch has none"))],
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def own(y: Tensor) -> bool:
    return y.grad_fn is not None and y.grad_fn.name() == "AffineBackward"


def check(rows: tuple[int, ...], m: int, *, bias: bool) -> None:
    given = [normal(*rows), normal(m, rows[-1], seed=1), *([normal(m, seed=2)] if bias else [])]
    weight = normal(*rows[:-1], m, seed=3)
    found = [t.clone().requires_grad_() for t in given]
    expected = [t.double().requires_grad_() for t in given]
    y = affine(*found)
    exact = torch.nn.functional.linear(*expected)
    assert own(y)
    y.backward(weight)
    exact.backward(weight.double())
    pairs = [(y, exact), *((a.grad, b.grad) for a, b in zip(found, expected, strict=True))]
    for got, right in pairs:
        assert got is not None
        torch.testing.assert_close(got.double(), right, rtol=1e-5, atol=2e-4)


@BY
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "m"), SIZES)
def test_a_layer_and_its_gradients_are_those_of_float64(
    rows: tuple[int, ...], m: int, bias: bool, onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "ONEDNN", onednn)
    monkeypatch.setattr(products, "MANY", 1)
    check(rows, m, bias=bias)


@BY
@pytest.mark.parametrize(("m", "n"), [(64, 8), (8, 64), (3, 2)])
def test_the_sum_of_outer_products(m: int, n: int, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ONEDNN", onednn)
    monkeypatch.setattr(products, "MANY", 1)
    g, x = normal(1500, m), normal(1500, n, seed=1)
    expected = torch.einsum("ri,rj->ij", g.double(), x.double())
    torch.testing.assert_close(outer_sum(g, x).double(), expected, rtol=1e-5, atol=2e-4)


def test_a_wrong_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "outer_sum", lambda g, x: 1.001 * outer_sum(g, x))
    with pytest.raises(AssertionError):
        check(*SIZES[0], bias=True)


def test_what_is_large_has_gradients_of_our_own() -> None:
    wide = linear(64, 64, gain=1.0, generator=torch.Generator())
    rows = MANY // 64**2
    assert own(wide(normal(rows, 64)))
    assert not own(wide(normal(rows - 1, 64)))
    few = linear(4, 64, gain=1.0, generator=torch.Generator())
    rows = MANY_OF_FEW // (4 * 64)
    assert own(few(normal(rows, 4)))
    assert not own(few(normal(rows - 1, 4)))
    assert not own(few.double()(normal(rows, 4).double()))


@pytest.mark.skipif(not products.AVAILABLE, reason="torch was built without oneDNN")
def test_onednn_multiplies_only_what_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "ONEDNN", True)
    calls: list[int] = []
    monkeypatch.setattr(
        torch.ops.mkldnn, "_linear_pointwise", lambda x, w, b, *rest: calls.append(len(x)) or x @ w.T + b
    )
    layer = linear(64, 64, gain=1.0, generator=torch.Generator())
    rows = MANY // 64**2
    with torch.inference_mode():
        layer(normal(rows - 1, 64))
        layer(normal(rows, 64))
    assert calls == [rows]
