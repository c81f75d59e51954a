"""Levels: the same ones as MiniGrid's generators make, equally often, and always with a way to success."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from minigrid_worlds import PAIRS, level_of
from scipy.stats import chisquare
from shortest import plan

from rlkit.envs.rooms import Level, RoomError, codes, tasks


def keys(levels: Any) -> Any:
    return Counter((level.grid.tobytes(), level.cell, level.heading) for level in levels)


def ours(name: Any, count: Any) -> Any:
    model = PAIRS[name][0](levels=count)
    return {
        (row[:-1].tobytes(), divmod(int(cell), model.width), int(heading))
        for row, cell, heading in zip(model.layouts, model.first_cell, model.first_heading, strict=True)
    }


def theirs(name: Any, count: Any) -> Any:
    env = PAIRS[name][1]()
    found = []
    for seed in range(count):
        env.reset(seed=seed)
        found.append(level_of(env))
    return set(keys(found))


@pytest.mark.parametrize(
    ("name", "count", "levels"),
    [
        ("Empty-8x8", 3, 1),
        ("Empty-Random-6x6", 700, 60),
        ("DoorKey-5x5", 600, 48),
        ("LavaGap-S7", 200, 15),
        ("Memory-S7", 300, 16),
    ],
)
def test_exactly_the_levels_of_minigrid(name: str, count: int, levels: int) -> None:
    assert ours(name, count) == theirs(name, count)
    assert len(ours(name, count)) == levels


def facts(name: Any, level: Any) -> Any:
    """What varies from level to level, apart from agent and goal."""
    places = {}
    for kind in (codes.LOCKED, codes.CLOSED, codes.LAVA, codes.WALL, codes.KEY, codes.BALL):
        places[kind] = np.argwhere((level.grid & 15) == kind).tolist()
    if name == "FourRooms":
        middle = level.grid[9] != codes.WALL_CODE, level.grid[:, 9] != codes.WALL_CODE
        return [tuple(np.flatnonzero(gaps)) for gaps in middle]
    if name == "RedBlueDoors-6x6":
        return [(at[0], codes.colour_of(level.grid[tuple(at)])) for at in places[codes.CLOSED]]
    if name == "LockedRoom":
        (row, column), door = places[codes.KEY][0], places[codes.LOCKED][0]
        return [tuple(door), ("key row", row), ("key column", column), ("agent", level.cell[1])]
    if name == "Unlock":
        door = places[codes.LOCKED][0]
        return [("door", *door, codes.colour_of(level.grid[tuple(door)])), ("key", *places[codes.KEY][0])]
    if name == "KeyCorridor-S3R3":
        return [tuple(map(tuple, places[codes.LOCKED] + places[codes.KEY] + places[codes.BALL]))]
    if name == "LavaCrossing-S9N2":
        return [len(places[codes.LAVA]), tuple(sorted(Counter(c for _, c in places[codes.LAVA]).values()))]
    return [tuple(map(tuple, places[codes.LOCKED] + places[codes.KEY]))]


@pytest.mark.parametrize(
    "name",
    ["FourRooms", "RedBlueDoors-6x6", "LockedRoom", "Unlock", "KeyCorridor-S3R3", "LavaCrossing-S9N2"],
)
def test_things_lie_where_minigrid_lays_them(name: str) -> None:
    model = PAIRS[name][0](levels=600)
    mine = {
        fact
        for row, cell in zip(model.layouts, model.first_cell, strict=True)
        for fact in facts(name, _level(row[:-1].reshape(model.height, model.width), int(cell)))
    }
    env, found = PAIRS[name][1](), []
    for seed in range(200):
        env.reset(seed=seed)
        found += facts(name, level_of(env))
    assert set(found) <= mine


def _level(grid: Any, cell: Any) -> Any:
    return Level(grid, divmod(cell, grid.shape[1]), 0)


def test_walls_doors_and_keys_are_drawn_evenly() -> None:
    model = tasks.door_key(size=8, levels=2000)
    doors: Any = Counter()
    for row, p in zip(model.layouts, model.start_probs(), strict=True):
        doors[int(np.flatnonzero((row & 15) == codes.LOCKED)[0])] += p * 2000
    assert len(doors) == 4 * 5  # columns 2 to 5, rows 1 to 5
    assert chisquare(list(doors.values())).pvalue > 1e-4


TASKS = {
    "empty": {"random_start": True},
    "four_rooms": {},
    "door_key": {"size": 6},
    "multi_room": {"rooms": 4, "size": 6},
    "crossing": {"size": 11, "crossings": 5},
    "lava_gap": {"obstacle": "wall"},
    "memory": {"size": 9, "random_length": True},
    "unlock": {},
    "key_corridor": {},
    "locked_room": {},
    "red_blue_doors": {"size": 6},
    "push_box": {},
}


@pytest.mark.parametrize("name", TASKS)
def test_every_level_can_be_solved(name: Any) -> None:
    model = getattr(tasks, name)(levels=1 if name == "locked_room" else 8, **TASKS[name])
    for start in range(model.n_starts):
        way = plan(model, start)
        assert way is not None
        assert len(way) <= model.max_episode_steps


def test_a_corridor_of_one_cell_has_room_to_turn() -> None:
    """A quarter of its levels first place the agent looking at the locked door."""
    model = tasks.key_corridor(rows=1, levels=40)
    assert all(plan(model, start) for start in range(model.n_starts))


def test_a_walled_in_goal_would_be_noticed() -> None:
    model = tasks.empty(size=6, levels=1)
    model.layouts[0, [6 * 3 + 4, 6 * 4 + 3]] = codes.WALL_CODE
    assert plan(model) is None


def test_rooms_are_chained_by_doors_of_changing_colour() -> None:
    model = tasks.multi_room(rooms=5, size=6, levels=40)
    for row in model.layouts:
        doors = row[(row & 15) == codes.CLOSED]
        assert len(doors) == 4
        assert len(set(doors.tolist())) > 1


def test_levels_are_numbered_by_their_seeds() -> None:
    first = tasks.four_rooms(levels=10)
    later = tasks.four_rooms(levels=5, first_level=5)
    assert np.array_equal(first.layouts[5:], later.layouts)
    other = tasks.four_rooms(levels=10, first_level=10)
    assert not (first.layouts[:, None] == other.layouts[None]).all(axis=2).any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: tasks.multi_room(rooms=25, size=20, levels=1),
        lambda: tasks.push_box(size=6, boxes=4, pillars=4, levels=1),
    ],
)
def test_what_does_not_fit_says_so(make: Any) -> None:
    with pytest.raises(RoomError, match=r"do not fit|leave no room"):
        make()
