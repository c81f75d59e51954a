"""The textbook grids against Gymnasium's table, published path lengths, and rules written out here."""

from typing import Any

import numpy as np
import pytest

import rlkit
from rlkit.core import enumerate_model
from rlkit.envs.grids.cliff_walking import cliff_walking
from rlkit.envs.grids.four_rooms import four_rooms
from rlkit.envs.grids.windy import WIND, windy_grid_world
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

ARRAYS = ("state_ptr", "choice_ptr", "successor", "action", "initial")


@pytest.mark.parametrize(("slippery", "optimum"), [(False, -13), (True, -64.7091759)])
def test_cliff_walking_is_gymnasiums_entry_by_entry(slippery: bool, optimum: float) -> None:
    ours = enumerate_model(cliff_walking(is_slippery=slippery))
    theirs = rlkit.exact("CliffWalking-v1", is_slippery=slippery)
    assert all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ARRAYS)
    assert np.allclose(ours.probability, theirs.probability, rtol=0, atol=1e-15)
    assert np.allclose(ours.reward, theirs.reward, rtol=1e-15, atol=0)
    assert slippery == (ours.transition_reward is not None)
    assert ours.transition_reward is None or np.array_equal(ours.transition_reward, theirs.transition_reward)
    assert ours.action_names == ("up", "right", "down", "left")
    for mdp in (ours, theirs):
        assert solve(mdp).initial.value == pytest.approx(optimum, abs=1e-6)


@pytest.mark.parametrize(("moves", "steps"), [("compass", 15), ("kings", 7), ("kings-and-stay", 7)])
def test_windy_paths_have_the_books_lengths(moves: str, steps: int) -> None:
    assert solve(enumerate_model(windy_grid_world(moves=moves))).initial.value == pytest.approx(-steps)


def test_stochastic_wind_is_that_of_exercise_6_10() -> None:
    """Value iteration over the rules as the book words them, on rows and columns."""
    values = np.zeros((7, 10))
    for _ in range(400):
        new = np.full((7, 10), -np.inf)
        for r in range(7):
            for c in range(10):
                for dr, dc in ((0, -1), (1, 0), (0, 1), (-1, 0)):
                    gusts = (-1, 0, 1) if WIND[c] else (0,)
                    row, column = min(max(r + dr, 0), 6), min(max(c + dc, 0), 9)
                    after = [values[max(row - (WIND[c] + g if WIND[c] else 0), 0), column] for g in gusts]
                    new[r, c] = max(new[r, c], -1 + sum(after) / len(gusts))
        new[3, 7] = 0
        values = new
    solution = solve(enumerate_model(windy_grid_world(gust=2 / 3)))
    assert np.allclose(solution.value.reshape(7, 10), values, atol=1e-5)
    assert solution.initial.value < -20


def test_four_rooms_have_104_cells_and_known_distances() -> None:
    model = four_rooms(slip=0.0)
    assert len(model.position) == 104
    assert solve(enumerate_model(model)).initial.value == pytest.approx(0.9**13)
    assert solve(enumerate_model(four_rooms(slip=0.0, goal="west"))).initial.value == pytest.approx(0.9**5)
    assert four_rooms(start="anywhere").n_starts == 103


def test_four_rooms_fail_in_the_other_three_directions() -> None:
    mdp = enumerate_model(four_rooms())
    here = mdp.state_names.index("(2,3)")
    row = mdp.matrix[[mdp.state_ptr[here] + 3]].toarray()[0]  # up
    expected = {"(1,3)": 2 / 3, "(2,2)": 1 / 9, "(2,4)": 1 / 9, "(3,3)": 1 / 9}
    assert {mdp.state_names[i]: row[i] for i in np.flatnonzero(row)} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (cliff_walking, {"is_slippery": 1}, "is_slippery must be True or False, not 1"),
        (windy_grid_world, {"moves": "knight"}, "moves must be one of compass, kings, kings-and-stay"),
        (windy_grid_world, {"gust": 2}, "gust must be a finite number from 0 to 1, not 2"),
        (four_rooms, {"goal": "attic"}, "goal must be one of north, east, south, west, room"),
        (four_rooms, {"start": (1, 1)}, "start must be one of corner, anywhere"),
        (four_rooms, {"slip": -0.1}, "slip must be a finite number from 0 to 1"),
    ],
)
def test_bad_options(make: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)
