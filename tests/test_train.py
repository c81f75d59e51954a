import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import rlkit.train
from rlkit import checkpoint, log
from rlkit.agents import AGENTS, PPO, ConfigError, LoadError, NonFiniteError, StepsError, UnsupportedError
from rlkit.agents.storage import META, TENSORS
from rlkit.train import Interrupted, RunError, resume, train

SMALL: dict[str, dict[str, object]] = {
    "ppo": {"hidden": (8,), "num_envs": 4, "rollout_steps": 16},
    "dqn": {"hidden": (8,), "num_envs": 4, "learning_starts": 100, "replay_size": 500, "n_step": 3},
}


def outcome(run: Path) -> dict[str, Any]:
    """What two runs with one seed must share: the metrics but for the clock, and the checkpoint."""
    saved = checkpoint.latest(run)
    return {
        "metrics": [{k: v for k, v in record.items() if k not in log.TIMED} for record in log.read(run)],
        "tensors": (saved / TENSORS).read_bytes(),
        "agent": (saved / META).read_text(),
        "config": (run / "config.json").read_text(),
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_same_seed_same_bytes(agent: str, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        settings = {"agent": agent, "steps": 1_000, "overrides": SMALL[agent]}
        train("CartPole-v1", **settings, seed=seed, out=tmp_path / name)
    assert outcome(tmp_path / "a") == outcome(tmp_path / "b")
    assert outcome(tmp_path / "a")["tensors"] != outcome(tmp_path / "c")["tensors"]


def stop_at(step: int) -> Any:
    def on_progress(record: log.Record) -> None:
        if (record["step"] or 0) >= step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_progress


@pytest.mark.parametrize("agent", AGENTS)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rlkit.train, "PROGRESS_SECONDS", 0.0)
    settings = {"agent": agent, "steps": 1_200, "seed": 5, "overrides": SMALL[agent]}
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


def test_an_environment_without_state_starts_anew_on_resuming(tmp_path: Path) -> None:
    overrides = SMALL["dqn"]
    train("CartPole-v1", agent="dqn", steps=600, overrides=overrides, out=tmp_path / "a")
    agent = resume(tmp_path / "a", steps=900)
    assert agent.steps == 900
    assert json.loads((tmp_path / "a" / "config.json").read_text())["steps"] == 900
    assert [record["step"] for record in log.read(tmp_path / "a")][-1] == 900


def test_run_folder(tmp_path: Path) -> None:
    run, records = tmp_path / "run", []
    train("CartPole-v1", steps=1_000, seed=3, overrides={"hidden": "8"}, out=run, on_progress=records.append)
    config = json.loads((run / "config.json").read_text())
    assert config["env_id"] == "CartPole-v1"
    assert config["config"]["hidden"] == [8]
    assert (config["agent"], config["seed"], config["steps"]) == ("ppo", 3, 1_000)
    assert set(config["versions"]) >= {"rlkit", "python", "torch", "gymnasium", "numpy"}
    assert {"step", "episodes", "mean_return", "loss", *log.TIMED} <= set(records[-1])
    assert records[-1]["step"] == log.read(run)[-1]["step"] == 1_000
    assert len(list((run / "checkpoints").iterdir())) == 1
    assert any((run / "tensorboard").iterdir())
    with pytest.raises(RunError, match="already holds a run"):
        train("CartPole-v1", steps=1_000, out=run)
    with pytest.raises(RunError, match="1000 steps already"):
        resume(run)
    assert isinstance(checkpoint.load(run), PPO)


def test_divergence_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    overrides = {"learning_rate": 1e30, "max_grad_norm": 1e30, "hidden": "8", "activation": "relu"}
    with pytest.raises(NonFiniteError, match=r"at step \d+.*last good checkpoint"):
        train("CartPole-v1", steps=20_000, overrides=overrides, out=run)
    assert all(p.isfinite().all() for p in checkpoint.load(run).network.parameters())


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the agents are dqn, ppo"):
        train("CartPole-v1", agent="sac", steps=10)
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
    train("CartPole-v1", steps=64, overrides=SMALL["ppo"], out=tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(content)
    with pytest.raises(RunError, match=r"no run that can be resumed: .*config\.json"):
        resume(tmp_path / "run")


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"step": "x"}'])
def test_a_damaged_record_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / log.METRICS).write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(log.LogError, match=r"metrics\.jsonl, line 2: no record"):
        log.read(tmp_path)


def test_a_run_that_cannot_be_saved_is_not_begun(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 64, "overrides": SMALL["ppo"]}
    kwargs = {"mdp": rlkit.exact("rlkit/Exam-v0")}
    with pytest.raises(UnsupportedError, match="env_kwargs hold 'mdp', a MDP"):
        train("rlkit/MDP-v0", **settings, env_kwargs=kwargs, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train("rlkit/MDP-v0", **settings, env_kwargs=kwargs).steps == 64
