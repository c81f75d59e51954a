"""Critics against values known in closed form, each rule with a control that breaks it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rlkit.agents import A2C, DQN, PPO, PQN, REINFORCE
from rlkit.experience.stepper import Step, Stepper

GAMMA = 0.8
CONSTANT = 1 / (1 - GAMMA)


FAST: dict[str, Any] = {"gamma": GAMMA, "num_envs": 4, "max_grad_norm": 100, "schedule": "linear"}


def v(agent: type[PPO | A2C], **settings: Any) -> float:
    return float(agent("probe/Constant-v0", **FAST, **settings).train(4_000).value([0])[0])


def q(agent: type[DQN | PQN], **settings: Any) -> float:
    return float(agent("probe/Constant-v0", **FAST, **settings).train(2_000).q_values([0]).max())


OFF = {"learning_rate": 0.01, "train_every": 32, "target_every": 32, "learning_starts": 64}
VALUES: dict[str, Callable[[], float]] = {
    "ppo": lambda: v(PPO, learning_rate=0.02, minibatches=1, rollout_steps=16),
    "a2c": lambda: v(A2C, learning_rate=0.02),
    "reinforce": lambda: v(REINFORCE, learning_rate=0.02, rollout_steps=16),
    "pqn": lambda: q(PQN, learning_rate=0.01, rollout_steps=16),
    "dqn": lambda: q(DQN, **OFF),
    "dqn, three steps": lambda: q(DQN, **OFF, n_step=3),
}


@pytest.mark.parametrize("name", VALUES)
def test_time_limits_do_not_lower_the_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert VALUES[name]() == pytest.approx(CONSTANT, rel=0.03)
    right = Stepper.step

    def wrong(self: Stepper, action: Tensor) -> Step:
        step = right(self, action)
        return step._replace(discount=torch.where(step.done, 0.0, step.discount))

    monkeypatch.setattr(Stepper, "step", wrong)
    assert VALUES[name]() < 0.8 * CONSTANT, "truncation taken for termination would not be noticed"


@pytest.mark.parametrize("agent", [PPO, A2C])
@pytest.mark.parametrize("normalised", [True, False])
def test_normalised_advantages_that_are_equal_teach_nothing(agent: type[PPO | A2C], normalised: bool) -> None:
    """In one state with one reward all one-step advantages are the same; no other loss is counted."""
    norms: list[float] = []
    agent(
        "probe/Constant-v0",
        **FAST,
        gae_lambda=0.0,
        value_coef=0.0,
        rollout_steps=16,
        normalize_advantage=normalised,
    ).train(64, callback=lambda _, metrics: norms.append(metrics["grad_norm"]))
    assert (norms[0] == 0) is normalised
