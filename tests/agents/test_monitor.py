"""Gradients that vanish or explode, and dead units: found where they are, mended by what is advised."""

from typing import Any

import pytest
import torch
from torch import nn

from rlkit.agents import A2C, AGENTS, NEURAL, PPO, SAC
from rlkit.nn.fast.tanh import Tanh
from rlkit.nn.monitor import GradientMonitor, Trend, warnings
from rlkit.run.train import train

NETWORKS = list(NEURAL)


def test_norms_are_those_of_autograd_whatever_is_clipped_later() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), Tanh(), nn.Linear(4, 2))
    monitor = GradientMonitor(network)
    x = torch.randn(5, 3)
    expected = torch.autograd.grad(network(x).square().sum(), list(network.parameters()))
    network(x).square().sum().backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1e-3)
    found = monitor.metrics()
    for layer, (weight, bias) in (("0", expected[:2]), ("2", expected[2:])):
        norm = (weight.square().sum() + bias.square().sum()).sqrt().item()
        assert found[f"grad/{layer}"] == pytest.approx(norm)
    own = [p.square().sum() for p in network[0].parameters()]
    assert found["weight/0"] == pytest.approx(sum(own).sqrt().item())


@pytest.mark.parametrize(
    ("activation", "outputs", "share"),
    [
        (nn.ReLU(), [[-1, 1], [-1, -1]], 0.5),  # the second is alive on one of two inputs
        (nn.ReLU(), [[-1, -1], [-1, -1]], 1.0),
        (Tanh(), [[9, 1], [-9, 9]], 0.5),
        (nn.Sigmoid(), [[9, -9], [9, -9]], 1.0),
        (nn.Sigmoid(), [[0, 1], [0, -9]], 0.0),
        (Tanh(), [[0, 0.1], [0, 0.1]], 0.0),  # 0 is where tanh is steepest
    ],
)
def test_dead_units_are_flat_on_the_whole_batch(
    activation: nn.Module, outputs: list[list[float]], share: float
) -> None:
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.tensor(outputs, dtype=torch.float32).T
    network = nn.Sequential(layer, activation)
    monitor = GradientMonitor(network)
    network(torch.eye(2)).sum().backward()
    assert monitor.metrics()["dead/0"] == share


def test_only_what_is_learned_from_counts() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    network[0].weight.data.fill_(1.0)
    monitor = GradientMonitor(network)
    network(torch.ones(1, 1)).sum().backward()
    with torch.no_grad():
        network(-torch.ones(1, 1))
    assert monitor.metrics()["dead/0"] == 0.0


def test_a_channel_is_a_unit() -> None:
    conv = nn.Conv2d(1, 2, 1)
    conv.weight.data[:, 0, 0, 0] = torch.tensor([1.0, -1.0])
    conv.bias.data.zero_()  # type: ignore[union-attr]
    network = nn.Sequential(conv, nn.ReLU())
    monitor = GradientMonitor(network)
    network(torch.ones(3, 1, 4, 4)).sum().backward()
    assert monitor.metrics()["dead/0"] == 0.5


def last_metrics(**settings: Any) -> dict[str, float]:
    """Of an agent whose policy and critic are eight layers deep."""
    metrics: dict[str, float] = {}
    agent = A2C("CartPole-v1", hidden=(16,) * 8, monitor=True, num_envs=8, **settings)
    agent.train(512, callback=lambda _, m: metrics.update(m))
    return metrics


def through(metrics: dict[str, float]) -> float:
    """The gradient of the policy's first layer, relative to that of the last of its eight."""
    gradients = [value for name, value in metrics.items() if name.startswith("grad/actor")]
    assert len(gradients) == 8
    return gradients[0] / gradients[-1]


def test_a_deep_sigmoid_network_vanishes_and_each_remedy_mends_it() -> None:
    metrics = last_metrics(activation="sigmoid")
    assert through(metrics) < 1e-3
    found = [line for line in warnings(metrics) if line.startswith("vanishing")]
    assert found[0].startswith("vanishing gradient in actor.mlp.layers.0, ")
    assert "try norm=layer, skip=true or activation=relu" in found[0]
    for remedy in ({"norm": "layer"}, {"skip": True}, {"activation": "relu"}):
        mended = last_metrics(**{"activation": "sigmoid", **remedy})
        assert through(mended) > 10 * through(metrics)
        assert not [line for line in warnings(mended) if line.startswith("vanishing")], remedy


