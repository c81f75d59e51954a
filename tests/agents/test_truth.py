"""Critics against values known in closed form, each rule with a control that breaks it."""

import numpy as np
import pytest
import torch

from rlkit.agents import DQN, PPO
from rlkit.agents.stepper import Step, Stepper

GAMMA = 0.8
CONSTANT = 1 / (1 - GAMMA)


def ppo_value() -> float:
    config = {"gamma": GAMMA, "learning_rate": 0.02, "epochs": 8, "rollout_steps": 16, "num_envs": 4}
    agent = PPO("probe/Constant-v0", **config, max_grad_norm=100, anneal=True).train(4_000)
    with torch.no_grad():
        return agent.network.value(torch.tensor([0]), (), None)[0].item()


def dqn_value(n_step: int = 1) -> float:
    config = {"gamma": GAMMA, "learning_rate": 0.01, "train_every": 32, "target_every": 32, "num_envs": 4}
    agent = DQN("probe/Constant-v0", **config, learning_starts=100, n_step=n_step, anneal=True).train(3_000)
    with torch.no_grad():
        return agent.network(torch.tensor([0]), (), None)[0].max().item()


def test_time_limits_do_not_lower_the_value() -> None:
    assert ppo_value() == pytest.approx(CONSTANT, rel=0.03)
    assert dqn_value() == pytest.approx(CONSTANT, rel=0.03)
    assert dqn_value(n_step=3) == pytest.approx(CONSTANT, rel=0.03)


def test_taking_truncation_for_termination_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Stepper.step

    def wrong(self: Stepper, action: np.ndarray) -> Step:
        step = right(self, action)
        return step._replace(discount=np.where(step.done, np.float32(0), step.discount))

    monkeypatch.setattr(Stepper, "step", wrong)
    assert ppo_value() < 0.8 * CONSTANT
    assert dqn_value() < 0.8 * CONSTANT
