"""The taxi against Gymnasium's table and masks, bit by bit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rlkit
from rlkit.core.table import TableState
from rlkit.envs.grids.taxi import taxi
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

ARRAYS = ("state_ptr", "choice_ptr", "successor", "probability", "reward", "action", "initial")
WEATHER = [{}, {"is_rainy": True}, {"is_rainy": True, "rainy_probability": 0.6}]


@pytest.mark.parametrize("options", WEATHER)
def test_taxi_is_gymnasiums_entry_by_entry(options: Any) -> None:
    ours, theirs = taxi(**options).mdp, rlkit.exact("Taxi-v4", **options)
    for name in ARRAYS:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert ours.transition_reward is theirs.transition_reward is None
    assert ours.action_names == theirs.action_names


@pytest.mark.parametrize("options", WEATHER)
def test_masks_are_gymnasiums_and_cost_nothing(options: Any) -> None:
    masked, table = taxi(**options, masked=True), gym.make("Taxi-v4").unwrapped
    legal = masked.legal(masked.all_states())
    for s in np.flatnonzero(~masked.mdp.terminal):
        assert legal[s].tolist() == table.action_mask(int(s)).astype(bool).tolist()
    assert masked.masked
    assert not taxi(**options).masked
    best, least = solve(masked.mdp).initial.value, solve(taxi(**options).mdp).initial.value
    assert best == pytest.approx(least, abs=1e-6)


def test_text_names_the_passenger_and_the_destination() -> None:
    model = taxi()
    s = ((1 * 5 + 2) * 5 + 3) * 4 + 0
    assert model.text(TableState(np.array([s]))).splitlines() == [
        "R .|. . G",
        ". .|@ . .",
        ". . . . .",
        ".|. .|. .",
        "Y|. .|B .",
        "taxi (1,2), passenger at B, to R",
    ]


def test_the_picture_shows_passenger_and_destination() -> None:
    model = taxi()
    frames = {model.picture(TableState(np.array([s]))).tobytes() for s in (0, 4, 16, 1, 20)}
    assert len(frames) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rainy_probability": 0.5}, "rainy_probability needs is_rainy=True"),
        (
            {"is_rainy": True, "rainy_probability": 1.5},
            "rainy_probability must be a finite number from 0 to 1",
        ),
        ({"is_rainy": "yes"}, "is_rainy must be True or False, not 'yes'"),
        ({"masked": None}, "masked must be True or False"),
    ],
)
def test_bad_options(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        taxi(**options)
