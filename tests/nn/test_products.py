"""Products by oneDNN against those in float64, which torch computes itself."""

import pytest
import torch
from torch import Tensor

from rlkit.nn import linear, products
from rlkit.nn.products import MANY, affine, outer_sum

ONEDNN = pytest.mark.skipif(not products.ONEDNN, reason="torch was built without oneDNN")
SIZES = [((256, 64), 64), ((16, 128, 4), 64), ((8, 256, 64), 6), ((2, 1, 600, 33), 17)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def by_onednn(y: Tensor) -> bool:
    return y.grad_fn is not None and y.grad_fn.name() == "ProductBackward"


@ONEDNN
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "m"), SIZES)
def test_a_layer_and_its_gradients_are_those_of_float64(rows: tuple[int, ...], m: int, bias: bool) -> None:
    given = [normal(*rows), normal(m, rows[-1], seed=1), *([normal(m, seed=2)] if bias else [])]
    weight = normal(*rows[:-1], m, seed=3)
    found = [t.clone().requires_grad_() for t in given]
    expected = [t.double().requires_grad_() for t in given]
    y, exact = affine(*found), affine(*expected)
    assert (by_onednn(y), by_onednn(exact)) == (True, False)
    y.backward(weight)
    exact.backward(weight.double())
    pairs = [(y, exact), *((a.grad, b.grad) for a, b in zip(found, expected, strict=True))]
    for got, right in pairs:
        assert got is not None
        torch.testing.assert_close(got.double(), right, rtol=1e-5, atol=2e-4)


@ONEDNN
@pytest.mark.parametrize(("m", "n"), [(64, 8), (8, 64), (3, 2)])
def test_the_sum_of_outer_products(m: int, n: int) -> None:
    g, x = normal(1500, m), normal(1500, n, seed=1)
    expected = torch.einsum("ri,rj->ij", g.double(), x.double())
    torch.testing.assert_close(outer_sum(g, x).double(), expected, rtol=1e-5, atol=2e-4)


@ONEDNN
def test_a_wrong_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "outer_sum", lambda g, x: 1.001 * outer_sum(g, x))
    with pytest.raises(AssertionError):
        test_a_layer_and_its_gradients_are_those_of_float64(*SIZES[0], bias=True)


@ONEDNN
def test_small_products_and_those_of_other_machines_stay_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = linear(64, 64, gain=1.0, generator=torch.Generator())
    rows = MANY // 64**2
    assert by_onednn(layer(normal(rows, 64)))
    assert not by_onednn(layer(normal(rows - 1, 64)))
    with torch.inference_mode():
        torch.testing.assert_close(layer(normal(rows, 64))[:-1], layer(normal(rows, 64)[:-1]))
    monkeypatch.setattr(products, "ONEDNN", False)
    assert not by_onednn(layer(normal(rows, 64)))
