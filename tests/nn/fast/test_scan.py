"""Compiled recurrence against torch's own layers, which the same backbone uses where little is to be done."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rlkit import registry
from rlkit.nn.fast import scan, switch
from rlkit.nn.recurrent import COMPILED

STEPS, ROWS, WIDTH = 40, 5, 12


def learned(kind: str, many: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Features, last states and the gradients of everything, by the compiled loops or by torch."""
    monkeypatch.setattr(switch, "MANY", many)
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    backbone = registry.find("backbone", kind)(WIDTH, WIDTH, generator=generator)
    for p in backbone.parameters():
        p.data += 0.3 * normal(*p.shape)
    x = normal(STEPS, ROWS, WIDTH).requires_grad_()
    state = tuple(normal(ROWS, WIDTH).requires_grad_() for _ in backbone.initial_state(1))
    reset = torch.rand(STEPS, ROWS, generator=generator) < 0.1
    reset[0] = torch.arange(ROWS) % 2 == 0
    features, last = backbone(x, state, reset)
    weighted = [(part * normal(*part.shape)).sum() for part in (features, *last)]
    torch.stack(weighted).sum().backward()
    found = {"features": features, "x": x.grad}
    found |= {name: p.grad for name, p in backbone.named_parameters()}
    found |= {f"last {i}": part for i, part in enumerate(last)}
    found |= {f"state {i}": part.grad for i, part in enumerate(state)}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("kind", COMPILED)
def test_compiled_recurrence_is_that_of_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = learned(kind, 1 << 40, monkeypatch)
    calls: list[str] = []
    apply = scan.Scan.apply
    monkeypatch.setattr(scan.Scan, "apply", lambda *given: calls.append(given[0]) or apply(*given))
    found = learned(kind, 0, monkeypatch)
    assert calls == [kind]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=1e-4, atol=2e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("kind", COMPILED)
def test_an_episode_that_is_not_begun_anew_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = learned(kind, 1 << 40, monkeypatch)
    apply = scan.Scan.apply

    def blind(kind: str, a: Tensor, state: Tensor, going: Tensor, *rest: Any) -> Any:
        return apply(kind, a, state, torch.ones_like(going), *rest)

    monkeypatch.setattr(scan.Scan, "apply", blind)
    found = learned(kind, 0, monkeypatch)
    assert not torch.allclose(found["features"], expected["features"], atol=1e-3)
    assert not torch.allclose(found["x"], expected["x"], atol=1e-3)
