"""Compiled networks, and those multiplied by oneDNN, learn what the others learn."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rlkit.agents import DQN, PPO, Agent
from rlkit.errors import ConfigError
from rlkit.nn.fast import products, switch
from rlkit.nn.fast.tanh import CompiledTanh

FEW: dict[type[Agent], dict[str, Any]] = {
    PPO: {"num_envs": 8, "rollout_steps": 16, "minibatches": 2},
    DQN: {"num_envs": 8, "learning_starts": 64, "hidden": (16,)},
}


def learned(agent: type[Agent], **settings: Any) -> Tensor:
    """All parameters after a few updates."""
    trained = agent("CartPole-v1", seed=3, device="cpu", **FEW[agent], **settings).train(512)
    return torch.cat([p.detach().flatten() for p in trained.network.parameters()])


def agree(agent: type[Agent], compiler: str, **settings: Any) -> bool:
    eager = learned(agent, **settings)
    return torch.allclose(learned(agent, compiler=compiler, **settings), eager, atol=1e-6)


def test_a_rewritten_network_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where loops compiled by numba, which no compiler of torch reads, would take over."""
    eager = learned(PPO)
    monkeypatch.setattr(switch, "AMD", True)
    monkeypatch.setattr(switch, "MANY", 1)
    monkeypatch.setattr(CompiledTanh, "apply", None)
    torch.testing.assert_close(learned(PPO, compiler="aot_eager"), eager, atol=1e-6, rtol=0)


@pytest.mark.skipif(not products.AVAILABLE, reason="torch was built without oneDNN")
@pytest.mark.parametrize("backbone", ["mlp", "gru", "attention"])
def test_a_network_multiplied_by_onednn_learns_the_same(
    backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    apply = products.Affine.apply
    monkeypatch.setattr(products.Affine, "apply", lambda *given: calls.append(1) or apply(*given))
    for threshold in ("MANY", "MANY_OF_FEW"):
        monkeypatch.setattr(products, threshold, 1 << 40)
    expected = learned(PPO, backbone=backbone)
    assert not calls
    monkeypatch.setattr(products, "ONEDNN", True)
    for threshold in ("MANY", "MANY_OF_FEW"):
        monkeypatch.setattr(products, threshold, 1)
    torch.testing.assert_close(learned(PPO, backbone=backbone), expected, atol=1e-5, rtol=0)
    assert calls


def test_control_a_network_that_computes_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def otherwise(network: nn.Module, *, backend: str) -> None:
        network.register_forward_hook(lambda module, inputs, found: (1.01 * found[0], found[1]))

    monkeypatch.setattr(nn.Module, "compile", otherwise)
    assert not agree(PPO, "aot_eager")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:The .grad attribute:UserWarning")
@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
@pytest.mark.parametrize("backbone", ["mlp", "gru", "attention"])
@pytest.mark.parametrize("agent", FEW)
def test_every_compiler_learns_the_same(agent: type[Agent], backbone: str, compiler: str) -> None:
    assert agree(agent, compiler, backbone=backbone)


def test_an_unknown_compiler_is_named() -> None:
    with pytest.raises(ConfigError, match="compiler must be one of none, inductor, aot_eager; got 'gcc'"):
        PPO("CartPole-v1", compiler="gcc")