def test_exploding_gradients_and_dead_units_are_named() -> None:
    found = warnings({"grad/a.0": 2e3, "grad/a.1": 1e3, "dead/a.0": 0.51, "dead/a.1": 0.5, "loss": 1e9})
    assert found == [
        "exploding gradient in a.0, its norm is 2e+03; "
        "try a smaller learning_rate or max_grad_norm, or norm=layer",
        "dead units in a.0, 51% of them; try activation=leaky_relu, norm=layer or a smaller learning_rate",
    ]


def test_dead_units_are_no_alarm_while_returns_rise() -> None:
    saturated = {"grad/a.0": 1.0, "dead/a.0": 1.0}
    assert len(warnings(saturated)) == 1
    assert warnings(saturated, rising=True) == []
    trend = Trend()
    assert [trend.rises(r) for r in (None, 20.0, 120.0, 500.0, 490.0, 300.0)] == [
        *(False, False, True, True, True, False)
    ]
    stuck = Trend()
    assert not any(stuck.rises(0.0) for _ in range(5))


@pytest.mark.slow
def test_a_run_that_reaches_the_maximum_raises_no_alarm() -> None:
    said: list[str] = []
    train(
        "CartPole-v1",
        steps=100_000,
        overrides={"monitor": True},
        on_progress=lambda r: said.extend(r["warnings"]),
    )
    assert said == []


def test_a_network_that_explodes_is_noticed() -> None:
    network = nn.Sequential(*(nn.Linear(4, 4) for _ in range(6)))
    for layer in network:
        layer.weight.data.mul_(20)  # type: ignore[operator, union-attr]
    monitor = GradientMonitor(network)
    network(torch.ones(2, 4)).sum().backward()
    assert any(line.startswith("exploding gradient in 0,") for line in warnings(monitor.metrics()))


@pytest.mark.parametrize("name", NETWORKS)
def test_watching_changes_nothing(name: str) -> None:
    settings: dict[str, Any] = {"hidden": (4,), "num_envs": 4}
    if hasattr(AGENTS[name].Config, "learning_starts"):
        settings |= {"learning_starts": 64, "batch_size": 16}
    metrics: dict[str, float] = {}
    plain = AGENTS[name]("rlkit/Exam-v0", **settings).train(256).policy.state_dict()
    watched = AGENTS[name]("rlkit/Exam-v0", **settings, monitor=True)
    watched.train(256, callback=lambda _, m: metrics.update(m))
    assert all(torch.equal(plain[key], value) for key, value in watched.policy.state_dict().items())
    assert any(key.startswith("grad/") for key in metrics)


def test_shared_layers_are_counted_once() -> None:
    metrics: dict[str, float] = {}
    agent = PPO("CartPole-v1", hidden=(8,), backbone="gru", monitor=True, num_envs=4, rollout_steps=8)
    agent.train(32, callback=lambda _, m: metrics.update(m))
    layers = [name for name in metrics if name.startswith("grad/")]
    assert layers == [
        "grad/actor.mlp.layers.0",
        "grad/actor.memory.rnn",
        "grad/policy_head",
        "grad/value_head",
    ]


def test_losses_leave_parameters_that_are_not_theirs_alone() -> None:
    settings = {"hidden": (8,), "learning_starts": 32, "num_envs": 4, "batch_size": 32}
    agent = SAC("Pendulum-v1", **settings, monitor=True, train_every=4, updates_per_step=0.25).train(64)
    seen: list[dict[str, float]] = []
    agent.train(4, callback=lambda _, metrics: seen.append(metrics))
    critics = [value for name, value in seen[0].items() if name.startswith("grad/critics")]
    assert seen[0]["grad_norm"] == pytest.approx(sum(x**2 for x in critics) ** 0.5, rel=1e-5)
