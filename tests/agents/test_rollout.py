"""Rollouts: what is learned from is what was lived, in every autoreset mode and with every memory."""

from typing import Any

import gymnasium as gym
import pytest
import torch
from gymnasium.vector import AutoresetMode

from rlkit.agents import A2C, PPO
from rlkit.agents.returns import rollout_returns
from rlkit.experience.rollout import Batch, batch_of, collect

MEMORIES = ["rnn", "gru", "lstm", "attention"]
SMALL: dict[str, Any] = {"hidden": (16,), "rollout_steps": 24, "learning_rate": 0.01}


def agent(backbone: str, mode: AutoresetMode = AutoresetMode.SAME_STEP, **settings: Any) -> A2C:
    env = gym.make_vec(
        "probe/Ragged-v0", 4, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}
    )
    return A2C(env, backbone=backbone, **{**SMALL, **settings})


def lived(learner: A2C, budget: int = 96) -> Any:
    """A rollout that begins in the middle of episodes."""
    learner.loop.ready(96)
    for _ in range(2):
        rollout, learner.experience.state, taken = collect(
            learner.stepper,
            learner.policy.scores,
            learner.policy.head,
            rows=24,
            budget=budget,
            state=learner.experience.state,
            generator=learner.learner.generator,
        )
    assert taken <= budget
    return rollout


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("backbone", ["mlp", *MEMORIES])
def test_what_is_learned_from_is_what_happened(backbone: str, mode: AutoresetMode) -> None:
    learner = agent(backbone, mode)
    rollout = lived(learner)
    with torch.no_grad():
        params, _ = learner.network(rollout.obs[:-1], rollout.state, rollout.reset[:-1])
    assert torch.allclose(params, rollout.params, atol=1e-5)


@pytest.mark.parametrize("backbone", MEMORIES)
def test_forgetting_the_resets_or_the_state_would_be_noticed(backbone: str) -> None:
    learner = agent(backbone)
    rollout = lived(learner)
    with torch.no_grad():
        deaf, _ = learner.network(rollout.obs[:-1], rollout.state, None)
        blank, _ = learner.network(rollout.obs[:-1], learner.policy.initial_state(4), rollout.reset[:-1])
    assert not torch.allclose(deaf, rollout.params, atol=1e-5)
    assert not torch.allclose(blank, rollout.params, atol=1e-5)


@pytest.mark.parametrize("backbone", ["mlp", "gru", "attention"])
def test_a_time_limit_is_valued_from_what_was_last_seen(backbone: str) -> None:
    """The value of a final observation is that after all of its episode, before the new one."""
    learner = agent(backbone)
    rollout = lived(learner)
    assert rollout.finals, "no episode ended by its limit"
    for final in rollout.finals:
        for j, at in enumerate(final.at.tolist()):
            end, b = divmod(at, 4)
            rows = range(end, -1, -1)
            start = next((t for t in rows if rollout.reset[t, b]), None)
            if start is None:
                continue
            episode = torch.cat([rollout.obs[start : end + 1, b], final.obs[j : j + 1]])
            with torch.no_grad():
                reset = torch.zeros((len(episode), 1), dtype=torch.bool)
                whole, _ = learner.network.value(episode[:, None], learner.policy.initial_state(1), reset)
                going_on = torch.zeros(1, dtype=torch.bool)
                state = tuple(part[j : j + 1] for part in final.state)
                found, _ = learner.network.value(final.obs[j : j + 1], state, going_on)
            assert found.item() == pytest.approx(whole[-1].item(), abs=1e-5)
            assert final.obs[j, 1] == 6, "the observation after the last step of six"


