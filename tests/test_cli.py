"""The command line as a user meets it: what it prints, where, and how it exits."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from rlkit import checkpoint
from rlkit.agents import AGENTS
from rlkit.cli import learning


def test_help_names_every_command(rlkit):
    status, out, _ = rlkit("--help")
    assert status == 0
    for command in ("envs", "solve", "train", "eval"):
        assert f"\n  {command} " in out


def test_solve_exam_shows_table_6_37(rlkit):
    status, out, err = rlkit("solve", "exam")
    assert (status, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip().startswith("u")}
    assert rows == {
        "u0": ["−1.171", "−0.159", "party", "−0.159"],
        "u1": ["0.53", "0.57", "party", "0.57"],
        "u2": ["−1.9", "−5.1", "study", "−1.9"],
        "u3": ["3", "−3", "study", "3"],
    }
    assert "certified" in out
    assert "1 sweep," in out


def test_solve_exam_as_json(rlkit):
    status, out, _ = rlkit("solve", "exam", "--json")
    record = json.loads(out)
    assert status == 0
    assert record["policy"] == ["party", "party", "study", "study", None, None]
    assert record["sweeps"] == 1
    assert record["converged"] is True
    expected = [(-1.171, -0.159), (0.53, 0.57), (-1.9, -5.1), (3, -3)]
    for row, (study, party) in zip(record["q"], expected, strict=False):
        assert row["study"] == pytest.approx(study, abs=1e-12)
        assert row["party"] == pytest.approx(party, abs=1e-12)


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("FrozenLake-v1", "--gamma", "1"), 14 / 17),
        (("FrozenLake-v1", "--horizon", "100"), 0.7441902878292694),
        (("CliffWalking-v1",), -13.0),
        (("Taxi-v4",), 7.93),
    ],
)
def test_known_optima(rlkit, args, value):
    status, out, _ = rlkit("solve", *args, "--json")
    start = json.loads(out)["initial"]
    assert status == 0
    assert start["value"] == pytest.approx(value, abs=1e-9)
    assert start["lower"] - 1e-12 <= value <= start["upper"] + 1e-12


TRA = "2 2 3\n0 0 0 0.5\n0 0 1 0.5\n1 0 1 1\n"


def test_a_tra_file_without_rewards_is_worth_exactly_nothing(rlkit, tmp_path):
    (tmp_path / "m.tra").write_text(TRA)
    (tmp_path / "m.srew").write_text("2 1\n0 1.0\n")
    told = "rlkit: warning: m.tra has no rewards; --rewards FILE gives those of a .tra file\n"
    _, out, err = rlkit("solve", "m.tra")
    assert ("0 in [0, 0]" in out, "the model has no rewards" in out, err) == (True, True, told)
    _, out, err = rlkit("solve", "m.tra", "--rewards", "m.srew")
    assert ("2 in [" in out, err) == (True, "")
    _, out, err = rlkit("solve", "m.tra", "--objective", "reach-prob", "--target-states", "1")
    assert (": decided by the graph alone" in out, "one sweep" in out, err) == (True, False, "")


def test_one_of_a_kind_is_singular(rlkit, tmp_path):
    (tmp_path / "m.tra").write_text(TRA)
    asked = ("solve", "m.tra", "--objective", "reach-prob", "--target-states", "1", "--horizon", "1")
    assert "reaching the target within 1 step, gamma" in rlkit(*asked)[1]
    assert "reward of the first 1 step, gamma" in rlkit("solve", "exam", "--horizon", "1")[1]
    assert "reward of the first 2 steps, gamma" in rlkit("solve", "exam", "--horizon", "2")[1]


def test_until_a_target_within_steps(rlkit, tmp_path):
    """The shorter way leads by what is to be avoided, and is taken only if nothing is."""
    model = tmp_path / "ways.drn"
    states = [
        ("0 init", {"short": {1: 1.0}, "long": {2: 1.0}}),
        ("1 bad", {"on": {3: 1.0}}),
        ("2", {"on": {3: 0.5, 2: 0.5}}),
        ("3 goal", {"stay": {3: 1.0}}),
    ]
    lines = ["@type: MDP", "@parameters", "", "@reward_models", "", "@nr_states", "4", "@model"]
    for state, actions in states:
        lines.append(f"state {state}")
        for action, row in actions.items():
            lines += [f"action {action}", *(f"{t} : {p}" for t, p in row.items())]
    model.write_text("\n".join(lines) + "\n")

    def solved(*more):
        asked = ("solve", str(model), "--objective", "reach-prob", "--target", "goal", "--horizon", "3")
        status, out, _ = rlkit(*asked, *more)
        assert status == 0
        return out

    free, careful = (json.loads(solved(*more, "--json")) for more in ((), ("--avoid", "bad")))
    assert (free["initial"]["value"], free["plan"][0][0]) == (1.0, "short")
    assert (careful["initial"]["value"], careful["plan"][0][0]) == (0.75, "long")
    assert [row[1] for row in careful["plan"]] == [None] * 3
    assert (free["q"][3], free["q"][1]) == ({"stay": None}, {"on": 1.0})
    assert careful["q"][1] == {"on": None}, "whoever is there gives up"
    rows = [line.split() for line in solved("--avoid", "bad").splitlines()]
    assert ["1", "–", "–", "–", "–", "–", "0"] in rows
    assert ["3", "–", "–", "–", "–", "–", "1"] in rows
    assert "reaching the target without what is to be avoided within 3 steps" in solved("--avoid-states", "1")


def test_large_models_are_listed_only_when_asked(rlkit):
    _, out, _ = rlkit("solve", "taxi", "--json")
    assert "values" not in json.loads(out)
    assert "too large for a table: --all-values --json prints every value" in rlkit("solve", "taxi")[1]
    assert "too large" not in rlkit("solve", "exam")[1]
    _, out, _ = rlkit("solve", "taxi", "--json", "--all-values")
    assert len(json.loads(out)["values"]) == 500


def test_a_grid_is_drawn_with_arrows(rlkit):
    _, out, _ = rlkit("solve", "gridworld")
    assert "→" in out
    assert "0.918" in out


@pytest.mark.filterwarnings("always::rlkit.core.ModelWarning")
def test_a_warning_is_one_line_without_the_source(rlkit, tmp_path):
    model = tmp_path / "m.tra"
    model.write_text("2 1 2\n0 0 0 0.333333\n0 0 1 0.666666\n")
    status, out, err = rlkit("solve", str(model), "--gamma", "0.5", "--json")
    assert status == 0
    assert json.loads(out)["converged"]
    lines = [line for line in err.splitlines() if "renormalised" in line]
    assert lines == [
        "rlkit: warning: m.tra:2: 1 rows renormalised to sum to 1; the worst, here, was off by -1e-06"
    ]


def test_an_answer_that_is_not_certified_exits_3(rlkit, monkeypatch):
    from rlkit.solvers import objectives

    def loose(mdp, choice, **options):
        zero = np.zeros(mdp.n_states)
        return objectives.Bounded(zero, zero - 1, zero + 1, choice, 1)

    monkeypatch.setattr(objectives, "certify_total", loose)
    status, out, _ = rlkit("solve", "FrozenLake-v1", "--method", "policy-iteration", "--gamma", "1", "--json")
    record = json.loads(out)
    assert status == 3
    assert record["converged"] is False
    assert (record["initial"]["lower"], record["initial"]["upper"]) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("solve",), "Missing argument"),
        (("solve", "nothing-like-it"), "no environment 'nothing-like-it'"),
        (("solve", "frozenlak"), "near it: rlkit/FrozenLake-v0"),
        (("solve", "cartpole"), "no exact model"),
        (("solve", "exam", "--gamma", "1.5"), "gamma must lie in [0, 1], not 1.5"),
        (("solve", "exam", "--gamma", "much"), "--gamma"),
        (("solve", "exam", "--horizon", "-1"), "horizon must be a whole number from 0"),
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
            "no label 'goal' in this model (labels: none; --labels FILE gives those of a .tra file); "
            "--target-states takes numbers instead",
        ),
        (
            ("solve", "exam", "--objective", "reach-prob", "--target-states", "1", "--avoid", "bad"),
            "no label 'bad' in this model (labels: none; --labels FILE gives those of a .tra file); "
            "--avoid-states takes numbers instead",
        ),
        (("solve", "exam", "--avoid-states", "1"), "objective total has no states to avoid; reach-prob has"),
        (("solve", "exam", "--avoid-states", "a"), "--avoid-states takes numbers like 1,4, not 'a'"),
        (
            ("solve", "exam", "--avoid", "x", "--avoid-states", "1"),
            "give --avoid or --avoid-states, not both",
        ),
        (("solve", "tictactoe", "--env", "opponent=null"), "name an opponent, or use rlkit.solvers.minimax"),
        (("solve", "exam", "--colour"), "No such option: --colour"),
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
def test_bad_input_is_one_clear_line(rlkit, args, message):
    status, out, err = rlkit(*args)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.startswith("rlkit: ")
    assert err.count("\n") == 1


def test_envs(rlkit):
    status, out, _ = rlkit("envs", "--json")
    records = {r["id"]: r for r in json.loads(out)["environments"]}
    assert status == 0
    assert records["rlkit/Exam-v0"]["optimum"] == pytest.approx(-0.159, abs=1e-12)
    assert records["rlkit/FrozenLake-v0"]["optimum_in_limit"] == pytest.approx(0.74419, abs=1e-5)
    status, out, _ = rlkit("envs", "gridworld")
    assert status == 0
    assert "step_reward" in out


def test_train_then_grade(rlkit):
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
    assert rlkit("eval", trained["run"], "--goal", str(percent + 0.1))[0] == 3
    assert rlkit("eval", trained["run"], "--goal", "nan")[0] == 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_run_says_how_to_go_on_and_does(name, rlkit, monkeypatch):
    from rlkit import report

    stop = getattr(signal, name)

    shown = []

    def stop_early(self, record):
        shown.append(record["step"])
        if len(shown) == 1:
            os.kill(os.getpid(), stop)

    monkeypatch.setattr(report.TrainingView, "__call__", stop_early)
    status, out, err = rlkit("train", "exam", "--steps", "20000")
    assert status == 128 + stop
    assert out == ""
    saved = checkpoint.load("runs/Exam-v0-ppo-0").steps
    assert 0 < saved < 20000
    assert err == (
        f"rlkit: stopped and saved at step {saved}; resume with: rlkit train --resume runs/Exam-v0-ppo-0\n"
    )
    titles = []
    monkeypatch.setattr(report.TrainingView, "__enter__", lambda view: titles.append(view.title) or view)
    status, out, _ = rlkit("train", "--resume", "runs/Exam-v0-ppo-0", "--json")
    assert titles == ["ppo on rlkit/Exam-v0, seed 0, resumed"]
    assert status == 0
    assert json.loads(out)["steps"] == 20000


@pytest.mark.parametrize(
    ("id", "exactly"), [("exam", "-159/1000"), ("FrozenLake-v1", "14/17"), ("gridworld", "4119/5840")]
)
def test_exact_fractions(rlkit, id, exactly):
    status, out, _ = rlkit("solve", id, "--method", "exact", "--json")
    assert status == 0
    assert json.loads(out)["fraction"] == exactly


def test_a_grid_is_plotted(rlkit, tmp_path):
    status, out, _ = rlkit("solve", "gridworld", "--plot", "grid.png")
    assert (status, out.splitlines()[-1]) == (0, "picture in grid.png")
    _, out, _ = rlkit("solve", "gridworld", "--plot", "grid.png", "--json")
    json.loads(out)
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = rlkit("solve", "gridworld", "--plot", "grid.xyz")
    assert status == 2
    assert "grid.xyz" in err
    status, _, err = rlkit("solve", "exam", "--plot", "exam.png")
    assert status == 2
    assert "--plot draws grids" in err


def test_objectives_from_a_file(rlkit, tmp_path):
    """Go right with 3/4 or fall off; a detour is free, so the largest chance to arrive is that of one try."""
    (tmp_path / "walk.tra").write_text("4 5 6\n0 0 1 0.75\n0 0 3 0.25\n0 1 0 1\n1 0 2 1\n2 0 2 1\n3 0 3 1\n")
    (tmp_path / "walk.lab").write_text('0="init" 1="deadlock" 2="home"\n0: 0\n2: 2\n')
    (tmp_path / "walk.srew").write_text("4 2\n0 2\n1 3\n")
    given = ("walk.tra", "--labels", "walk.lab", "--json")
    rewards = ("--rewards", "walk.srew", "--objective", "reach-reward")
    for args, value in (
        ((*given, "--objective", "reach-prob", "--target", "home"), 0.75),
        ((*given, "--objective", "reach-prob", "--target", "home", "--minimize"), 0.0),
        ((*given, *rewards, "--target-states", "2,3", "--minimize"), 2 + 0.75 * 3),
        ((*given, *rewards, "--target", "home"), "inf"),
        ((*given, "--rewards", "walk.srew", "--objective", "average"), 2.0),
    ):
        status, out, _ = rlkit("solve", *args)
        record = json.loads(out)
        assert status == 0
        start = record["initial"]
        assert start["value"] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-9))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--objective", "reach-prob"), "needs a target"),
        (("--objective", "total", "--target", "x"), "--target needs --objective reach-prob or reach-reward"),
        (("--objective", "reach-prob", "--target", "x"), "no label 'x'"),
        (("--objective", "reach-prob", "--target-states", "99"), "target state 99 is none of 0..5"),
        (("--objective", "reach-prob", "--target-states", "a"), "numbers like 1,4"),
        (("--objective", "finite-horizon"), "needs a horizon"),
        (("--objective", "total", "--horizon", "3"), "has no horizon"),
        (("--objective", "discounted"), "needs a gamma below 1"),
        (("--objective", "total", "--gamma", "0.5"), "knows no discount"),
        (("--objective", "fun"), "objective 'fun' is none of"),
    ],
)
def test_objectives_and_what_they_need(rlkit, args, message):
    status, out, err = rlkit("solve", "exam", *args)
    assert (status, out) == (2, "")
    assert message in err


def test_episodes_that_do_not_end_are_cut_and_counted(rlkit):
    status, out, _ = rlkit("train", "CliffWalking-v1", "--steps", "64", "--out", "run")
    assert status == 0
    assert "did not end and were cut" in out


def test_numbers_on_the_command_line(rlkit):
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


def test_the_help_names_every_agent(rlkit):
    assert set(learning.AGENT_NAMES) == set(AGENTS)
    status, out, _ = rlkit("train", "--help")
    assert status == 0
    assert ", ".join(learning.AGENT_NAMES) in " ".join(out.split())


def test_agents_and_their_settings_are_listed(rlkit):
    status, out, _ = rlkit("agents")
    assert status == 0
    assert all(f"\n {name} " in out for name in AGENTS)
    status, out, _ = rlkit("agents", "ppo", "--json")
    described = json.loads(out)
    assert described["agent"] == "ppo"
    assert {s["name"]: s["default"] for s in described["settings"]}["gae_lambda"] == "0.95"
    status, _, err = rlkit("agents", "pqm")
    assert (status, err) == (2, "rlkit: no agent 'pqm'; did you mean 'pqn'?\n")


def test_train_says_that_it_stopped_early(rlkit):
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


def test_modules_of_the_current_folder_are_found(tmp_path):
    (tmp_path / "games").mkdir()
    for path in (tmp_path / "coin.py", tmp_path / "games" / "coin.py"):
        path.write_text(MODULE)
    (tmp_path / "numpy.py").write_text("raise SystemExit('an installed module comes first')")

    def output(*arguments):
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
