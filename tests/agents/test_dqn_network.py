"""What networks of action values compute, and how returns are represented."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlkit.agents.dqn import DQNConfig, pick, returns_of
from rlkit.agents.q_network import Categorical, Expected, QNetwork, Quantiles
from rlkit.nn import Encoder

REWARD, DISCOUNT = torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.0])


def network(**settings: object) -> QNetwork:
    config = DQNConfig(hidden=(8,)).replace(settings)
    return QNetwork(
        Encoder(spaces.Box(-1, 1, (4,), np.float32)),
        3,
        config,
        torch.Generator().manual_seed(0),
        returns=returns_of(config),
        dueling=config.dueling,
        sigma=config.noisy_sigma if config.noisy else 0.0,
    )


@pytest.mark.parametrize("distribution", ["none", "c51", "quantile"])
def test_dueling_advantages_have_mean_zero(distribution: str) -> None:
    own, obs = network(dueling=True, distribution=distribution, atoms=5), torch.randn(6, 4)
    x, _ = own.outputs(obs, (), None)
    assert own.value_head is not None
    value = own.value_head(own.backbone(obs, (), None)[0])
    torch.testing.assert_close(x.mean(-2), value)
    advantage = own.head(own.backbone(obs, (), None)[0]).unflatten(-1, (3, -1))
    torch.testing.assert_close(x[:, 0] - x[:, 1], advantage[:, 0] - advantage[:, 1])


@pytest.mark.parametrize("distribution", ["none", "c51", "quantile"])
def test_sequences_and_batches_have_the_same_values(distribution: str) -> None:
    own, obs = network(distribution=distribution, noisy=True, dueling=True), torch.randn(5, 6, 4)
    q, _ = own.scores(obs, (), None)
    assert q.shape == (5, 6, 3)
    torch.testing.assert_close(q[2], own.scores(obs[2], (), None)[0])


def test_expected_returns() -> None:
    own = Expected()
    x, following = torch.tensor([[0.0], [5.0]], requires_grad=True), torch.tensor([[4.0], [9.0]])
    loss, error = own.loss(x, following, reward=REWARD, discount=DISCOUNT)
    assert loss.tolist() == [2.5, 3.5]  # targets 3 and 1
    assert error.tolist() == [-3.0, 4.0]
    assert not error.requires_grad
    assert own.mean(x).tolist() == [0.0, 5.0]


def test_categorical_returns() -> None:
    own = Categorical(v_min=-1.0, v_max=3.0, size=5)
    probs = torch.tensor([[0.5, 0.0, 0.25, 0.0, 0.25], [0.2, 0.2, 0.2, 0.2, 0.2]])
    assert own.mean((probs + 1e-12).log()).tolist() == pytest.approx([0.5, 1.0])
    x = torch.zeros(2, 5, requires_grad=True)
    loss, error = own.loss(x, (probs + 1e-12).log(), reward=REWARD, discount=DISCOUNT)
    # 1 + z / 2 of -1, 1, 3: half the mass between 0 and 1, a quarter between 1 and 2, and between 2 and 3.
    target = np.array([0, 0.25, 0.375, 0.25, 0.125])
    divergence = (target[1:] * np.log(5 * target[1:])).sum()
    assert loss.tolist() == pytest.approx([divergence, np.log(5)], rel=1e-5)  # discount 0: all on 1
    assert error.tolist() == loss.tolist()
    assert not error.requires_grad


def test_quantile_returns() -> None:
    own = Quantiles(size=2)
    x = torch.tensor([[0.0, 4.0], [1.0, 1.0]], requires_grad=True)
    loss, error = own.loss(x, torch.tensor([[2.0, 6.0], [7.0, 8.0]]), reward=REWARD, discount=DISCOUNT)
    # Targets 2 and 4: at 0, 1/4 of 3/2 and 7/2; at 4, 1/4 of 3/2 and nothing.
    assert loss.tolist() == [0.25 * (1.5 + 3.5) / 2 + 0.25 * 1.5 / 2, 0.0]
    assert error.tolist() == [-1.0, 0.0]
    assert own.mean(x).tolist() == [2.0, 1.0]


def test_the_numbers_of_one_action() -> None:
    x = torch.arange(24.0).view(2, 1, 3, 4)
    assert pick(x, torch.tensor([[2], [0]])).tolist() == [[[8, 9, 10, 11]], [[12, 13, 14, 15]]]
