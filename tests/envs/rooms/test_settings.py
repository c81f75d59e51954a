"""One clear error for every option that makes no rooms, naming it and what is allowed."""

import inspect
from typing import Any

import pytest

from rlkit.envs.options import OptionError
from rlkit.envs.rooms import RoomError, Settings, tasks
from rlkit.errors import RlkitError

FACTORIES = (
    *("empty", "four_rooms", "door_key", "multi_room", "crossing", "lava_gap", "memory", "unlock"),
    *("key_corridor", "locked_room", "red_blue_doors", "dynamic_obstacles", "push_box"),
)
SHARED = [
    ({"levels": 0}, r"levels must be a whole number from 1 to 100000, not 0"),
    ({"levels": 1.5}, "levels must be a whole number"),
    ({"levels": True}, "levels must be a whole number"),
    ({"first_level": -1}, "first_level must be a whole number from 0"),
    ({"move": "fly"}, "move must be one of turn, compass, not 'fly'"),
    (
        {"observation": "index"},
        "observation must be one of one-hot, partial, pixels, grid-one-hot, grid, not 'index'",
    ),
    ({"view_size": 4}, "view_size must be one of 3, 5, 7, 9, not 4"),
    ({"view_size": 1}, "view_size must be one of"),
    ({"view_size": "7"}, "view_size must be one of"),
    ({"see_through": 1}, "see_through must be True or False, not 1"),
    ({"step_reward": float("nan")}, "step_reward must be a finite number"),
    ({"reward_decay": 2}, "reward_decay must be a finite number from 0 to 1, not 2"),
]


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.parametrize(("options", "what"), SHARED)
def test_shared_options(name: Any, options: Any, what: Any) -> None:
    with pytest.raises(OptionError, match=what):
        getattr(tasks, name)(**options)


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("empty", {"size": 3}, "size must be a whole number from 4 to 64, not 3"),
        ("empty", {"size": 8.0}, "size must be a whole number"),
        ("empty", {"random_start": 1}, "random_start must be True or False, not 1"),
        ("empty", {"slip": 1.5}, "slip must be a finite number from 0 to 1, not 1.5"),
        ("four_rooms", {"size": 8}, "size must be an odd number from 7 to 63, not 8"),
        ("door_key", {"size": 4}, "size must be a whole number from 5"),
        ("multi_room", {"rooms": 0}, "rooms must be a whole number from 1 to 25, not 0"),
        ("multi_room", {"size": 3}, "size must be a whole number from 4 to 25, not 3"),
        ("crossing", {"size": 8}, "size must be an odd number"),
        ("crossing", {"crossings": 7}, "crossings must be a whole number from 1 to 6, not 7"),
        ("crossing", {"obstacle": "water"}, "obstacle must be one of lava, wall, not 'water'"),
        ("lava_gap", {"size": 4}, "size must be a whole number from 5"),
        ("memory", {"size": 8}, "size must be an odd number from 7"),
        ("memory", {"size": 5}, "size must be an odd number from 7"),
        ("unlock", {"size": 3}, "size must be a whole number from 4"),
        ("key_corridor", {"rows": 5}, "rows must be a whole number from 1 to 4, not 5"),
        ("red_blue_doors", {"size": 3}, "size must be a whole number from 4"),
        ("dynamic_obstacles", {"balls": 6}, "balls must be a whole number from 1 to 5, not 6"),
        ("dynamic_obstacles", {"slip": 0.1}, "slip must be a finite number from 0 to 0, not 0.1"),
        ("push_box", {"boxes": 0}, "boxes must be a whole number from 1"),
        ("push_box", {"pillars": -1}, "pillars must be a whole number from 0"),
    ],
)
def test_options_of_tasks(name: str, options: Any, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        getattr(tasks, name)(**options)


def test_the_error_is_the_users_and_a_value_error() -> None:
    assert issubclass(RoomError, OptionError)
    assert issubclass(OptionError, RlkitError)
    assert issubclass(OptionError, ValueError)


@pytest.mark.parametrize("name", FACTORIES)
def test_signatures_show_every_option_and_docstrings_a_source(name: Any) -> None:
    factory = getattr(tasks, name)
    parameters = inspect.signature(factory).parameters
    assert {*inspect.signature(Settings).parameters} <= set(parameters)
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters.values())
    assert "MiniGrid" in factory.__doc__ or "Sokoban" in factory.__doc__
