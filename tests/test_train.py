import dataclasses
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from saved_agents import tensors_of

import rlkit.run.train
from rlkit.agents import (
    AGENTS,
    NEURAL,
    PPO,
    ConfigError,
    LoadError,
    NonFiniteError,
    StepsError,
    UnsupportedError,
)
from rlkit.agents.tabular.base import STEPS_PER_ITERATION
from rlkit.envs.registry import resolve
from rlkit.experience.rollout import Rollouts
from rlkit.registry import RegistryError
from rlkit.run import checkpoint, log
from rlkit.run.train import Interrupted, RunError, resume, train
from rlkit.storage import META

QUICK: dict[str, object] = {
    "hidden": (8,),
    "num_envs": 4,
    "rollout_steps": 16,
    "epochs": 1,
    "minibatches": 2,
    "learning_starts": 100,
    "replay_size": 500,
    "batch_size": 16,
    "updates_per_step": 0.1,
}


def quick(agent: str) -> dict[str, object]:
    """Those of the settings above that an agent has."""
    has = {field.name for field in dataclasses.fields(AGENTS[agent].Config)}
    return {name: value for name, value in QUICK.items() if name in has}


SMALL = quick("ppo")


def outcome(run: Path) -> dict[str, Any]:
    """What two runs with one seed must share: the metrics but for the clock, and the checkpoint."""
    saved = checkpoint.latest(run)
    return {
        "metrics": [{k: v for k, v in record.items() if k not in log.TIMED} for record in log.read(run)],
        "tensors": tensors_of(saved).read_bytes(),
        "agent": (saved / META).read_text(),
        "config": (run / "config.json").read_text(),
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_same_seed_same_bytes(agent: str, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = {"agent": agent, "steps": 1_000, "overrides": quick(agent)}
        env_id = "CartPole-v1" if agent in NEURAL else "FrozenLake-v1"
        train(env_id, **settings, seed=seed, out=tmp_path / name)
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert outcome(tmp_path / "a")["tensors"] != outcome(tmp_path / "c")["tensors"]


def stop_at(step: int) -> Any:
    def on_progress(record: log.Record) -> None:
        if (record["step"] or 0) >= step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_progress


@pytest.mark.parametrize("agent", ["ppo", "dqn"])
def test_an_interrupted_run_resumes_as_if_it_had_not_been(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rlkit.run.train, "PROGRESS_SECONDS", 0.0)
    settings = {"agent": agent, "steps": 1_200, "seed": 5, "overrides": quick(agent)}
    train("rlkit/FrozenLake-v0", **settings, out=tmp_path / "whole")
    stopped = tmp_path / "stopped"
    with pytest.raises(Interrupted) as caught:
        train("rlkit/FrozenLake-v0", **settings, out=stopped, on_progress=stop_at(500))
    assert caught.value.run_dir == stopped
    assert 500 <= caught.value.steps < 700
    with (stopped / log.METRICS).open("a") as file:  # what a kill between two checkpoints leaves behind
        file.write('{"step": 999, "loss": 1.0, "seconds": 1.0}\n{"step": 10')
    assert resume(stopped).steps == 1_200
    assert outcome(stopped) == outcome(tmp_path / "whole")


# What is trained, by name: an agent of each family, with and without memory, and with every practice on.
PRACTICE: dict[str, object] = {
    "normalize_obs": True,
    "normalize_reward": True,
    "evaluate_every": 200,
    "evaluate_episodes": 2,
    "monitor": True,
    "dropout": 0.1,
}
KILLED: dict[str, tuple[str, str, dict[str, object]]] = {
    **{agent: (agent, "rlkit/FrozenLake-v0", {}) for agent in AGENTS},
    "ppo gru": ("ppo", "rlkit/FrozenLake-v0", {"backbone": "gru", "evaluate_every": 200, "patience": 40}),
    "ppo practice": ("ppo", "rlkit/SignalFilter-v0", PRACTICE),
    "dqn practice": ("dqn", "rlkit/SignalFilter-v0", PRACTICE),
}


@pytest.fixture(scope="session")
def elsewhere() -> Any:
    """Processes that begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    tabular = (f"rlkit.agents.tabular.{name}" for name in ("kernels", "planning", "learners"))
    context.set_forkserver_preload(["rlkit.run.train", "rlkit.envs", "torch._dynamo", *tabular])
    return context


@pytest.mark.parametrize("case", KILLED)
def test_a_killed_run_resumes_as_if_it_had_not_been(case: str, tmp_path: Path, elsewhere: Any) -> None:
    agent, env_id, overrides = KILLED[case]
    steps = 1_600 if agent in NEURAL else 5 * STEPS_PER_ITERATION
    several = {} if agent in NEURAL else {"num_envs": 16}
    settings = {"agent": agent, "steps": steps, "seed": 5, "overrides": quick(agent) | several | overrides}
    killed = tmp_path / "killed"
    process = elsewhere.Process(target=train, args=(env_id,), kwargs={**settings, "out": killed})
    process.start()
    while process.is_alive() and not any(killed.glob("checkpoints/step-*[1-9]*/agent.json")):
        time.sleep(0.002)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it had ended before"
    reached = checkpoint.load(killed).steps
    assert 0 < reached < steps
    resume(killed)
    train(env_id, **settings, out=tmp_path / "whole")
    assert outcome(killed) == outcome(tmp_path / "whole")


STOPS: dict[str, object] = {  # with which nothing gets better
    **SMALL,
    "evaluate_every": 64,
    "evaluate_episodes": 2,
    "patience": 2,
    "learning_rate": 1e-9,
}


def test_a_run_that_is_stopped_early_says_so(tmp_path: Path) -> None:
    run = tmp_path / "run"
    agent = train("rlkit/FrozenLake-v0", steps=640, overrides=STOPS, out=run)
    assert agent.steps == 192
    config = json.loads((run / "config.json").read_text())
    assert (config["steps"], config["stopped_early"]) == (640, 192)
    saved = json.loads((checkpoint.latest(run) / META).read_text())
    assert saved["state"]["loop"]["early_stopping"]["waited"] == agent.config.patience
    last = log.read(run)[-1]
    assert (last["step"], last["stopped_early"]) == (192, 1.0)
    with pytest.raises(RunError, match="was stopped early at step 192; give a total other than 640"):
        resume(run)
    assert 192 < resume(run, steps=512).steps <= 512


def test_every_evaluation_is_recorded(tmp_path: Path) -> None:
    shown: list[Any] = []
    overrides = {**SMALL, "evaluate_every": 192, "evaluate_episodes": 2}
    train("rlkit/Exam-v0", steps=960, overrides=overrides, out=tmp_path / "run", on_progress=shown.append)
    found = [record["step"] for record in log.read(tmp_path / "run") if "eval_return" in record]
    assert found == [*range(192, 961, 192)]
    assert [record["step"] for record in shown if "eval_return" in record] == found


def test_an_environment_without_state_starts_anew_on_resuming(tmp_path: Path) -> None:
    overrides = quick("dqn")
    train("CartPole-v1", agent="dqn", steps=600, overrides=overrides, out=tmp_path / "a")
    with pytest.warns(UserWarning, match="no state of (rlkit/)?CartPole-v1; its episodes start over"):
        agent = resume(tmp_path / "a", steps=900)
    assert agent.steps == 900
    assert json.loads((tmp_path / "a" / "config.json").read_text())["steps"] == 900
    assert [record["step"] for record in log.read(tmp_path / "a")][-1] == 900


OUTSIDE = """
import gymnasium

class Told(gymnasium.spaces.Discrete):
    __repr__ = object.__repr__  # holds an address, as those of some packages do

class Outside(gymnasium.Env):
    observation_space, action_space = Told(2), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 1, 1.0, True, False, {}

gymnasium.register("Outside-v0", Outside)
"""


def test_an_environment_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(str(tmp_path))
    env_id = resolve("elsewhere:outside-v0")
    assert env_id == "elsewhere:Outside-v0"
    train(env_id, agent="dqn", steps=600, overrides=quick("dqn"), out=tmp_path / "a")

    monkeypatch.delitem(sys.modules, "elsewhere")  # as another process finds it
    monkeypatch.delitem(gymnasium.registry, "Outside-v0")
    with pytest.raises(UnsupportedError, match="needs the module 'elsewhere'; if you trust it"):
        resume(tmp_path / "a", steps=900)
    with pytest.warns(UserWarning, match="start over"):
        resumed = resume(tmp_path / "a", steps=900, trust_env="elsewhere")
    assert resumed.evaluate(5).mean_return == 1
    with pytest.raises(RegistryError, match="No module named 'nowhere'"):
        resolve("nowhere:Outside-v0")


def test_showing_progress_does_not_slow_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def show(record: Any) -> None:
        seen.append(record["step"])
        time.sleep(0.01)

    monkeypatch.setattr(rlkit.run.train, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(rlkit.run.train, "WORK", 1e6)
    train("rlkit/Exam-v0", steps=1_024, overrides=SMALL, on_progress=show)
    assert len(seen) == 2, "the first and the last"
    assert seen[-1] == 1_024
    seen.clear()
    monkeypatch.setattr(rlkit.run.train, "WORK", 0)
    train("rlkit/Exam-v0", steps=1_024, overrides=SMALL, on_progress=show)
    assert len(seen) == 16, "every iteration"


@pytest.mark.parametrize(
    ("agent", "device", "expected"),
    [
        ("ppo", "auto", "cpu: there is no GPU"),
        ("ppo", "cpu", "cpu: as asked"),
        ("q_learning", "auto", "cpu: tabular agents run there"),
    ],
)
def test_the_device_is_said_with_its_reason(
    agent: str, device: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    seen: list[str] = []

    def note(record: Any) -> None:
        seen.append(record["device"])

    settings = {"agent": agent, "device": device, "overrides": quick(agent)}
    train("rlkit/Exam-v0", **settings, steps=64, out=tmp_path / "a", on_progress=note)
    resume(tmp_path / "a", steps=128, on_progress=note)
    assert seen[0] == expected
    assert seen[-1] == "cpu: as before"
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps({**config, "device": "cuda"}))
    resume(tmp_path / "a", steps=192, on_progress=note)
    assert seen[-1] == "cpu: there is no GPU"


def test_run_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    records: list[Any] = []
    train("CartPole-v1", steps=1_000, seed=3, overrides={"hidden": "8"}, out=run, on_progress=records.append)
    config = json.loads((run / "config.json").read_text())
    assert config["env_id"] == "CartPole-v1"
    assert config["config"]["hidden"] == [8]
    assert (config["agent"], config["seed"], config["steps"]) == ("ppo", 3, 1_000)
    assert set(config["versions"]) >= {"rlkit", "python", "torch", "gymnasium", "numpy"}
    assert {"step", "episodes", "mean_return", "policy_loss", "learning_rate", *log.TIMED} <= set(records[-1])
    assert records[-1]["network"] == "mlp: the observation holds no grid"
    assert records[-1]["settings"].startswith("hidden=8 num_envs=64 ")
    assert config["stopped_early"] is None
    assert records[-1]["step"] == log.read(run)[-1]["step"] == 1_000
    assert len(list((run / "checkpoints").iterdir())) == 2
    assert any((run / "tensorboard").iterdir())
    with pytest.raises(RunError, match="already holds a run"):
        train("CartPole-v1", steps=1_000, out=run)
    with pytest.raises(RunError, match="1000 steps already"):
        resume(run)
    assert isinstance(checkpoint.load(run), PPO)


@pytest.mark.parametrize(("work", "expected"), [(0, [0, 128, 256, 384, 512, 640]), (1e9, [0, 128, 640])])
def test_checkpoints_take_little_of_the_time(
    work: float, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, save = [], checkpoint.save

    def note(run: Path, agent: PPO, **options: Any) -> Path:
        saved.append(agent.steps)
        return save(run, agent, **options)

    monkeypatch.setattr(checkpoint, "save", note)
    monkeypatch.setattr(rlkit.run.train, "WORK", work)
    train("rlkit/Exam-v0", steps=640, overrides=SMALL | {"rollout_steps": 32}, out=tmp_path / "run")
    assert saved == expected


def test_fewer_environments_than_asked_for_are_said() -> None:
    shown: list[Any] = []
    for steps in (100, 101):
        train(
            "rlkit/TMaze-v0", agent="a2c", steps=steps, overrides={"num_envs": "4"}, on_progress=shown.append
        )
    last = "num_envs=4; on 1 of 4 environments, since 4 does not divide the steps"
    assert [shown[0]["settings"], shown[-1]["settings"]] == ["num_envs=4", last]


def test_steps_too_few_to_learn_are_refused() -> None:
    with pytest.raises(StepsError, match="above learning_starts, 1,000, to learn at all; got 1,000"):
        train("CartPole-v1", agent="dqn", steps=1_000, overrides={"learning_starts": 1_000})


def test_divergence_in_the_first_iteration_leaves_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    overrides = {"learning_rate": 1e30, "max_grad_norm": 1e30, "hidden": "8", "activation": "relu"}
    with pytest.raises(
        NonFiniteError, match=r"norm is nan.*iteration of ppo after step 0; nothing was learned$"
    ):
        train("CartPole-v1", steps=20_000, overrides=overrides, out=run)
    assert not run.exists()


def test_parameters_that_break_unseen_are_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Rollouts.iterate

    def breaks(rollouts: Rollouts, budget: int) -> dict[str, float]:
        metrics = right(rollouts, budget)
        if rollouts.clock.steps > 500:
            next(rollouts.learner.policy.network.parameters()).data[0, 0] = float("nan")
        return metrics

    monkeypatch.setattr(Rollouts, "iterate", breaks)
    monkeypatch.setattr(rlkit.run.train, "WORK", 0)
    with pytest.raises(NonFiniteError, match=r"network.* is not finite at step \d+.*last good checkpoint"):
        train("rlkit/Exam-v0", steps=1_024, overrides=SMALL, out=tmp_path / "run")
    kept = checkpoint.load(tmp_path / "run")
    assert kept.steps > 400
    assert all(p.isfinite().all() for p in kept.network.parameters())
    assert all(p.isfinite().all() for p in kept.network.parameters())


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no agent 'alphazero'; the agents are a2c, double_q"):
        train("CartPole-v1", agent="alphazero", steps=10)
    with pytest.raises(RegistryError, match="no agent 'reinforc'; did you mean 'reinforce'"):
        train("CartPole-v1", agent="reinforc", steps=10)
    with pytest.raises(ConfigError, match="did you mean 'gamma'"):
        train("CartPole-v1", steps=10, overrides={"gama": 0.9})
    with pytest.raises(StepsError, match="at least 1"):
        train("CartPole-v1", steps=0, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="no run that can be resumed"):
        resume(tmp_path)
    with pytest.raises(LoadError, match="no checkpoint"):
        checkpoint.load(tmp_path)
    with pytest.raises(ConfigError, match="seed must be at least 0, not -1"):
        train("CartPole-v1", steps=10, seed=-1)
    with pytest.raises(ConfigError, match="no device 'foo'"):
        train("CartPole-v1", steps=10, device="foo")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file cannot be made a run folder"):
        train("CartPole-v1", steps=10, out=tmp_path / "file")


@pytest.mark.parametrize("content", ["", "[]", "{}", *(f'{{"steps": {n}}}' for n in ('"abc"', "null", "-5"))])
def test_a_damaged_config_is_named(content: str, tmp_path: Path) -> None:
    train("CartPole-v1", steps=64, overrides=SMALL, out=tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(content)
    with pytest.raises(RunError, match=r"no run that can be resumed: .*config\.json"):
        resume(tmp_path / "run")


def test_a_run_that_cannot_be_saved_is_not_begun(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 64, "overrides": SMALL}
    kwargs = {"mdp": rlkit.exact("rlkit/Exam-v0")}
    with pytest.raises(UnsupportedError, match="env_kwargs hold 'mdp', a MDP"):
        train("rlkit/MDP-v0", **settings, env_kwargs=kwargs, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train("rlkit/MDP-v0", **settings, env_kwargs=kwargs).steps == 64
