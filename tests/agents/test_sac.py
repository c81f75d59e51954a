"""Soft actor-critic against its equations written out plainly."""

import copy
import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from rlkit.agents import SAC, NothingLearned, UnsupportedError
from rlkit.experience.memory import Due
from rlkit.experience.stepper import Step, Stepper

SMALL: dict[str, Any] = {"hidden": (16,), "learning_starts": 32, "num_envs": 4, "batch_size": 32}


def filled(env_id: str, **settings: Any) -> SAC:
    """An agent that has lived a little and learned nothing."""
    with pytest.warns(NothingLearned):
        return SAC(env_id, **{**SMALL, **settings, "learning_starts": 10_000}).train(256)


def values(agent: SAC) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in agent.network.named_parameters()}


def changed(agent: SAC, before: dict[str, Tensor]) -> set[str]:
    return {
        name.split(".")[0] for name, p in agent.network.named_parameters() if not torch.equal(p, before[name])
    }


def test_soft_values_of_discrete_actions() -> None:
    agent = filled("probe/Ragged-v0")
    x = torch.linspace(-1, 1, 5 * agent.network.reader.n_features).reshape(5, -1)
    mask = torch.tensor([[True, True, False]]).expand(5, -1)
    q, h = agent.learner._soft(agent.network, x, x, mask)
    for i in range(5):
        logits = agent.network.policy(x[i])[:2].tolist()
        pi = [math.exp(p) / sum(math.exp(other) for other in logits) for p in logits]
        both = agent.network.values(x[i])
        lowest = [min(both[0, a].item(), both[1, a].item()) for a in range(2)]
        assert q[i].item() == pytest.approx(sum(p * v for p, v in zip(pi, lowest, strict=True)), abs=1e-5)
        assert h[i].item() == pytest.approx(-sum(p * math.log(p) for p in pi), abs=1e-5)


def test_soft_values_of_a_box_are_those_of_the_squashed_policy() -> None:
    agent = filled("Pendulum-v1")
    x = torch.tensor([[0.6, -0.8, 1.0]]).expand(20_000, -1)
    with torch.no_grad():
        q, h = agent.learner._soft(agent.network, x, x, None)
        mean, log_std = agent.network.policy(x[0])
    normal = torch.distributions.Normal(mean, log_std.exp())
    u = torch.linspace(-8, 8, 20_001)
    a, du = u.tanh(), 16 / 20_000
    density = normal.log_prob(u).exp()  # of u; that of a is density / (1 - a^2)
    log_density = normal.log_prob(u) - torch.log((1 - a.double().square()).clamp(min=1e-12)).float()
    with torch.no_grad():
        both = agent.network.values(torch.cat([x[:1].expand(len(a), -1), a[:, None]], -1))
    lowest = both.amin(0).squeeze(-1)
    assert q.mean().item() == pytest.approx((density * lowest).sum().item() * du, abs=0.02)
    assert h.mean().item() == pytest.approx(-(density * log_density).sum().item() * du, abs=0.02)


@pytest.mark.parametrize("backbone", ["mlp", "gru"])
@pytest.mark.parametrize("group", ["critics", "policy", "alpha"])
def test_each_loss_moves_its_own_parameters(backbone: str, group: str) -> None:
    agent = filled("probe/Ragged-v0", backbone=backbone)
    for name, descent in agent.learner.descents.items():
        descent.rate = 1e-2 if name == group else 0.0
    before = values(agent)
    agent.learner.update(Due(agent.experience, 1, agent.steps))
    own = {"critics": {"critics"}, "policy": {"policy"}, "alpha": {"log_alpha"}}[group]
    if group == "critics" and backbone == "gru":
        own |= {"reader"}
    assert changed(agent, before) == own


