import numpy as np
import pytest
import torch

from rlkit.agents import DQN, PPO, Agent
from rlkit.agents.losses import double_q_target
from rlkit.nn import entropy, mask_logits

AGENTS = [PPO, DQN]


@pytest.mark.parametrize("agent", AGENTS)
def test_only_legal_actions_are_taken_and_learned(agent: type[Agent]) -> None:
    settings = {"learning_starts": 64, "learning_rate": 0.01} if agent is DQN else {"rollout_steps": 16}
    trained = agent("probe/OnlyLegal-v0", **settings).train(1_000)  # the probe fails on an illegal action
    assert trained.evaluate(8).mean_return == 1
    action, _ = trained.act(0, mask=np.array([0, 1, 1]))
    assert action == 6
    action, _ = trained.act(np.zeros(2, np.int64), mask=np.array([[0, 0, 1], [1, 0, 0]]))
    assert action.tolist() == [7, 5]


@pytest.mark.parametrize("agent", AGENTS)
def test_stochastic_policies_leave_illegal_actions_out(agent: type[Agent]) -> None:
    mask = np.array([[True, False, True]])
    policy, _ = agent("probe/OnlyLegal-v0").policy(
        np.zeros(1, np.int64), (), np.ones(1, np.bool_), mask, stochastic=True
    )
    assert policy[0, 1] == 0
    assert policy.sum() == pytest.approx(1)


def test_masked_logits_have_gradients_and_entropy() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    log_probs = mask_logits(logits, torch.tensor([[True, False, True]])).log_softmax(-1)
    entropy(log_probs).sum().backward()
    assert entropy(log_probs).item() == pytest.approx(np.log(2))
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_q_target_takes_the_best_legal_action() -> None:
    arguments = {
        "reward": torch.tensor([1.0]),
        "discount": torch.tensor([0.5]),
        "next_q": torch.tensor([[9.0, 2.0, 1.0]]),
        "next_q_target": torch.tensor([[7.0, 4.0, 6.0]]),
    }
    legal = torch.tensor([[False, True, True]])
    assert double_q_target(**arguments, next_mask=legal).item() == 1 + 0.5 * 4
    assert double_q_target(**arguments, next_mask=None).item() == 1 + 0.5 * 7
