"""`rlkit solve` as a user meets it: what it prints, and how it exits."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_solve_exam_shows_table_6_37(rlkit: Any) -> None:
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


def test_solve_exam_as_json(rlkit: Any) -> None:
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
def test_known_optima(rlkit: Any, args: Any, value: Any) -> None:
    status, out, _ = rlkit("solve", *args, "--json")
    start = json.loads(out)["initial"]
    assert status == 0
    assert start["value"] == pytest.approx(value, abs=1e-9)
    assert start["lower"] - 1e-12 <= value <= start["upper"] + 1e-12


TRA = "2 2 3\n0 0 0 0.5\n0 0 1 0.5\n1 0 1 1\n"


def test_a_tra_file_without_rewards_is_worth_exactly_nothing(rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "m.tra").write_text(TRA)
    (tmp_path / "m.srew").write_text("2 1\n0 1.0\n")
    told = "rlkit: warning: m.tra has no rewards; --rewards FILE gives those of a .tra file\n"
    _, out, err = rlkit("solve", "m.tra")
    assert ("0 in [0, 0]" in out, "the model has no rewards" in out, err) == (True, True, told)
    _, out, err = rlkit("solve", "m.tra", "--rewards", "m.srew")
    assert ("2 in [" in out, err) == (True, "")
    _, out, err = rlkit("solve", "m.tra", "--objective", "reach-prob", "--target-states", "1")
    assert (": decided by the graph alone" in out, "one sweep" in out, err) == (True, False, "")


def test_one_of_a_kind_is_singular(rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "m.tra").write_text(TRA)
    asked = ("solve", "m.tra", "--objective", "reach-prob", "--target-states", "1", "--horizon", "1")
    assert "reaching the target within 1 step\n" in re.sub(" +\n", "\n", rlkit(*asked)[1])
    assert "reward of the first 1 step, gamma" in rlkit("solve", "exam", "--horizon", "1")[1]
    assert "reward of the first 2 steps, gamma" in rlkit("solve", "exam", "--horizon", "2")[1]


def test_until_a_target_within_steps(rlkit: Any, tmp_path: Path) -> None:
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

    def solved(*more: Any) -> Any:
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
    assert "reaching the target before any state to avoid within 3 steps" in solved("--avoid-states", "1")


def test_large_models_are_listed_only_when_asked(rlkit: Any) -> None:
    _, out, _ = rlkit("solve", "taxi", "--json")
    assert "values" not in json.loads(out)
    assert "too large for a table: --all-values --json prints every value" in rlkit("solve", "taxi")[1]
    assert "too large" not in rlkit("solve", "exam")[1]
    _, out, _ = rlkit("solve", "taxi", "--json", "--all-values")
    assert len(json.loads(out)["values"]) == 500


def test_a_grid_is_drawn_with_arrows(rlkit: Any) -> None:
    _, out, _ = rlkit("solve", "gridworld")
    assert "→" in out
    assert "0.918" in out


@pytest.mark.filterwarnings("always::rlkit.core.ModelWarning")
def test_a_warning_is_one_line_without_the_source(rlkit: Any, tmp_path: Path) -> None:
    model = tmp_path / "m.tra"
    model.write_text("2 1 2\n0 0 0 0.333333\n0 0 1 0.666666\n")
    status, out, err = rlkit("solve", str(model), "--gamma", "0.5", "--json")
    assert status == 0
    assert json.loads(out)["converged"]
    lines = [line for line in err.splitlines() if "renormalised" in line]
    assert lines == [
        "rlkit: warning: m.tra:2: 1 rows renormalised to sum to 1; the worst, here, was off by -1e-06"
    ]


def test_an_answer_that_is_not_certified_exits_3(rlkit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rlkit.solvers import objectives

    def loose(mdp: Any, choice: Any, **options: Any) -> Any:
        zero = np.zeros(mdp.n_states)
        return objectives.Bounded(zero, zero - 1, zero + 1, choice, 1)

    monkeypatch.setattr(objectives, "certify_total", loose)
    status, out, _ = rlkit("solve", "FrozenLake-v1", "--method", "policy-iteration", "--gamma", "1", "--json")
    record = json.loads(out)
    assert status == 3
    assert record["converged"] is False
    assert (record["initial"]["lower"], record["initial"]["upper"]) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("id", "exactly"), [("exam", "-159/1000"), ("FrozenLake-v1", "14/17"), ("gridworld", "4119/5840")]
)
def test_exact_fractions(rlkit: Any, id: str, exactly: str) -> None:
    status, out, _ = rlkit("solve", id, "--method", "exact", "--json")
    assert status == 0
    assert json.loads(out)["fraction"] == exactly


def test_a_grid_is_plotted(rlkit: Any, tmp_path: Path) -> None:
    status, out, _ = rlkit("solve", "gridworld", "--plot", "grid.png")
    assert (status, out.splitlines()[-1]) == (0, "picture in grid.png")
    _, out, _ = rlkit("solve", "gridworld", "--plot", "grid.png", "--json")
    json.loads(out)
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    status, _, err = rlkit("solve", "gridworld", "--plot", "grid.xyz")
    assert status == 2
    assert "grid.xyz" in err
    status, _, err = rlkit("solve", "gridworld", "--plot", "nosuffix")
    assert (status, err.startswith("rlkit: nosuffix: Format '' is not supported")) == (2, True)
    assert not list(tmp_path.glob("nosuffix*"))
    for id in ("exam", "gambler", "taxi"):
        assert rlkit("solve", id, "--plot", f"{id}.png")[0] == 0
        assert (tmp_path / f"{id}.png").read_bytes().startswith(b"\x89PNG")


def test_objectives_from_a_file(rlkit: Any, tmp_path: Path) -> None:
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
        (("--objective", "reach-prob", "--target", "x"), "no label or state 'x'"),
        (("--objective", "reach-prob", "--target-states", "99"), "target state 99 is none of 0..5"),
        (("--objective", "reach-prob", "--target-states", "a"), "numbers like 1,4"),
        (("--objective", "finite-horizon"), "needs a horizon"),
        (("--objective", "total", "--horizon", "3"), "has no horizon"),
        (("--objective", "discounted"), "needs a gamma below 1"),
        (("--objective", "total", "--gamma", "0.5"), "does not support discounting"),
        (("--objective", "fun"), "objective 'fun' is none of"),
    ],
)
def test_objectives_and_what_they_need(rlkit: Any, args: Any, message: str) -> None:
    status, out, err = rlkit("solve", "exam", *args)
    assert (status, out) == (2, "")
    assert message in err


def test_the_name_of_a_state_is_a_target(rlkit: Any) -> None:
    def solved(id: Any, *more: Any) -> Any:
        status, out, err = rlkit("solve", id, "--objective", "reach-prob", "--json", *more)
        assert (status, err) == (0, "")
        return json.loads(out)["initial"]["value"]

    assert "gamma" not in rlkit("solve", "exam", "--objective", "reach-prob", "--target", "pass")[1]
    assert solved("exam", "--target", "pass") == solved("exam", "--target-states", "5") > 0
    assert solved("exam", "--target", "pass", "--avoid", "u1") == pytest.approx(0.7 * 0.7 * 0.7)
    assert solved("frozenlake", "--target", "(3,3)") == pytest.approx(14 / 17)
    status, _, err = rlkit("solve", "exam", "--objective", "reach-prob", "--target", "PASS")
    assert status == 2
    assert "no label or state 'PASS' in this model (labels: none; states: u0, u1, u2, u3, fail, pass)" in err
    _, _, err = rlkit("solve", "frozenlake", "--objective", "reach-prob", "--target", "(3,4)")
    assert "no label or state '(3,4)' in this model (labels: none); did you mean '(" in err


def test_a_game_of_two_players_is_played_for_both(rlkit: Any) -> None:
    status, out, _ = rlkit("solve", "tictactoe", "--env", "opponent=null", "--json")
    record = json.loads(out)
    assert (status, record["converged"], record["sees"]) == (0, True, "both players")
    assert record["initial"] == {"value": 0, "lower": 0, "upper": 0}
    assert "moves for both players" in rlkit("solve", "tictactoe", "--env", "opponent=null")[1]


def test_a_method_of_ones_own_is_found_in_the_current_folder(
    rlkit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_methods.py").write_text(
        "import numpy as np\ndef nothing(mdp, *, gamma):\n    return np.zeros(mdp.n_states), 0\n"
    )
    status, out, _ = rlkit("solve", "exam", "--gamma", "0.9", "--method", "my_methods:nothing", "--json")
    record = json.loads(out)
    assert (status, record["method"], record["converged"]) == (3, "my_methods:nothing", False)
    status, _, err = rlkit("solve", "exam", "--method", "my_methods:no")
    assert (status, "method 'my_methods:no' cannot be imported" in err) == (2, True)
    (tmp_path / "odd_methods.py").write_text("def nothing(mdp, *, gamma):\n    return None\n")
    status, _, err = rlkit("solve", "exam", "--gamma", "0.9", "--method", "odd_methods:nothing")
    assert (status, "must return finite values [6] and a number of sweeps" in err) == (2, True)