def test_the_critics_loss_is_the_soft_bellman_error(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = filled("probe/Ragged-v0")
    drawn: list[Tensor] = []
    draw = agent.experience.replay.draw
    monkeypatch.setattr(
        agent.experience.replay,
        "draw",
        lambda *a, **k: drawn.append(draw(*a, **k).first) or (drawn[-1], None),
    )
    with torch.no_grad():
        agent.learner.target.critics[0][-1].bias.add_(3.0)  # so that the target is another network
    network, r, alpha = agent.network, agent.experience.replay, agent.network.log_alpha.exp().item()
    before, target_before = copy.deepcopy(network), copy.deepcopy(agent.learner.target)
    found = agent.learner.update(Due(agent.experience, 1, agent.steps))["critic_loss"].item()
    with torch.no_grad():
        error = 0.0
        for i in drawn[0].tolist():
            j = (i + r.num_envs) % r.size
            x, after = agent.policy.encoder(r.obs[i : i + 1]), agent.policy.encoder(r.obs[j : j + 1])
            logits = before.policy(after)[0].masked_fill(~r.mask[j], -torch.inf)
            pi = logits.softmax(-1)
            lowest = torch.minimum(*(c(after)[0] for c in target_before.critics))
            h = -torch.special.xlogy(pi, pi).sum()
            soft = (pi * lowest).sum() + alpha * h
            target = r.reward[i] + agent.config.gamma * r.discount[i] * soft
            for critic in before.critics:
                error += 0.5 * (critic(x)[0, r.action[i]] - target).square().item() / len(drawn[0])
    assert found == pytest.approx(error, rel=1e-4)


def test_the_target_follows_slowly() -> None:
    agent = filled("probe/Ragged-v0", target_rate=0.25)
    before = [p.clone() for p in agent.learner.target.parameters()]
    agent.learner.update(Due(agent.experience, 1, agent.steps))
    for slow, old, fast in zip(
        agent.learner.target.parameters(), before, agent.network.parameters(), strict=True
    ):
        assert torch.allclose(slow, 0.75 * old + 0.25 * fast, atol=1e-6)


def constant_value(**settings: Any) -> float:
    options = {"gamma": 0.8, "learning_rate": 0.01, "target_rate": 0.05, "alpha": 1e-8, "schedule": "linear"}
    agent = SAC("probe/Constant-v0", **{**SMALL, **options, **settings}).train(2_000)
    with torch.no_grad():
        x, _ = agent.network.reader(torch.tensor([0]), agent.policy.initial_state(1), torch.tensor([True]))
        return agent.network.values(x).mean().item()


def test_time_limits_do_not_lower_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert constant_value() == pytest.approx(5, rel=0.03)
    right = Stepper.step

    def wrong(self: Stepper, action: Tensor) -> Step:
        step = right(self, action)
        return step._replace(discount=torch.where(step.done, 0.0, step.discount))

    monkeypatch.setattr(Stepper, "step", wrong)
    assert constant_value() < 4


@pytest.mark.parametrize(("entropy", "rises"), [(0.2, False), (0.9, True)])
def test_alpha_rises_while_the_entropy_is_too_low(entropy: float, rises: bool) -> None:
    agent = filled("probe/Constant-v0", entropy=entropy)
    with torch.no_grad():  # the entropy of 0.8 and 0.2 is 0.72 of that of the uniform policy
        agent.network.policy[-1].weight.zero_()
        agent.network.policy[-1].bias.copy_(torch.tensor([0.8, 0.2]).log())
    before = agent.network.log_alpha.item()
    agent.learner.update(Due(agent.experience, 1, agent.steps))
    assert (agent.network.log_alpha.item() > before) == rises


class Cart(gym.Env[Any, Any]):
    observation_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.action_space = action_space


@pytest.mark.parametrize("space", [spaces.Box(-np.inf, np.inf, (1,)), spaces.MultiDiscrete([2, 2])])
def test_other_actions_are_refused(space: spaces.Space[Any]) -> None:
    env = gym.vector.SyncVectorEnv([lambda: Cart(space)])
    with pytest.raises(UnsupportedError, match="SAC needs a Discrete or a bounded Box"):
        SAC(env)


def test_the_target_normalises_as_the_network_does() -> None:
    agent = SAC("Pendulum-v1", **SMALL, norm="batch").train(256)
    kept, running = dict(agent.learner.target.named_buffers()), dict(agent.network.named_buffers())
    assert any(name.endswith("running_mean") and x.any() for name, x in running.items())
    assert all(torch.equal(kept[name], x) for name, x in running.items())


def test_a_number_is_an_action() -> None:
    class Push(gym.Env[Any, Any]):
        observation_space, action_space = spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, ())

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            return np.zeros(2, np.float32), {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.zeros(2, np.float32), float(action), True, False, {}

    push = gym.vector.SyncVectorEnv([Push] * 4)
    agent = SAC(push, **SMALL | {"learning_rate": 1e-2}).train(800)
    assert agent.act(np.zeros(2, np.float32))[0] > 0.5
