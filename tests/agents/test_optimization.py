"""Optimisers, schedules, penalties and clipping against numbers worked out by hand."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tensors import same
from torch import Tensor, nn

from rlkit.agents import PPO, NonFiniteError, PPOConfig
from rlkit.nn.optimization import OPTIMIZERS, Descent, penalty


def weights(values: list[float]) -> nn.Parameter:
    return nn.Parameter(torch.tensor([values], dtype=torch.float64))


def steps_of(config: PPOConfig, gradients: list[float]) -> float:
    """Where a weight that begins at 1 is after steps with these gradients."""
    w = weights([1.0])
    descent = Descent([w], config, rate=config.learning_rate)
    for g in gradients:
        descent.step((g * w).sum())
    return w.item()


def by_hand(name: str, gradients: list[float], rate: float, eps: float) -> float:
    w, m, v = 1.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        match name:
            case "sgd":
                w -= rate * g
            case "momentum":
                m = 0.9 * m + g
                w -= rate * m
            case "rmsprop":
                v = 0.99 * v + 0.01 * g * g
                w -= rate * g / (math.sqrt(v) + 1e-5)
            case "adam":
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                w -= rate * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + eps)
    return w


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_are_those_of_the_textbook(name: str) -> None:
    config = PPOConfig(optimizer=name, learning_rate=0.1, adam_eps=1e-3, max_grad_norm=1e9)
    gradients = [1.0, -0.5, 2.0, 2.0]
    expected = by_hand(name, gradients, 0.1, 1e-3)
    assert steps_of(config, gradients) == pytest.approx(expected, rel=1e-9)
    others = {by_hand(other, gradients, 0.1, 1e-3) for other in OPTIMIZERS if other != name}
    assert all(abs(expected - other) > 1e-3 for other in others), "the gradients must tell them apart"


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [2, 2, 2, 2]),
        ("linear", [2, 1.5, 1, 0]),
        ("cosine", [2, 1 + math.cos(math.pi / 4), 1, 0]),
    ],
)
def test_schedules(schedule: str, rates: list[float]) -> None:
    config = PPOConfig(learning_rate=2, schedule=schedule)
    found = [config.rate(progress) for progress in (0, 0.25, 0.5, 1)]
    assert found == pytest.approx(rates, abs=1e-12)


def test_the_learning_rate_of_a_run_follows_its_schedule() -> None:
    seen: list[float] = []
    config = PPOConfig(num_envs=4, rollout_steps=8, hidden=(4,), learning_rate=1.0, schedule="linear")
    PPO("rlkit/Exam-v0", config=config).train(128, callback=lambda _, m: seen.append(m["learning_rate"]))
    assert seen == [1.0, 0.75, 0.5, 0.25]


def test_penalties_are_on_weights_and_not_on_biases() -> None:
    w, bias = weights([2.0, -3.0]), nn.Parameter(torch.tensor([5.0], dtype=torch.float64))
    loss = penalty([w, bias], l1=0.1, l2=0.5)
    assert loss.item() == pytest.approx(0.1 * 5 + 0.25 * 13)
    loss.backward()
    assert w.grad is not None
    assert w.grad.tolist() == [pytest.approx([0.1 + 0.5 * 2, -0.1 - 0.5 * 3])]
    assert bias.grad is None


@pytest.mark.parametrize(("most", "expected"), [(1.0, [-0.6, -0.8]), (10.0, [-3.0, -4.0])])
def test_gradients_are_scaled_to_their_largest_norm(most: float, expected: list[float]) -> None:
    w = weights([0.0, 0.0])
    config = PPOConfig(optimizer="sgd", learning_rate=1, max_grad_norm=most)
    norm = Descent([w], config, rate=config.learning_rate).step((w * torch.tensor([3.0, 4.0])).sum())
    assert norm.item() == pytest.approx(5)
    assert w.tolist() == [pytest.approx(expected, rel=1e-5)]


def test_the_penalty_is_part_of_what_is_gone_down() -> None:
    w = weights([2.0])
    config = PPOConfig(optimizer="sgd", learning_rate=0.1, l2=0.5, max_grad_norm=1e9)
    Descent([w], config, rate=config.learning_rate).step(0 * w.sum())
    assert w.item() == pytest.approx(2 - 0.1 * 0.5 * 2)


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_never_reaches_the_parameters(factor: float) -> None:
    w = weights([1.0])
    config = PPOConfig()
    with pytest.raises(NonFiniteError, match=r"the gradient's norm is (nan|inf), the loss (nan|inf)"):
        Descent([w], config, rate=config.learning_rate).step((w * factor).sum())
    assert w.item() == 1.0


def test_parameters_and_gradients_are_parts_of_one_vector() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    before, x = copy.deepcopy(network), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    descent = Descent(network.parameters(), PPOConfig(optimizer="sgd", max_grad_norm=1e9), rate=0.1)
    assert torch.equal(network(x), before(x))
    for _ in range(2):  # the second gradient takes the place of the first
        before.zero_grad()
        before(x).sum().backward()
        norm = descent.step(network(x).sum())
        gradients = [p.grad for p in before.parameters() if p.grad is not None]
        assert norm.item() == pytest.approx(math.sqrt(sum(g.square().sum().item() for g in gradients)))
        with torch.no_grad():
            for p in before.parameters():
                p -= 0.1 * p.grad
        torch.testing.assert_close(list(network.parameters()), list(before.parameters()))
    assert torch.equal(descent.vector, torch.cat([p.flatten() for p in network.parameters()]))


def parameters_after_a_break(name: str, tmp_path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of a training never stopped, and of one that was saved, loaded and resumed."""

    def save(agent: Any, metrics: Any) -> None:
        if agent.steps == 64:
            agent.save(tmp_path / "saved")

    config = PPOConfig(num_envs=4, rollout_steps=8, hidden=(4,), optimizer=name, learning_rate=0.01)
    whole = PPO("rlkit/Exam-v0", config=config).train(128, callback=save)
    return whole.policy.state_dict(), PPO.load(tmp_path / "saved").continue_to(128).policy.state_dict()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_moments_survive_a_checkpoint(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert same(*parameters_after_a_break(name, tmp_path))
    monkeypatch.setattr(Descent, "load_state_dict", lambda descent, tensors: None)
    lost = not same(*parameters_after_a_break(name, tmp_path))
    assert lost == (name != "sgd"), "an optimiser with moments goes astray without them"
