"""What an error says of a name that nobody has."""

from pathlib import Path

import pytest

import rlkit
from rlkit.errors import did_you_mean, nearest
from rlkit.films import FilmError, make_film
from rlkit.registry import RegistryError
from rlkit.run.train import train
from rlkit.solvers import SolveError, solve


def test_a_name_in_capitals_is_the_nearest() -> None:
    assert nearest("PPO", ["a2c", "ppo"]) == "ppo"
    assert nearest("relu", ["ReLU", "tanh"]) == "ReLU"
    assert did_you_mean("Total", ("discounted", "total")) == "; did you mean 'total'?"
    assert did_you_mean("xyz", ("discounted", "total")) == ""
    assert did_you_mean(3, ("discounted", "total")) == ""


def test_every_name_of_a_choice_is_suggested_in_any_case(tmp_path: Path) -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    with pytest.raises(RegistryError, match="no agent 'PPO'; did you mean 'ppo'"):
        train("exam", agent="PPO", steps=1)
    with pytest.raises(
        RegistryError, match="no agent 'value_iteration'; 'value-iteration' is one of the methods"
    ):
        train("exam", agent="value_iteration", steps=1)
    with pytest.raises(SolveError, match="did you mean 'total'"):
        solve(mdp, objective="Total")
    with pytest.raises(SolveError, match="did you mean 'policy-iteration'"):
        solve(mdp, method="Policy-Iteration")
    with pytest.raises(FilmError, match="did you mean 'random'"):
        make_film("exam", tmp_path / "x.gif", policy="Random")
