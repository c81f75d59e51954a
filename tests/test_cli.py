"""The command line as a user meets it: what it prints, where, and how it exits."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from rlkit.registry import names
from rlkit.run import checkpoint


def test_help_names_every_command(rlkit: Any) -> None:
    status, out, _ = rlkit("--help")
    assert status == 0
    for command in ("envs", "solve", "train", "eval"):
        assert f"\n  {command} " in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("solve",), "Missing argument"),
        (("solve", "nothing-like-it"), "no environment 'nothing-like-it'"),
        (("solve", "frozenlak"), "did you mean rlkit/FrozenLake-v0"),
        (("solve", "cartpole"), "no exact model"),
        (("solve", "exam", "--gamma", "1.5"), "gamma must lie in [0, 1], not 1.5"),
        (("solve", "exam", "--gamma", "much"), "--gamma"),
        (("solve", "exam", "--horizon", "-1"), "horizon must be at least 0, not -1"),
        (("solve", "exam", "--epsilon", "0"), "epsilon must be a positive number"),
        (("solve", "exam", "--method", "guess"), "method 'guess' is none of"),
        (("solve", "exam", "--horizon", "3", "--method", "exact"), "is solved by method auto, not 'exact'"),
        (("solve", "exam", "--target", "x"), "--target needs --objective reach-prob or reach-reward"),
        (
            ("solve", "exam", "--target-states", "1", "--gamma", "0.5"),
            "--target needs --objective reach-prob",
        ),
        (
            ("solve", "exam", "--objective", "reach-prob"),
            "objective reach-prob needs a target (--target LABEL or --target-states 1,4)",
        ),
        (
            ("solve", "exam", "--objective", "reach-prob", "--target", "goal"),
            "no label or state 'goal' in this model (labels: none; states: u0, u1, u2, u3, fail, pass); "
            "--target-states takes numbers instead",
        ),
        (
            ("solve", "exam", "--objective", "reach-prob", "--target-states", "1", "--avoid", "bad"),
            "no label or state 'bad' in this model (labels: none; states: u0, u1, u2, u3, fail, pass); "
            "--avoid-states takes numbers instead",
        ),
        (("solve", "exam", "--avoid-states", "1"), "objective total has no states to avoid; reach-prob has"),
        (("solve", "exam", "--avoid-states", "a"), "--avoid-states takes numbers like 1,4, not 'a'"),
        (
            ("solve", "exam", "--avoid", "x", "--avoid-states", "1"),
            "give --avoid or --avoid-states, not both",
        ),
        (("train", "exam", "--steps"), "Option '--steps' requires an argument.\n"),
        (("solve", "exam", "--colour"), "No such option: --colour\n"),
        (("train", "exam", "--num_envs", "4"), "--env); --set NAME=VALUE is for options of the agent\n"),
        (("solve", "gridworld", "--env", "slip"), "'slip' is not NAME=VALUE"),
        (("solve", "gridworld", "--env", "slp=1"), "unexpected keyword argument 'slp'"),
        (("solve", "gridworld", "--env", "slip=2"), "slip must be a finite number from 0 to 1, not 2"),
        (("solve", "missing.json"), "missing.json"),
        (("train",), "give an environment ID"),
        (("train", "exam", "--agent", "sarsop"), "no agent 'sarsop'; did you mean 'sarsa'?"),
        (("train", "exam", "--steps", "0"), "steps must be at least 1"),
        (("train", "exam", "--set", "gama=0.9"), "did you mean 'gamma'"),
        (("train", "exam", "--set", "gamma=2"), "gamma"),
        (("train", "--resume", "nowhere"), "there is no run nowhere"),
        (("eval", "nowhere"), "there is no folder nowhere"),
        (("eval", "nowhere"), "nowhere"),
        (("train", "--resume", "run", "--seed", "0"), "--seed does not apply"),
        (("train", "exam", "--resume", "run"), "ID does not apply"),
        (("solve", "exam", "--reward-model", "x"), "--reward-model does not apply"),
        (("solve", "m.drn", "--env", "slip=0"), "--env does not apply"),
        (("envs", "nothing-like-it"), "no environment"),
    ],
)
def test_bad_input_is_one_clear_line(rlkit: Any, args: Any, message: str) -> None:
    status, out, err = rlkit(*args)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("rlkit: ")
    assert err.count("\n") == 1


def test_envs(rlkit: Any) -> None:
    status, out, _ = rlkit("envs", "--json")
    records = {r["id"]: r for r in json.loads(out)["environments"]}
    assert status == 0
    assert records["rlkit/Exam-v0"]["optimum"] == pytest.approx(-0.159, abs=1e-12)
    assert records["rlkit/FrozenLake-v0"]["optimum_in_limit"] == pytest.approx(0.74419, abs=1e-5)
    status, out, _ = rlkit("envs", "gridworld")
    assert status == 0
    assert "step_reward" in out


def test_train_then_grade(rlkit: Any) -> None:
    status, out, err = rlkit("train", "exam", "--steps", "2000", "--seed", "3", "--json")
    trained = json.loads(out)
    assert status == 0
    assert trained["steps"] == 2000
    assert "step 2000/2000" in err
    status, out, _ = rlkit("eval", trained["run"], "--json", "--episodes", "50")
    record = json.loads(out)
    assert status == 0
    assert record["exact"] == trained["exact"]
    assert record["episodes"] == 50
    assert set(record["exact"]) >= {"objective", "value", "optimum", "random", "percent_of_optimum", "regret"}
    percent = record["exact"]["percent_of_optimum"]
    assert rlkit("eval", trained["run"], "--goal", str(percent - 0.1))[0] == 0
    status, _, err = rlkit("eval", trained["run"], "--goal", str(percent + 0.1))
    assert (status, err) == (3, f"rlkit: below the goal: {percent:.6g} < {percent + 0.1:g}\n")
    assert rlkit("eval", trained["run"], "--goal", "nan")[0] == 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_run_says_how_to_resume_it_and_does(
    name: str, rlkit: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    from rlkit.report.terminal.live import TrainingView

    stop = getattr(signal, name)
    before = signal.signal(stop, signal.SIG_DFL)  # tests run under nohup, too
    request.addfinalizer(lambda: signal.signal(stop, before))
    shown = []

    def stop_early(self: Any, record: Any) -> None:
        shown.append(record["step"])
        if len(shown) == 1:
            os.kill(os.getpid(), stop)

    monkeypatch.setattr(TrainingView, "__call__", stop_early)
    status, out, err = rlkit("train", "exam", "--steps", "20000")
    assert status == 128 + stop
    assert out == ""
    saved = checkpoint.load("runs/Exam-v0-ppo-0").steps
    assert 0 < saved < 20000
    assert err == (
        f"rlkit: stopped and saved at step {saved}; resume with: rlkit train --resume runs/Exam-v0-ppo-0\n"
    )
    titles = []
    monkeypatch.setattr(TrainingView, "__enter__", lambda view: titles.append(view.title) or view)
    status, out, _ = rlkit("train", "--resume", "runs/Exam-v0-ppo-0", "--json")
    assert titles == ["ppo on rlkit/Exam-v0, seed 0, resumed"]
    assert status == 0
    assert json.loads(out)["steps"] == 20000


def test_episodes_that_do_not_end_are_cut_and_counted(rlkit: Any) -> None:
    status, out, _ = rlkit("train", "CliffWalking-v1", "--steps", "64", "--out", "run")
    assert status == 0
    assert "did not end and were cut" in out
    _, out, _ = rlkit("eval", "run", "--episodes", "2", "--max-steps", "7", "--json")
    assert (json.loads(out)["mean_length"], json.loads(out)["cut"]) == (7, 2)


def test_numbers_on_the_command_line(rlkit: Any) -> None:
    status, out, _ = rlkit("train", "exam", "--steps", "1e2", "--out", "run", "--json")
    assert (status, json.loads(out)["steps"]) == (0, 100)
    for command, why in (
        (("train", "exam", "--steps", "1.5"), "steps must be a whole number, not '1.5'"),
        (("train", "exam", "--steps", "many"), "steps must be a whole number, not 'many'"),
        (("train", "exam", "--steps", "0"), "steps must be at least 1, not 0"),
        (("train", "exam", "--seed", "-1"), "seed must be at least 0, not -1"),
        (
            ("train", "exam", "--checkpoint-every", "inf"),
            "checkpoint_every must be a whole number, not 'inf'",
        ),
        (("eval", "run", "--episodes", "1"), "episodes must be at least 2, not 1"),
        (("record", "exam", "--fps", "1e3"), "fps must be at most 100, not 1000"),
        (("check-agent", "ppo", "--steps", "x"), "steps must be a whole number, not 'x'"),
    ):
        assert rlkit(*command) == (2, "", f"rlkit: {why}\n")


def test_the_help_names_every_agent(rlkit: Any) -> None:
    status, out, _ = rlkit("train", "--help")
    assert status == 0
    assert ", ".join(names("agent")) in " ".join(out.split())


@pytest.mark.parametrize("command", ["train exam --agent", "agents"])
@pytest.mark.parametrize("name", ["sarsop", "nowhere:Agent"])
def test_a_wrong_agent_is_refused_before_torch_is_imported(command: str, name: str) -> None:
    code = f"""
