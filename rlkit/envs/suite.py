"""The environments that rlkit ships, as data: an id, what makes its description, and with which options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One environment id: what makes its description, with which options, and the time limit."""

    id: str
    factory: str | Callable[..., Any]  # "module:function", or what it names: it returns a Model
    summary: str
    max_episode_steps: int | None = None  # where the model itself has no `limit`
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""  # an option without which it cannot be made
    exact: Mapping[str, Any] | None = field(
        default_factory=dict
    )  # options of what is solved; None: too large


CHAINS = (
    Entry("rlkit/Exam-v0", "rlkit.envs.chains.exam:exam", "study or party before an exam"),
    Entry(
        "rlkit/MDP-v0", "rlkit.envs.chains.table:table", "any MDP, given as mdp= or as a file", needs="mdp"
    ),
    Entry(
        "rlkit/RiverSwim-v0",
        "rlkit.envs.chains.river_swim:river_swim",
        "swim against a current to a large reward",
        100,
    ),
    Entry("rlkit/Gambler-v0", "rlkit.envs.chains.gambler:gambler", "stake a capital until it is won or lost"),
    Entry("rlkit/DeepSea-v0", "rlkit.envs.chains.deep_sea:deep_sea", "one dive of 2^n finds the treasure"),
    Entry("rlkit/Garnet-v0", "rlkit.envs.chains.garnet:garnet", "a random MDP of any size", 100),
    Entry(
        "rlkit/Inventory-v0",
        "rlkit.envs.chains.inventory:inventory",
        "order goods before demand is known",
        100,
    ),
    Entry("rlkit/Queue-v0", "rlkit.envs.chains.queue:queue", "how fast to serve, whom to admit", 200),
    Entry("rlkit/Blackjack-v0", "rlkit.envs.chains.blackjack:blackjack", "come closer to 21 than the dealer"),
)

GRIDS = (
    Entry(
        "rlkit/FrozenLake-v0",
        "rlkit.envs.grids.frozen_lake:frozen_lake",
        "cross slippery ice around holes",
        100,
    ),
    Entry(
        "rlkit/FrozenLake8x8-v0",
        "rlkit.envs.grids.frozen_lake:frozen_lake",
        "the same on a larger lake",
        200,
        {"size": 8},
    ),
    Entry("rlkit/GridWorld-v0", "rlkit.envs.grids.grid:grid_world", "walls, pits, goals, wind and slip", 100),
    Entry("rlkit/CliffWalking-v0", "rlkit.envs.grids.cliff_walking:cliff_walking", "walk along a cliff"),
    Entry(
        "rlkit/CliffWalkingSlippery-v0",
        "rlkit.envs.grids.cliff_walking:cliff_walking",
        "walk along a slippery cliff",
        kwargs={"is_slippery": True},
    ),
    Entry("rlkit/WindyGridWorld-v0", "rlkit.envs.grids.windy:windy_grid_world", "cross a windy field", 500),
    Entry(
        "rlkit/FourRoomsCompass-v0",
        "rlkit.envs.grids.four_rooms:four_rooms",
        "four rooms, seen from above",
        500,
    ),
    Entry("rlkit/Maze-v0", "rlkit.envs.grids.maze:maze", "a random maze by one of five algorithms", 500),
    Entry("rlkit/Taxi-v0", "rlkit.envs.grids.taxi:taxi", "fetch a passenger and deliver him", 200),
    Entry(
        "rlkit/TaxiRainy-v0", "rlkit.envs.grids.taxi:taxi", "the same in the rain", 200, {"is_rainy": True}
    ),
)

ROOM = "rlkit.envs.rooms.tasks:"
SEEN_WHOLE = {"observation": "grid"}