@pytest.mark.parametrize("backbone", MEMORIES)
def test_advantages_at_a_time_limit_remember_the_episode(backbone: str) -> None:
    learner = agent(backbone)
    rollout = lived(learner)

    def v(obs: Any, state: Any, reset: Any, mask: Any) -> Any:
        return learner.network.value(obs, state, reset)[0]

    with torch.no_grad():
        delta, _ = rollout_returns(rollout, v, reward=rollout.reward, gamma=learner.config.gamma, lambda_=0.0)
        value = v(rollout.obs, rollout.state, rollout.reset, None)
        for final in rollout.finals:
            after = v(final.obs, final.state, torch.zeros(len(final.obs), dtype=torch.bool), None)
            t, b = final.at // 4, final.at % 4
            expected = rollout.reward[t, b] - value[t, b] + learner.config.gamma * after
            assert torch.allclose(delta[t, b], expected, atol=1e-5)


@pytest.mark.parametrize("backbone", ["mlp", "gru"])
def test_the_steps_of_a_reset_are_left_out(backbone: str) -> None:
    learner = agent(backbone, AutoresetMode.NEXT_STEP)
    rollout = lived(learner)
    assert not rollout.valid.all()
    batch = batch_of(rollout, rollout.action)
    kept = batch.keep(batch.obs)
    assert len(kept) == rollout.valid.sum()
    assert (kept[:, 1] < 6).all(), "what is seen after a last step is not acted on"
    assert torch.equal(batch.keep(batch.columns[0]), rollout.action[rollout.valid])


def test_environments_with_nothing_to_learn_from_are_left_out() -> None:
    """In NEXT_STEP mode the last turn of a budget may take a step in some environments only."""
    settings: dict[str, Any] = {"num_envs": 4, "rollout_steps": 8, "backbone": "gru", "hidden": (8,)}
    learner = PPO("CartPole-v1", **settings)
    for steps in (33, 1, 2, 30):
        learner.train(steps)  # a minibatch without a step would have a loss of NaN
    assert learner.steps == 66


@pytest.mark.parametrize("memory", [False, True])
def test_minibatches_are_whole_columns(memory: bool) -> None:
    obs = torch.arange(12).reshape(2, 6)
    state = (torch.arange(6),) if memory else ()
    batch = Batch(obs, obs > 99, None, state, None, (10 * obs,))
    parts = list(batch.minibatches(4, torch.Generator().manual_seed(0)))
    assert [part.obs.shape[1] for part in parts] == [2, 2, 1, 1]
    assert sorted(torch.cat([part.obs[0] for part in parts]).tolist()) == list(range(6))
    for part in parts:
        assert torch.equal(part.obs[1], part.obs[0] + 6)
        assert torch.equal(part.columns[0], 10 * part.obs)
        assert part.reset is not None
        assert part.reset.shape == part.obs.shape
        if memory:
            assert torch.equal(part.state[0], part.obs[0])


def test_the_budget_is_never_overrun() -> None:
    """In NEXT_STEP mode environments drift apart; steps beyond the budget are dropped and cut the trace."""
    learner = agent("mlp", AutoresetMode.NEXT_STEP)
    learner.loop.ready(96)
    rollout, _, taken = collect(
        learner.stepper,
        learner.policy.scores,
        learner.policy.head,
        rows=24,
        budget=37,
        state=(),
        generator=learner.learner.generator,
    )
    assert taken == rollout.valid.sum() == 37
    last = rollout.valid[-1]
    dropped = ~last & ~rollout.cut[-2]
    assert not dropped.any(), "what precedes a step that was dropped is cut"


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("backbone", MEMORIES)
def test_a_carried_state_can_be_learned_from(algorithm: Any, backbone: str) -> None:
    learner = algorithm("probe/Ragged-v0", backbone=backbone, **SMALL).train(384)
    before = [p.clone() for p in learner.network.parameters()]
    learner.train(192)
    assert any(not torch.equal(p, q) for p, q in zip(learner.network.parameters(), before, strict=True))


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_a_mask_reaches_the_update(algorithm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entropy of a policy that has hardly moved is over the legal actions only: log 2 of three."""
    learner = algorithm("probe/Ragged-v0", **{**SMALL, "learning_rate": 1e-6})
    found: list[dict[str, float]] = []
    learner.train(192, callback=lambda _, metrics: found.append(metrics))
    assert found[0]["entropy"] == pytest.approx(0.693, abs=0.01)