import sys
from rlkit.cli import main
sys.argv = ["rlkit", *{command.split()}, "{name}"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 2
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
    assert "\n" not in done.stderr.strip()
    assert f"agent {name!r}" in done.stderr


def test_agents_and_their_options_are_listed(rlkit: Any) -> None:
    status, out, _ = rlkit("agents")
    assert status == 0
    assert all(f"\n {name} " in out for name in names("agent"))
    status, out, _ = rlkit("agents", "ppo", "--json")
    described = json.loads(out)
    assert described["agent"] == "ppo"
    assert {s["name"]: s["default"] for s in described["options"]}["gae_lambda"] == "0.95"
    status, _, err = rlkit("agents", "pqm")
    assert (status, err) == (2, "rlkit: no agent 'pqm'; did you mean 'pqn'?\n")


def test_train_says_that_it_stopped_early(rlkit: Any) -> None:
    unable = {  # nothing gets better with these
        "num_envs": 4,
        "rollout_steps": 16,
        "evaluate_every": 64,
        "evaluate_episodes": 2,
        "patience": 2,
        "learning_rate": 1e-9,
    }
    sets = [f"--set={name}={value}" for name, value in unable.items()]
    status, out, err = rlkit("train", "FrozenLake-v0", "--steps", "640", "--out", "run", "--json", *sets)
    assert status == 0
    assert json.loads(out)["steps"] == 192
    assert (
        "rlkit: stopped early at step 192 of 640, after 2 evaluations without one above 0; "
        "the agent is that of step 64" in err
    )


MODULE = """
import gymnasium

class Coin(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(1), gymnasium.spaces.Discrete(2)
    initial_state_distrib = [1.0]
    P = {0: {0: [(1.0, 0, 0.0, True)], 1: [(1.0, 0, 1.0, True)]}}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 0, float(action), True, False, {}

gymnasium.register("Coin-v0", entry_point=Coin)
"""


def test_modules_of_the_current_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "games").mkdir()
    for path in (tmp_path / "coin.py", tmp_path / "games" / "coin.py"):
        path.write_text(MODULE)
    (tmp_path / "numpy.py").write_text("raise SystemExit('an installed module comes first')")

    def output(*arguments: Any) -> Any:
        command = [sys.executable, "-P", "-m", "rlkit", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    id = "games.coin:Coin-v0"
    assert output("check", "coin:Coin-v0", "--json")["checks"]
    assert output("solve", id, "--json")["initial"]["value"] == 1.0
    assert output("envs", id, "--json")["id"] == id
    options = ("--agent", "q_learning", "--steps", "512", "--json")
    assert output("train", id, *options)["env_id"] == id


BROKEN = """
from dataclasses import dataclass
import gymnasium
import numpy as np
from rlkit.core.model import Model
from rlkit.envs import ModelEnv

@dataclass
class Height:
    steps: np.ndarray

class Broken(Model):
    n_actions, n_events = 1, 1
    observation_space = gymnasium.spaces.Discrete(2)

    def start_probs(self):
        return np.ones(1)

    def initial(self, event):
        return Height(np.zeros_like(event))

    def observe(self, state):
        return state.steps

    def event_probs(self, state, action):
        return np.ones((len(action), 1))

    def transition(self, state, action, event):
        return state.stepz + 1

gymnasium.register("Broken-v0", entry_point=lambda **options: ModelEnv(Broken(), **options))
"""


def test_an_error_in_code_of_the_users_own_is_one_line_that_names_its_place(
    rlkit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "ladder.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("ladder")
    request.addfinalizer(lambda: (sys.modules.pop("ladder"), gymnasium.registry.pop("Broken-v0")))
    for command in ("solve", "envs", "record"):
        status, _, err = rlkit(command, "Broken-v0")
        assert status == 2
        assert err == "rlkit: AttributeError: 'Height' object has no attribute 'stepz' (ladder.py:29)\n"


def test_an_error_of_rlkits_own_keeps_its_traceback(rlkit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlkit.report.solution", None)
    with pytest.raises(TypeError):
        rlkit("solve", "exam")
