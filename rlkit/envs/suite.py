"""The environments that rlkit ships, as data: an id, where its description is made, and with which knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One environment id: where its description is made, with which knobs, and the time limit."""

    id: str
    factory: str  # "module:function" within rlkit that returns a Model
    summary: str
    max_episode_steps: int | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""  # a knob without which it cannot be made


CHAINS = (
    Entry("rlkit/Exam-v0", "envs.exam:exam", "study or party before an exam"),
    Entry("rlkit/MDP-v0", "core.table:TableModel", "any MDP, given as mdp=", needs="mdp"),
    Entry("rlkit/RiverSwim-v0", "envs.chains:river_swim", "swim against a current to a large reward", 100),
    Entry("rlkit/Gambler-v0", "envs.chains:gambler", "stake a capital until it is won or lost"),
    Entry("rlkit/DeepSea-v0", "envs.chains:deep_sea", "one dive of 2^n finds the treasure"),
    Entry("rlkit/Garnet-v0", "envs.chains:garnet", "a random MDP of any size", 100),
    Entry("rlkit/Inventory-v0", "envs.stock:inventory", "order goods before demand is known", 100),
    Entry("rlkit/Queue-v0", "envs.stock:queue", "how fast to serve, whom to admit", 200),
    Entry("rlkit/Blackjack-v0", "envs.blackjack:blackjack", "come closer to 21 than the dealer"),
)

GRIDS = (
    Entry("rlkit/FrozenLake-v0", "envs.grid:frozen_lake", "cross slippery ice around holes", 100),
    Entry("rlkit/FrozenLake8x8-v0", "envs.grid:frozen_lake", "the same on a larger lake", 200, {"size": 8}),
    Entry("rlkit/GridWorld-v0", "envs.grid:grid_world", "walls, pits, goals, wind and slip", 100),
    Entry("rlkit/CliffWalking-v0", "envs.gridworlds:cliff_walking", "walk along a cliff"),
    Entry(
        "rlkit/CliffWalkingSlippery-v0",
        "envs.gridworlds:cliff_walking",
        "walk along a slippery cliff",
        kwargs={"is_slippery": True},
    ),
    Entry("rlkit/WindyGridWorld-v0", "envs.gridworlds:windy_grid_world", "cross a windy field", 500),
    Entry("rlkit/FourRoomsCompass-v0", "envs.gridworlds:four_rooms", "four rooms, seen from above", 500),
    Entry("rlkit/Maze-v0", "envs.mazes:maze", "a random maze by one of five algorithms", 500),
    Entry("rlkit/Taxi-v0", "envs.taxi:taxi", "fetch a passenger and deliver him", 200),
    Entry("rlkit/TaxiRainy-v0", "envs.taxi:taxi", "the same in the rain", 200, {"is_rainy": True}),
)

ROOMS: tuple[Entry, ...] = ()

MEMORY = (
    Entry("rlkit/TMaze-v0", "envs.corridors:t_maze", "a sign at the start says which way to turn", 50),
    Entry(
        "rlkit/MemoryCorridor-v0",
        "envs.corridors:memory_corridor",
        "find the shape that was shown at the start",
        50,
    ),
    Entry(
        "rlkit/RepeatPrevious-v0",
        "envs.memory:repeat_previous",
        "say the symbol of some steps ago",
        50,
    ),
    Entry("rlkit/SignalFilter-v0", "envs.memory:signal_filter", "remove the echoes from a signal", 50),
    Entry("rlkit/FindTheThree-v0", "envs.memory:find_the_three", "where in a sequence was the 3", 10),
    Entry("rlkit/Tiger-v0", "envs.memory:tiger", "listen for a tiger before opening a door", 50),
    Entry(
        "rlkit/Concentration-v0", "envs.concentration:concentration", "find pairs among cards face down", 30
    ),
    Entry("rlkit/NoisyMaze-v0", "envs.noisy_maze:noisy_maze", "a maze seen through a sensor that fails", 50),
)

GAMES: tuple[Entry, ...] = ()

FAMILIES = {"chains": CHAINS, "grids": GRIDS, "rooms": ROOMS, "memory": MEMORY, "games": GAMES}
ENTRIES = tuple(entry for family in FAMILIES.values() for entry in family)
