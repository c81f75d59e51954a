"""Early stopping (Def 6.17): what is kept, when it ends, and that evaluating leaves training alone."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tensors import same
from torch import Tensor

from rlkit.agents import AGENTS, NEURAL, PPO, ConfigError, UnsupportedError
from rlkit.agents.loop import EarlyStopping
from rlkit.agents.seeds import stream
from rlkit.experience.evaluation import Evaluation, summarise
from rlkit.trees import flat

NETWORKS = list(NEURAL)
SMALL: dict[str, Any] = {"hidden": (4,), "num_envs": 4, "rollout_steps": 8}  # 32 steps an iteration


def test_the_best_is_kept_and_patience_runs_out() -> None:
    early = EarlyStopping(patience=2)
    stopped = []
    for step, score in enumerate([1.0, 3.0, 2.0, 3.0, 4.0]):
        early.judge(score, {"w": torch.tensor(float(step))}, step=step)
        stopped.append(early.stopped)
    assert stopped == [False, False, False, True, False], "as good as the best is not better"
    assert (early.best_return, early.best_step, early.best["w"].item()) == (4.0, 4, 4.0)


def test_what_is_kept_is_a_copy() -> None:
    early, w = EarlyStopping(patience=0), torch.zeros(1)
    early.judge(1.0, {"w": w}, step=0)
    w += 1
    assert early.best["w"].item() == 0.0


def scripted(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> list[dict[str, Tensor]]:
    """Make evaluations find these scores; the parameters at each of them."""
    seen: list[dict[str, Tensor]] = []

    def evaluate(agent: PPO, episodes: int = 100, *, seed: int | None = None, **options: Any) -> Evaluation:
        seen.append({name: x.clone() for name, x in agent.policy.state_dict().items()})
        return summarise(np.full(2, scores[len(seen) - 1]), np.ones(2, np.int64))

    monkeypatch.setattr(PPO, "evaluate", evaluate)
    return seen


def test_training_ends_early_with_the_best_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scripted(monkeypatch, [1, 5, 4, 3, 9])
    metrics: list[dict[str, float]] = []
    agent = PPO("rlkit/Exam-v0", **SMALL, evaluate_every=64, patience=2)
    agent.train(640, callback=lambda _, m: metrics.append(m))
    assert (agent.steps, agent.finished) == (256, True)
    assert same(agent.policy.state_dict(), seen[1])
    assert not same(agent.policy.state_dict(), seen[3]), "the last ones are others"
    last = metrics[-1]
    assert (last["stopped_early"], last["best_return"], last["best_step"]) == (1.0, 5.0, 128)
    assert [m.get("stopped_early") for m in metrics[:-1]] == [None, 0.0, None, 0.0, None, 0.0, None]


def test_without_patience_all_steps_are_taken_and_the_best_parameters_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = scripted(monkeypatch, [1, 5, 4])
    agent = PPO("rlkit/Exam-v0", **SMALL, evaluate_every=64).train(160)
    assert agent.steps == 160
    assert len(seen) == 3, "the last parameters are judged too"
    assert same(agent.policy.state_dict(), seen[1])


def test_more_training_resumes_from_the_best(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripted(monkeypatch, [5, 4, 3, 9])
    agent = PPO("rlkit/Exam-v0", **SMALL, evaluate_every=64, patience=2).train(640)
    agent.save(tmp_path / "saved")
    loaded = PPO.load(tmp_path / "saved")
    assert loaded.finished
    assert loaded.continue_to(640).steps == 192, "the training that was planned is over"
    assert loaded.train(64).steps == 256
    assert loaded.loop.early_stopping.best_return == 9


def test_training_for_the_steps_that_were_left_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [5, 4, 9, 10, 11, 12, 13, 14, 15, 16])
    agent = PPO("rlkit/Exam-v0", **SMALL, evaluate_every=64, patience=1).train(640)
    assert agent.steps == 128
    assert agent.train(640 - 128).steps == 640


def losses(name: str, **settings: Any) -> tuple[list[dict[str, float]], list[Tensor], Tensor]:
    """Metrics of every iteration, and where environments and random numbers stand in the end."""
    metrics: list[dict[str, float]] = []
    agent = AGENTS[name]("rlkit/FrozenLake-v0", hidden=(4,), num_envs=4, dropout=0.1, **settings)
    agent.train(256, callback=lambda _, m: metrics.append(m))
    learned = [
        {k: v for k, v in m.items() if k.split("_")[0] not in ("eval", "best", "stopped")} for m in metrics
    ]
    stands = [torch.as_tensor(x) for x in flat(agent.stepper.state_dict()).values()]
    return learned, stands, agent.learner.generator.get_state()


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluating_leaves_training_alone(name: str) -> None:
    replays = hasattr(AGENTS[name].Config, "learning_starts")
    settings: dict[str, Any] = {"learning_starts": 64, "batch_size": 16} if replays else {"rollout_steps": 8}
    plain = losses(name, **settings)
    evaluated = losses(name, **settings, evaluate_every=100, evaluate_episodes=3)
    assert plain[0] == evaluated[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1], evaluated[1], strict=True))
    assert torch.equal(plain[2], evaluated[2])


def test_an_evaluation_that_disturbs_training_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = PPO.evaluate

    def wrong(agent: PPO, *args: Any, **options: Any) -> Evaluation:
        torch.rand(1, generator=agent.learner.generator)
        return right(agent, *args, **options)

    plain = losses("ppo", rollout_steps=8)
    monkeypatch.setattr(PPO, "evaluate", wrong)
    assert losses("ppo", rollout_steps=8, evaluate_every=100, evaluate_episodes=3)[0] != plain[0]


def test_evaluations_have_episodes_of_their_own() -> None:
    agent = PPO("rlkit/Exam-v0", **SMALL)
    seeds = {name: stream(agent.seed, name) for name in ("environment", "selection", "evaluation")}
    assert len(set(seeds.values())) == 3


def test_bad_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="patience counts evaluations: set evaluate_every too"):
        PPO("rlkit/Exam-v0", patience=3)
    with pytest.raises(ConfigError, match="evaluate_episodes must be at least 1"):
        PPO("rlkit/Exam-v0", evaluate_every=10, evaluate_episodes=0)
    env = gym.vector.SyncVectorEnv([lambda: gym.make("probe/Constant-v0").unwrapped] * 2)
    with pytest.raises(UnsupportedError, match="evaluate_every needs an environment id"):
        PPO(env, evaluate_every=10)
