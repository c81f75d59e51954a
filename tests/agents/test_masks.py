"""Illegal actions are neither taken nor learned from, by any agent."""

from typing import Any

import numpy as np
import pytest
import torch

from rlkit.agents import AGENTS, PPO, Agent

OWN: dict[str, dict[str, Any]] = {
    "dqn": {"learning_starts": 64, "learning_rate": 0.01},
    "rainbow": {"learning_starts": 64, "learning_rate": 0.01, "updates_per_step": 0.5},
    "sac": {"learning_starts": 64, "learning_rate": 0.01},
    "ppo": {"rollout_steps": 16},
}


@pytest.mark.parametrize("agent", AGENTS.values())
def test_only_legal_actions_are_taken_and_learned(agent: type[Agent]) -> None:
    trained = agent("probe/OnlyLegal-v0", **OWN.get(agent.name, {})).train(1_000)  # fails on an illegal one
    assert trained.evaluate(8).mean_return == 1
    action, _ = trained.act(0, mask=np.array([0, 1, 1]))
    assert action == 6
    action, _ = trained.act(np.zeros(2, np.int64), mask=np.array([[0, 0, 1], [1, 0, 0]]))
    assert action.tolist() == [7, 5]


@pytest.mark.parametrize("agent", AGENTS.values())
def test_stochastic_policies_leave_illegal_actions_out(agent: type[Agent]) -> None:
    untrained = agent("probe/OnlyLegal-v0")
    mask = torch.tensor([[True, False, True]])
    obs = torch.zeros(1, dtype=torch.int64)
    policy, _ = untrained.policy.probabilities(obs, (), mask[0, :1], mask, stochastic=True)
    assert policy[0, 1] == 0
    assert policy.sum().item() == pytest.approx(1)


def test_actions_are_drawn_where_they_are_asked_to_be() -> None:
    agent, obs = PPO("rlkit/Taxi-v0", hidden=(8,)), np.zeros(200, np.int64)
    assert len(set(agent.act(obs)[0].tolist())) == 1
    assert set(agent.act(obs, stochastic=True)[0].tolist()) == set(range(6))
