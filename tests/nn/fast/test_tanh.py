"""The compiled hyperbolic tangent against torch's, and on which processors it is used."""

from pathlib import Path

import pytest
import torch

from rlkit.nn.fast import switch
from rlkit.nn.fast.switch import MANY, VERY_MANY
from rlkit.nn.fast.tanh import CompiledTanh, Tanh


@pytest.fixture
def amd(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor on which the compiled loops are the faster ones."""
    monkeypatch.setattr(switch, "AMD", True)


@pytest.mark.usefixtures("amd")
def test_tanh_of_many_numbers_is_tanh() -> None:
    """The compiled loop against float64, its gradient against torch's; transposed numbers too."""
    x = torch.linspace(-12, 12, MANY).reshape(256, -1).T.requires_grad_()
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    y = Tanh()(x)
    (y * weight).sum().backward()
    assert y.grad_fn is not None
    assert "CompiledTanh" in y.grad_fn.name()
    torch.testing.assert_close(y.double(), x.double().tanh(), atol=4e-7, rtol=0)
    small = torch.linspace(-1e-3, 1e-3, MANY)
    torch.testing.assert_close(Tanh()(small).double(), small.double().tanh(), atol=0, rtol=4e-7)
    torch.testing.assert_close(x.grad, weight * (1 - x.detach().tanh() ** 2), atol=2e-6, rtol=0)


def test_tanh_is_compiled_for_many_numbers_and_elsewhere_than_in_learning_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(CompiledTanh, "apply", lambda x: calls.append(x.numel()) or x.tanh())
    monkeypatch.setattr(switch, "AMD", False)
    Tanh()(torch.zeros(VERY_MANY))
    monkeypatch.setattr(switch, "AMD", True)
    with torch.no_grad():
        Tanh()(torch.zeros(VERY_MANY - 1))
    Tanh()(torch.zeros(MANY - 1))
    assert calls == []
    Tanh()(torch.zeros(MANY))
    with torch.no_grad():
        Tanh()(torch.zeros(VERY_MANY))
    assert calls == [MANY, VERY_MANY]


@pytest.mark.usefixtures("amd")
def test_tanh_of_many_numbers_keeps_what_is_not_finite() -> None:
    x = torch.zeros(MANY)
    x[:3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    y = Tanh()(x)
    assert y[0].isnan()
    assert y[1:4].tolist() == [1, -1, 0]


@pytest.mark.parametrize(("vendor", "amd"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_maker_of_the_processor_is_read(vendor: str, amd: bool, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\n")
    assert switch.of_amd(cpuinfo) is amd
    assert not switch.of_amd(tmp_path / "none")
