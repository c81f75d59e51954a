"""With `RLKIT_FAST=0` torch computes everything, and what is computed otherwise agrees with it."""

import runpy
from typing import Any

import pytest
import torch
from torch import Tensor

from rlkit.agents import PPO
from rlkit.nn.fast import products, scan, switch, tanh

BACKBONES = ("mlp", "gru", "lstm", "attention")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Everything fast is used whatever the processor and the size; the names of what was."""
    monkeypatch.setattr(switch, "FAST", True)
    monkeypatch.setattr(switch, "AMD", True)
    monkeypatch.setattr(products, "ONEDNN", products.AVAILABLE)
    for module, name in [(switch, "MANY"), (products, "MANY"), (products, "MANY_OF_FEW")]:
        monkeypatch.setattr(module, name, 1)
    names: set[str] = set()
    for kind in (products.Affine, tanh.CompiledTanh, scan.Scan):

        def watched(*given: Any, apply: Any = kind.apply, name: str = kind.__name__) -> Any:
            names.add(name)
            return apply(*given)

        monkeypatch.setattr(kind, "apply", watched)
    return names


def learned(backbone: str, *, iterations: int) -> tuple[Tensor, Tensor]:
    """All parameters after so many iterations of training, and the gradient of the last update."""
    config: dict[str, Any] = {"num_envs": 4, "rollout_steps": 16, "hidden": (16,), "learning_rate": 1e-2}
    agent = PPO("CartPole-v1", seed=3, device="cpu", backbone=backbone, **config).train(64 * iterations)
    (descent,) = agent.learner.descents.values()
    return descent.vector.clone(), descent.gradient.clone()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_training_agrees_with_that_of_torch(
    backbone: str, asked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = learned(backbone, iterations=2)
    memory = {"Scan"} if backbone in ("gru", "lstm") else set()
    assert asked == {"Affine", "CompiledTanh"} | memory
    asked.clear()
    monkeypatch.setattr(switch, "FAST", False)
    plain = learned(backbone, iterations=2)
    assert not asked
    for found, expected in zip(fast, plain, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("asked")
def test_control_a_product_that_differs_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right = products.multiply
    monkeypatch.setattr(products, "multiply", lambda *given: 1.0001 * right(*given))
    fast = learned("mlp", iterations=2)
    monkeypatch.setattr(switch, "FAST", False)
    assert not torch.allclose(fast[0], learned("mlp", iterations=2)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("value", "fast"), [(None, True), ("1", True), ("0", False)])
def test_an_environment_variable_switches(
    value: str | None, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RLKIT_FAST", raising=False)
    if value is not None:
        monkeypatch.setenv("RLKIT_FAST", value)
    assert runpy.run_path(switch.__file__)["FAST"] is fast
