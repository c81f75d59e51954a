"""Losses of action values against numbers worked out by hand, or by loops over the definition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rlkit.agents.q_losses import (
    bellman_target,
    categorical_divergence,
    greedy,
    huber,
    project,
    quantile_huber,
    sequence_priority,
)
from rlkit.experience.priorities import importance_weights

ATOMS = torch.linspace(-1, 3, 5)  # -1, 0, 1, 2, 3


def test_greedy_takes_the_best_legal_action() -> None:
    q = torch.tensor([[9.0, 2.0, 3.0], [0.0, -1.0, -2.0]])
    assert greedy(q, None).tolist() == [0, 0]
    assert greedy(q, torch.tensor([[False, True, True]] * 2)).tolist() == [2, 1]


def test_bellman_target() -> None:
    target = bellman_target(
        reward=torch.tensor([1.0, 2.0]), discount=torch.tensor([0.5, 0.0]), value=torch.tensor([[4.0], [9.0]])
    )
    assert target.tolist() == [[3.0], [2.0]]
    atoms = bellman_target(reward=torch.tensor([1.0]), discount=torch.tensor([0.5]), value=ATOMS)
    assert atoms.tolist() == [[0.5, 1.0, 1.5, 2.0, 2.5]]


def test_huber() -> None:
    q, target = torch.tensor([0.0, 0.0, 0.0, 0.0]), torch.tensor([0.5, -1.0, 3.0, -5.0])
    assert huber(q, target).tolist() == [0.125, 0.5, 2.5, 4.5]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([-1, 0, 1, 2, 3], [0.1, 0.2, 0.4, 0.2, 0.1]),  # every atom hit exactly
        ([1, 1, 1, 1, 1], [0, 0, 1, 0, 0]),  # discount 0: all on one atom
        ([1.25] * 5, [0, 0, 0.75, 0.25, 0]),  # divided between two
        ([9, 3, 3.5, 4, 5], [0, 0, 0, 0, 1]),  # clipped above
        ([-9, -1, -1.5, -4, -5], [1, 0, 0, 0, 0]),  # and below
        ([-1.5, -0.5, 0.5, 1.5, 2.5], [0.2, 0.3, 0.3, 0.15, 0.05]),
    ],
)
def test_projection(at: list[float], expected: list[float]) -> None:
    probs = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1])
    assert project(probs, torch.tensor(at), atoms=ATOMS).tolist() == pytest.approx(expected, abs=1e-6)


def test_projection_against_the_definition() -> None:
    """(Phi T Z)_i = sum_j [1 - |clip(at_j) - z_i| / step]_0^1 p_j (Bellemare et al. 2017, eq. 7)."""
    rng = np.random.default_rng(0)
    probs, at = rng.dirichlet(np.ones(51), size=20), rng.normal(scale=15, size=(20, 51))
    atoms = np.linspace(-10, 10, 51)
    clipped = at.clip(-10, 10)
    near = (1 - np.abs(clipped[:, :, None] - atoms) / 0.4).clip(0, 1)
    expected = (near * probs[:, :, None]).sum(1)
    found = project(torch.from_numpy(probs), torch.from_numpy(at), atoms=torch.from_numpy(atoms)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(1), 1)


def test_divergence() -> None:
    logits = torch.tensor([[0.25, 0.75], [0.5, 0.5], [1.0, 1e-9]]).log().requires_grad_()
    target = torch.tensor([[0.25, 0.75], [1.0, 0.0], [1.0, 0.0]])
    loss = categorical_divergence(logits, target)
    assert loss.tolist() == pytest.approx([0, np.log(2), 0], abs=1e-6)
    loss.sum().backward()
    assert logits.grad is not None
    expected = logits.softmax(-1) - target  # that of the cross-entropy
    assert logits.grad.numpy() == pytest.approx(expected.detach().numpy(), abs=1e-6)


def by_loops(theta: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Dabney et al. 2018, eq. 10."""
    total = 0.0
    for i, x in enumerate(theta):
        tau = (2 * i + 1) / (2 * len(theta))
        for y in target:
            u = y - x
            h = 0.5 * u * u if abs(u) <= 1 else abs(u) - 0.5
            total += abs(tau - (u < 0)) * h / len(target)
    return total


def test_quantile_huber() -> None:
    theta, target = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0]])
    # tau 1/4: 1/4 (2 - 1/2); tau 3/4: 3/4 * 1/2
    assert quantile_huber(theta, target).tolist() == [0.25 * 1.5 + 0.75 * 0.5]
    # Both above the target: weights 3/4 and 1/4.
    assert quantile_huber(theta, torch.tensor([[-2.0]])).tolist() == [0.75 * 1.5 + 0.25 * 2.5]
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 7)), rng.normal(size=(6, 4))
    expected = [by_loops(x, y) for x, y in zip(a, b, strict=True)]
    found = quantile_huber(torch.from_numpy(a), torch.from_numpy(b))
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_quantile_regression_finds_the_quantiles() -> None:
    samples = torch.linspace(0, 100, 1_001)
    theta = torch.zeros(5, requires_grad=True)
    optimizer = torch.optim.SGD([theta], lr=20.0)
    for _ in range(300):
        optimizer.zero_grad()
        quantile_huber(theta, samples).backward()
        optimizer.step()
    assert theta.tolist() == pytest.approx([10, 30, 50, 70, 90], abs=0.5)


def test_importance_weights() -> None:
    priority = torch.tensor([1.0, 4.0, 16.0], dtype=torch.float64)
    assert importance_weights(priority, beta=0.5).tolist() == [1.0, 0.5, 0.25]
    assert importance_weights(priority, beta=0.0).tolist() == [1.0, 1.0, 1.0]
    # By the definition (n P_i)^-beta / max_j, with n and the whole sum.
    n, p = 10, priority / 50
    expected = (n * p) ** -0.7 / ((n * p) ** -0.7).max()
    assert importance_weights(priority, beta=0.7).tolist() == pytest.approx(expected.tolist())


def test_sequence_priority() -> None:
    error = torch.tensor([[1.0, 5.0], [-3.0, 7.0], [9.0, 1.0]])
    learned = torch.tensor([[True, True], [True, False], [False, True]])
    found = sequence_priority(error, learned, eta=0.9)
    assert found.tolist() == pytest.approx([0.9 * 3 + 0.1 * 2, 0.9 * 5 + 0.1 * 3])
    assert sequence_priority(error[:1], learned[:1]).tolist() == pytest.approx([1.0, 5.0])
    assert sequence_priority(error, learned & False).tolist() == [0.0, 0.0]
