"""The maps on which the states of an environment lie."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.envs.toy_text.taxi import TaxiEnv

from rlkit.catalogue import layout
from rlkit.envs.adapters.gym import ModelEnv
from rlkit.envs.grids import taxi
from rlkit.envs.registry import make
from rlkit.envs.rooms.codes import EMPTY, KINDS, colour_of, kind_of
from rlkit.envs.rooms.engine import Rooms
from rlkit.envs.rooms.pictures import COLOUR_NAMES, tile
from rlkit.plot.maps import Map
from rlkit.solvers import Solution

MOST_ROOMS, TILE = 6, 64  # maps of one episode, and pixels of their cells


def maps_of(id: str, options: Mapping[str, Any], solution: Solution) -> list[Map]:
    """The maps of an environment, or none: a grid, the taxi's town for each errand, rooms as they change.

    Rooms have a map for each of the first arrangements of objects in the likeliest episode.
    """
    env: Any = make(id, **options).unwrapped
    model = env.model if isinstance(env, ModelEnv) else None
    if isinstance(env, TaxiEnv) or isinstance(model, taxi.Taxi):
        return _errands()
    if isinstance(model, Rooms):
        return _rooms(model, env.states(), solution)
    grid = layout(id, **options)
    if grid is None:
        return []
    states = np.array([[-1 if s is None else s for s in row] for row in grid["cells"]])
    return [Map(grid["rows"], states[:, :, None])]


def _errands() -> list[Map]:
    """A map for each destination and each place of the passenger."""
    size, n, letters = taxi.SIZE, taxi.ABOARD, dict(zip(taxi.PADS, taxi.PAD_NAMES, strict=True))
    wheres = [*(f"from {name}" for name in taxi.PAD_NAMES), "aboard"]
    number = np.arange(size * size * (n + 1) * n).reshape(size, size, n + 1, n)
    return [
        Map(
            ["." * size] * size,
            number[:, :, passenger, goal][:, :, None],
            title=f"{wheres[passenger]}, to {taxi.PAD_NAMES[goal]}",
            letters=letters,
            walls=taxi.WALL_EAST_OF,
        )
        for goal in range(n)
        for passenger in range(n + 1)
        if passenger != goal
    ]


def _rooms(model: Rooms, states: Any, solution: Solution) -> list[Map]:
    """The first few arrangements of objects in the likeliest episode of the policy."""
    shape = model.height, model.width
    things = np.column_stack([states.grid[:, :-1], states.carrying])  # [S, cells + 1]
    maps: list[Map] = []
    met: set[bytes] = set()
    for s in likeliest(solution):
        if things[s].tobytes() in met or solution.choice[s] < 0:
            continue
        met.add(things[s].tobytes())
        alike = np.flatnonzero((things == things[s]).all(axis=1) & (solution.choice >= 0))
        number = np.full((*shape, 4), -1)
        rows, columns = np.divmod(states.cell[alike], model.width)
        number[rows, columns, states.heading[alike]] = alike
        codes = states.grid[s, :-1].reshape(shape)
        tiles = [np.concatenate([tile(int(code), TILE) for code in row], axis=1) for row in codes]
        hand = int(states.carrying[s])
        held = (
            "empty hands" if hand == EMPTY else f"the {COLOUR_NAMES[colour_of(hand)]} {KINDS[kind_of(hand)]}"
        )
        title, picture = f"{len(maps) + 1}. with {held}", np.concatenate(tiles, axis=0)
        maps.append(Map(["." * model.width] * model.height, number, title=title, picture=picture))
        if len(maps) == MOST_ROOMS:
            break
    return maps


def likeliest(solution: Solution) -> list[int]:
    """The states of the likeliest episode, until one recurs."""
    mdp, s, met = solution.mdp, int(solution.mdp.initial.argmax()), []
    while s not in met:
        met.append(s)
        c = solution.choice[s]
        if c < 0:
            break
        first, last = mdp.choice_ptr[c], mdp.choice_ptr[c + 1]
        s = int(mdp.successor[first + mdp.probability[first:last].argmax()])
    return met