ROOMS = (
    Entry("rlkit/Empty8x8-v0", ROOM + "empty", "cross an empty room to the far corner"),
    Entry("rlkit/FourRooms-v0", ROOM + "four_rooms", "find the goal in four rooms", exact=SEEN_WHOLE),
    Entry("rlkit/DoorKey5x5-v0", ROOM + "door_key", "fetch a key and open a door", kwargs={"size": 5}),
    Entry("rlkit/DoorKey8x8-v0", ROOM + "door_key", "the same in larger rooms", exact=SEEN_WHOLE),
    Entry(
        "rlkit/MultiRoomN2S4-v0",
        ROOM + "multi_room",
        "two small rooms and a door",
        kwargs={"rooms": 2, "size": 4},
        exact=SEEN_WHOLE,
    ),
    Entry(
        "rlkit/MultiRoomN4S5-v0",
        ROOM + "multi_room",
        "a chain of four rooms",
        kwargs={"rooms": 4, "size": 5},
        exact=SEEN_WHOLE,
    ),
    Entry(
        "rlkit/MultiRoomN6-v0",
        ROOM + "multi_room",
        "a chain of six rooms",
        exact=SEEN_WHOLE | {"levels": 8},
    ),
    Entry("rlkit/LavaCrossing-v0", ROOM + "crossing", "cross rivers of lava", exact=SEEN_WHOLE),
    Entry("rlkit/LavaGap-v0", ROOM + "lava_gap", "pass a gap in a strip of lava"),
    Entry("rlkit/MemoryS7-v0", ROOM + "memory", "turn to the like of a thing seen before"),
    Entry("rlkit/MemoryS9-v0", ROOM + "memory", "the same, further on", kwargs={"size": 9}),
    Entry("rlkit/MemoryS11-v0", ROOM + "memory", "the same, still further", kwargs={"size": 11}),
    Entry(
        "rlkit/MemoryS13-v0",
        ROOM + "memory",
        "the same at a random distance",
        kwargs={"size": 13, "random_length": True},
    ),
    Entry("rlkit/Unlock-v0", ROOM + "unlock", "fetch a key and unlock a door", exact=SEEN_WHOLE),
    Entry(
        "rlkit/KeyCorridor-v0",
        ROOM + "key_corridor",
        "find a key, take a ball",
        exact=SEEN_WHOLE | {"levels": 2},
    ),
    Entry("rlkit/LockedRoom-v0", ROOM + "locked_room", "reach a goal in a locked room", exact=None),
    Entry("rlkit/RedBlueDoors-v0", ROOM + "red_blue_doors", "first the red door", exact=SEEN_WHOLE),
    Entry(
        "rlkit/DynamicObstacles-v0",
        ROOM + "dynamic_obstacles",
        "mind the balls",
        exact=SEEN_WHOLE | {"size": 5, "balls": 2, "decay": 0.0},
    ),
    Entry(
        "rlkit/PushBox-v0",
        ROOM + "push_box",
        "push every box onto a target",
        exact=SEEN_WHOLE | {"levels": 16},
    ),
)

MEMORY = (
    Entry(
        "rlkit/TMaze-v0", "rlkit.envs.memory.corridors:t_maze", "a sign at the start says which way to turn"
    ),
    Entry(
        "rlkit/MemoryCorridor-v0",
        "rlkit.envs.memory.corridors:memory_corridor",
        "find the shape that was shown at the start",
    ),
    Entry(
        "rlkit/RepeatPrevious-v0",
        "rlkit.envs.memory.repeat_previous:repeat_previous",
        "say the symbol of some steps ago",
        50,
    ),
    Entry(
        "rlkit/SignalFilter-v0",
        "rlkit.envs.memory.signal_filter:signal_filter",
        "remove the echoes from a signal",
        50,
    ),
    Entry(
        "rlkit/FindTheThree-v0",
        "rlkit.envs.memory.find_the_three:find_the_three",
        "where in a sequence was the 3",
    ),
    Entry("rlkit/Tiger-v0", "rlkit.envs.memory.tiger:tiger", "listen for a tiger before opening a door", 50),
    Entry(
        "rlkit/Concentration-v0",
        "rlkit.envs.memory.concentration:concentration",
        "find pairs among cards face down",
        30,
    ),
    Entry(
        "rlkit/NoisyMaze-v0",
        "rlkit.envs.memory.noisy_maze:noisy_maze",
        "a maze seen through a sensor that fails",
        50,
    ),
)

GAMES = (
    Entry("rlkit/TicTacToe-v0", "rlkit.envs.games:tic_tac_toe", "three in a row on nine cells"),
    Entry(
        "rlkit/ConnectFour-v0",
        "rlkit.envs.games:connect_four",
        "drop stones into columns, four in a row wins",
        exact={"width": 4, "height": 4},
    ),
    Entry(
        "rlkit/Othello6x6-v0",
        "rlkit.envs.games:othello",
        "outflank discs to turn them over",
        exact={"size": 4},
    ),
    Entry(
        "rlkit/Go5x5-v0",
        "rlkit.envs.games:go",
        "surround points and stones",
        kwargs={"size": 5, "komi": 0.5},
        exact=None,
    ),
    Entry("rlkit/Go9x9-v0", "rlkit.envs.games:go", "the same on a larger board", exact=None),
)

FAMILIES = {"chains": CHAINS, "grids": GRIDS, "rooms": ROOMS, "memory": MEMORY, "games": GAMES}
ENTRIES = tuple(entry for family in FAMILIES.values() for entry in family)
