"""Noisy layers: what they compute, and that noise is drawn anew, from the agent's generator alone."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from rlkit.agents.dqn import DQN
from rlkit.experience.memory import ReplayMemory
from rlkit.nn.noisy import NoisyLinear


def layer(sigma: float = 0.5) -> NoisyLinear:
    return NoisyLinear(5, 3, sigma=sigma, generator=torch.Generator().manual_seed(0))


def test_noise_is_factorised() -> None:
    """(W + S * f(e_out) f(e_in)^T) x + b + s * f(e_out), f(e) = sgn(e) sqrt|e| (Fortunato et al. 2018)."""
    x, noise = torch.randn(7, 5), torch.randn(8)
    own = layer()
    own.set_noise(noise)
    f = noise.sign() * noise.abs().sqrt()
    with torch.no_grad():
        w = own.weight + own.weight_sigma * f[5:, None] * f[None, :5]
        expected = x @ w.T + own.bias + own.bias_sigma * f[5:]
        assert own(x).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_initial_parameters() -> None:
    own = NoisyLinear(100, 50, sigma=0.5, generator=torch.Generator().manual_seed(0))
    for mean in (own.weight, own.bias):
        assert mean.abs().max() <= 0.1
        assert mean.abs().max() > 0.09
    for sigma in (own.weight_sigma, own.bias_sigma):
        assert sigma.detach().numpy() == pytest.approx(0.5 / math.sqrt(100))


def test_without_noise_it_is_the_layer_of_its_means() -> None:
    x, noisy, plain = torch.randn(7, 5), layer(), layer(sigma=0.0)
    plain.set_noise(torch.randn(8))
    expected = x @ noisy.weight.T + noisy.bias
    for own in (noisy, plain):
        assert own(x).detach().numpy() == pytest.approx(expected.detach().numpy(), abs=1e-6)
    noisy.set_noise(torch.randn(8))
    assert not noisy(x).allclose(expected, atol=1e-3)
    noisy.set_noise(None)
    assert noisy(x).allclose(expected)


def test_each_environment_has_noise_of_its_own() -> None:
    own, x = layer(), torch.randn(1, 5).expand(4, 5)
    own.draw_noise(torch.Generator().manual_seed(1), batch=(4,))
    assert len(own(x).unique(dim=0)) == 4
    own.draw_noise(torch.Generator().manual_seed(1))
    assert len(own(x).unique(dim=0)) == 1


def test_the_outputs_have_the_mean_and_deviation_of_the_noise() -> None:
    """Var y_j = sum_i S_ji^2 x_i^2 E|e|^2 + s_j^2 E|e|, with E|e| = sqrt(2 / pi)."""
    own, x = layer(), torch.tensor([[1.0, -2.0, 0.5, 3.0, 0.0]])
    own.draw_noise(torch.Generator().manual_seed(2), batch=(200_000,))
    with torch.no_grad():
        y = own(x.expand(200_000, 5))
    m = math.sqrt(2 / math.pi)
    s = 0.5 / math.sqrt(5)
    variance = s**2 * (x.square().sum().item() * m**2 + m)
    own.set_noise(None)
    assert y.mean(0).numpy() == pytest.approx(own(x)[0].detach().numpy(), abs=0.02)
    assert y.var(0).numpy() == pytest.approx(variance, rel=0.03)


def agent(**settings: Any) -> DQN:
    small = {"hidden": (8,), "num_envs": 4, "learning_starts": 32, "train_every": 32, "batch_size": 16}
    return DQN("probe/Constant-v0", noisy=True, **small, **settings)


def test_noise_is_drawn_for_every_step_and_every_update_of_both_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, drawn = agent(updates_per_step=0.125), []
    for name, network in (("network", own.network), ("target", own.learner.target)):
        monkeypatch.setattr(
            network,
            "draw_noise",
            lambda _, batch=(), name=name, draw=network.draw_noise: (
                drawn.append((name, batch)) or draw(_, batch)
            ),
        )
    own.train(64)  # 16 turns of 4 environments; one update a 8 steps after the first 32
    assert drawn.count(("network", (4,))) == 16
    assert drawn.count(("network", ())) == drawn.count(("target", ())) == 4


def test_acting_is_greedy_on_the_means_and_epsilon_is_none() -> None:
    own = agent().train(64)
    obs = np.zeros(50, np.int64)
    assert len(set(own.act(obs, stochastic=True)[0].tolist())) == 1
    assert own.config.epsilon(1.0) == own.policy.head.epsilon == 0
    assert np.array_equal(own.q_values(obs), own.q_values(obs))


def test_noise_explores() -> None:
    def second_actions(own: DQN) -> int:
        memory = own.loop.ready(400)
        assert isinstance(memory, ReplayMemory)
        memory.collect(400, 400)
        return int(memory.replay.action[memory.replay.start].sum())

    assert 0 < second_actions(agent()) < 400
    assert second_actions(agent(noisy_sigma=1e-6)) in (0, 400)


def test_the_same_seed_gives_the_same_noise() -> None:
    torch.manual_seed(1)
    a = agent(seed=1).train(128)
    torch.manual_seed(2)
    b, c = agent(seed=1).train(128), agent(seed=2).train(128)
    weights = [x.network.state_dict()["head.0.weight_sigma"] for x in (a, b, c)]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])
