"""Policies' densities and samples against torch.distributions and against counting."""

import math

import pytest
import torch
from gymnasium import spaces
from torch import Tensor, distributions

from rlkit.nn import (
    Categorical,
    Distribution,
    EpsilonGreedy,
    Gaussian,
    MultiCategorical,
    SquashedGaussian,
    UnsupportedSpaceError,
    distribution,
    entropy,
    mask_logits,
)

N = 40_000


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(head: Distribution | EpsilonGreedy, params: Tensor, mask: Tensor | None = None) -> Tensor:
    return head.act(params.expand(N, -1), head.noise((N,), rng()), mask)


def test_the_policy_for_each_space() -> None:
    assert distribution(spaces.Discrete(3, start=4)).n_params == 3
    assert distribution(spaces.MultiDiscrete([3, 2])).n_params == 5
    assert distribution(spaces.Box(-1, 1, (2, 3))).shape == (2, 3)
    with pytest.raises(UnsupportedSpaceError, match="Text"):
        distribution(spaces.Text(3))


def test_categorical() -> None:
    head, logits = Categorical(3), torch.tensor([[0.5, -1.0, 2.0]])
    truth = distributions.Categorical(logits=logits)
    for a in range(3):
        log_prob, h = head.log_prob_and_entropy(logits, torch.tensor([a]), None)
        assert log_prob.item() == pytest.approx(truth.log_prob(torch.tensor(a)).item(), abs=1e-6)
        assert h.item() == pytest.approx(truth.entropy().item(), abs=1e-6)
    assert head.act(logits, None, None).item() == 2
    counts = drawn(head, logits).bincount(minlength=3) / N
    assert torch.allclose(counts, truth.probs[0], atol=0.01)
    assert torch.allclose(head.probabilities(logits, None), truth.probs)


def test_a_mask_leaves_actions_out() -> None:
    head, logits, mask = Categorical(3), torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([[True, True, False]])
    truth = distributions.Categorical(logits=logits[:, :2])
    log_prob, h = head.log_prob_and_entropy(logits, torch.tensor([1]), mask)
    assert log_prob.item() == pytest.approx(truth.log_prob(torch.tensor(1)).item(), abs=1e-6)
    assert h.item() == pytest.approx(truth.entropy().item(), abs=1e-6)
    assert head.act(logits, None, mask).item() == 0
    counts = drawn(head, logits, mask).bincount(minlength=3) / N
    assert counts[2] == 0
    assert torch.allclose(counts[:2], truth.probs[0], atol=0.01)


def test_several_choices_are_independent() -> None:
    head, params = MultiCategorical((3, 2)), torch.tensor([[0.5, -1.0, 2.0, 0.0, 1.0]])
    parts = [distributions.Categorical(logits=params[:, :3]), distributions.Categorical(logits=params[:, 3:])]
    action = torch.tensor([[1, 0]])
    log_prob, h = head.log_prob_and_entropy(params, action, None)
    truth = sum(part.log_prob(action[:, i]).item() for i, part in enumerate(parts))
    assert log_prob.item() == pytest.approx(truth, abs=1e-6)
    assert h.item() == pytest.approx(sum(part.entropy().item() for part in parts), abs=1e-6)
    assert head.act(params, None, None).tolist() == [[2, 1]]
    actions = drawn(head, params)
    joint = (actions[:, 0] * 2 + actions[:, 1]).bincount(minlength=6).reshape(3, 2) / N
    assert torch.allclose(joint, parts[0].probs[0][:, None] * parts[1].probs[0], atol=0.01)
    mask = torch.tensor([[True, False, False, False, True]])
    assert (drawn(head, params, mask) == torch.tensor([0, 1])).all()


def test_gaussian() -> None:
    head, mean = Gaussian((2,)), torch.tensor([[0.3, -1.0]])
    with torch.no_grad():
        head.log_std.copy_(torch.tensor([0.5, -0.7]))
    truth = distributions.Independent(distributions.Normal(mean, head.log_std.exp()), 1)
    action = torch.tensor([[1.5, 0.2]])
    log_prob, h = head.log_prob_and_entropy(mean, action, None)
    assert log_prob.item() == pytest.approx(truth.log_prob(action).item(), abs=1e-5)
    assert h.item() == pytest.approx(truth.entropy().item(), abs=1e-5)
    assert torch.equal(head.act(mean, None, None), mean)
    actions = drawn(head, mean)
    assert torch.allclose(actions.mean(0), mean[0], atol=0.03)
    assert torch.allclose(actions.std(0), head.log_std.exp(), atol=0.03)


def test_epsilon_greedy() -> None:
    head, q = EpsilonGreedy(4), torch.tensor([[1.0, 5.0, 9.0, 2.0]])
    head.epsilon = 0.3
    mask = torch.tensor([[True, True, False, True]])
    assert head.act(q, None, mask).item() == 1
    expected = torch.tensor([0.1, 0.8, 0.0, 0.1])
    assert torch.allclose(head.probabilities(q, mask), expected)
    assert torch.allclose(drawn(head, q, mask).bincount(minlength=4) / N, expected, atol=0.01)


def test_masked_logits_have_gradients_and_entropy() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    log_probs = mask_logits(logits, torch.tensor([[True, False, True]])).log_softmax(-1)
    entropy(log_probs).sum().backward()
    assert entropy(log_probs).item() == pytest.approx(math.log(2))
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_squashed_gaussian() -> None:
    head, params = SquashedGaussian((2,)), torch.tensor([[0.3, -1.0, 0.2, -0.5]])
    normal = distributions.Normal(params[:, :2], params[:, 2:].exp())
    truth = distributions.Independent(
        distributions.TransformedDistribution(normal, distributions.TanhTransform()), 1
    )
    noise = head.noise((5,), rng())
    action, log_prob = head.sample(params.expand(5, -1), noise)
    assert torch.equal(action, head.act(params.expand(5, -1), noise, None))
    assert torch.allclose(log_prob, truth.log_prob(action), atol=1e-4)
    assert torch.equal(head.act(params, None, None), params[:, :2].tanh())
    far, density = head.sample(torch.tensor([[30.0, 0.0]]).repeat(1, 2), torch.ones(1, 2))
    assert far.abs().max() == 1
    assert density.isfinite().all()
