"""`rlkit solve` where states are partially observable: files and environments."""

import json
from pathlib import Path
from typing import Any

import pytest
from sample_files import TIGER, put

from rlkit.solvers import belief_mdp, optima


def solved(rlkit: Any, *args: Any) -> Any:
    status, out, _ = rlkit("solve", *args, "--json")
    return status, json.loads(out)


def test_a_pomdp_file_is_solved_for_who_remembers(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    status, record = solved(rlkit, "tiger.POMDP")
    assert status == 0
    assert record["sees"] == "beliefs"
    assert record["converged"] is True
    assert record["initial"]["value"] == pytest.approx(19.3714, abs=1e-4)
    assert record["full_information"]["value"] == pytest.approx(200)
    assert record["values"] == pytest.approx([200, 200]), "of the states, were they seen"
    beliefs = record["beliefs"]
    assert beliefs["all"]
    assert beliefs["count"] == len(beliefs["values"])
    assert beliefs["state_names"][0] == "nothing yet: tiger-left 0.5, tiger-right 0.5"
    assert beliefs["policy"][0] == "listen"


def test_the_table_lists_beliefs(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    _, out, _ = rlkit("solve", "tiger.POMDP")
    assert "nothing yet: tiger-left 0.5" in out
    assert "fully observable  200" in out


def test_with_a_horizon_beliefs_have_the_steps_left_when_they_are_reached(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "tiger.POMDP", TIGER.replace("T: listen", "start: 0.85 0.15\nT: listen", 1))
    _, record = solved(rlkit, "tiger.POMDP", "--horizon", "2")
    again = 0.85**2 + 0.15**2  # the chance to hear the same once more, and to be sure enough then
    opened = (10 * 0.85**2 - 100 * 0.15**2) / again
    beliefs = record["beliefs"]
    assert beliefs["values"][:2] == pytest.approx([-1 + 0.95 * (again * opened + (1 - again) * -1), opened])
    assert beliefs["steps_left"][:3] == [2, 1, 1]
    first, second = beliefs["plan"]
    assert (first[0], second[0], second[1]) == ("listen", None, "open-right")
    assert set(first[1:]) == {None}, "one belief is possible at first"
    _, out, _ = rlkit("solve", "tiger.POMDP", "--horizon", "2")
    assert f"{beliefs['count']}, {beliefs['steps_left'].count(0)} of them with nothing left to do" in out
    assert out.count("hear-") == sum(left == 1 for left in beliefs["steps_left"]), "the rows of the table"


def test_a_total_without_end_says_what_has_one(rlkit: Any) -> None:
    _, out, _ = rlkit("solve", "tiger")
    assert "--gamma 0.99 or --horizon N" in out
    assert "--gamma 0.99" not in rlkit("solve", "tiger", "--gamma", "0.99")[1]


def test_a_belief_names_its_states_and_no_chance_of_a_certain_one(rlkit: Any) -> None:
    _, out, _ = rlkit("solve", "tmaze", "--horizon", "2")
    assert " observation 0: state 0 " in out
    assert " observation 2: state 2 " in out
    _, record = solved(rlkit, "tiger", "--horizon", "7")
    assert "observation 1: state 2 1, state 5 3.02e−05" in record["beliefs"]["state_names"], "nearly certain"


def test_full_information_of_a_file(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    status, record = solved(rlkit, "tiger.POMDP", "--full-information")
    assert (status, record["sees"]) == (0, "hidden states")
    assert record["initial"]["value"] == pytest.approx(200)
    status, record = solved(
        rlkit, "tiger.POMDP", "--full-information", "--objective", "reach-prob", "--target-states", "1"
    )
    assert record["initial"]["value"] == pytest.approx(1)


def test_too_many_beliefs_give_bounds_and_exit_3(
    rlkit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    few = {"max_beliefs": 5}
    monkeypatch.setattr(optima, "belief_mdp", lambda pomdp, **how: belief_mdp(pomdp, **how | few))
    monkeypatch.setattr(optima, "MOST_BOUNDED", 20)
    status, record = solved(rlkit, "tiger.POMDP", "--epsilon", "0.001")
    assert (status, record["converged"], record["method"]) == (0, True, "bounds")
    assert record["initial"]["lower"] <= 19.37137 <= record["initial"]["upper"]
    monkeypatch.setattr(optima, "point_based", lambda pomdp, **how: None)
    status, record = solved(rlkit, "tiger.POMDP")
    start = record["initial"]
    assert (status, record["converged"]) == (3, False)
    assert start["lower"] < 19.3714 < start["upper"] - 1
    assert "the first 19 of them" in record["reason"]
    _, out, _ = rlkit("solve", "tiger.POMDP")
    assert "NOT CERTIFIED" in out


@pytest.mark.parametrize("target", [("--target-states", "1"), ("--target", "x")])
def test_a_target_in_a_partially_observable_model_is_refused(rlkit: Any, tmp_path: Path, target: Any) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    status, out, err = rlkit("solve", "tiger.POMDP", "--objective", "reach-prob", *target)
    assert (status, out) == (2, "")
    assert "states are partially observable; add --full-information" in err


@pytest.mark.filterwarnings("always")
def test_a_missing_discount_is_a_warning(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "m.POMDP", TIGER.replace("discount: 0.95\n", ""))
    _, _, err = rlkit("solve", "m.POMDP", "--gamma", "0.95")
    assert "warning: m.POMDP: there is no discount" in err


def test_an_environment_from_a_pomdp_file_hides_its_states(rlkit: Any, tmp_path: Path) -> None:
    put(tmp_path, "tiger.POMDP", TIGER)
    status, record = solved(rlkit, "mdp", "--env", "mdp=tiger.POMDP")
    assert (status, record["sees"]) == (0, "beliefs")
    assert record["initial"]["value"] == pytest.approx(19.3714, abs=1e-4)


@pytest.mark.parametrize("value", ["[" * 100_000, "1" * 10_000])
def test_values_that_no_parser_takes_are_text(rlkit: Any, value: Any) -> None:
    status, _, err = rlkit("solve", "gridworld", "--env", f"slip={value}")
    assert status == 2
    assert "slip" in err
