"""The tasks of the rooms, as functions from options to models, with MiniGrid's rules and time limits.

Besides its own options each takes those of `Settings`: levels, first_level, move, observation, view_size,
see_through, slip, step_reward and reward_decay. All raise `OptionError`.
"""

from collections.abc import Callable
from typing import Any

from ..options import flag, number, one_of, whole
from . import layouts
from .codes import BALL, COLOURS, LAVA_CODE, LOCKED, PRIZE, TRAP, WALL_CODE, code
from .dynamics import BLUE_DOOR, Obstacles, PushBox, RedBlueDoors
from .engine import Rooms
from .rules import HANDS
from .settings import Settings, task
from .state import Level

LARGEST = 64  # cells a side
THINGS = {"lava": LAVA_CODE, "wall": WALL_CODE}
PUSHES = 120  # steps to bring the boxes home


def _rooms(
    settings: Settings,
    generate: Callable[..., Level],
    *sizes: Any,
    steps: int,
    handled: bool = False,
    kind: type[Rooms] = Rooms,
    **rules: Any,
) -> Rooms:
    """A model of the levels of the settings, with MiniGrid's seven actions for an agent that turns.

    `steps` is the time limit. Who moves by the compass has hands only where there is something to handle.
    """
    turning = settings.move == "turn"
    others = (*HANDS, "done") if turning else HANDS if handled else ()
    return kind(settings.pool(generate, *sizes), settings, max_episode_steps=steps, others=others, **rules)


@task
def empty(*, size: int = 8, random_start: bool = False, see_through: bool = True, **options: Any) -> Rooms:
    """Cross an empty room to the goal in its far corner (MiniGrid's Empty)."""
    settings = Settings(see_through=see_through, **options)
    whole("size", size, 4, LARGEST)
    flag("random_start", random_start)
    return _rooms(settings, layouts.empty, size, random_start, steps=4 * size**2)


@task
def four_rooms(*, size: int = 19, **options: Any) -> Rooms:
    """Find the goal in four rooms joined by gaps (MiniGrid's FourRooms; Sutton, Precup and Singh 1999)."""
    settings = Settings(**options)
    whole("size", size, 7, LARGEST - 1, odd=True)
    return _rooms(settings, layouts.four_rooms, size, steps=100)


@task
def door_key(*, size: int = 8, **options: Any) -> Rooms:
    """Pick up a key, unlock a door with it, and reach the goal behind (MiniGrid's DoorKey)."""
    settings = Settings(**options)
    whole("size", size, 5, LARGEST)
    return _rooms(settings, layouts.door_key, size, steps=10 * size**2, handled=True)


@task
def multi_room(*, rooms: int = 6, size: int = 10, **options: Any) -> Rooms:
    """Open door after door of a chain of rooms of up to `size` cells a side (MiniGrid's MultiRoom)."""
    settings = Settings(**options)
    whole("rooms", rooms, 1, layouts.SIDE)
    whole("size", size, layouts.SMALLEST, layouts.SIDE)
    return _rooms(settings, layouts.multi_room, rooms, size, steps=20 * rooms, handled=True)


@task
def crossing(*, size: int = 9, crossings: int = 1, obstacle: str = "lava", **options: Any) -> Rooms:
    """Cross rivers of lava, which ends the episode, or walls, each with one opening (MiniGrid's Crossing)."""
    settings = Settings(**options)
    whole("size", size, 5, LARGEST - 1, odd=True)
    whole("crossings", crossings, 1, size - 3)
    one_of("obstacle", obstacle, tuple(THINGS))
    return _rooms(settings, layouts.crossing, size, crossings, THINGS[obstacle], steps=4 * size**2)


@task
def lava_gap(*, size: int = 7, obstacle: str = "lava", **options: Any) -> Rooms:
    """Pass the one gap in a strip of lava, which ends the episode, or in a wall (MiniGrid's LavaGap)."""
    settings = Settings(**options)
    whole("size", size, 5, LARGEST)
    one_of("obstacle", obstacle, tuple(THINGS))
    return _rooms(settings, layouts.lava_gap, size, THINGS[obstacle], steps=4 * size**2)


@task
def memory(*, size: int = 7, random_length: bool = False, levels: int = 4096, **options: Any) -> Rooms:
    """Look at a thing, walk a corridor, and turn to the like of it at its end (MiniGrid's Memory).

    Few levels differ, 24 at size 9; a large pool makes them nearly equally likely, as they are in MiniGrid.
    """
    settings = Settings(levels=levels, **options)
    whole("size", size, 7, LARGEST - 1, odd=True)
    flag("random_length", random_length)
    return _rooms(
        settings,
        layouts.memory,
        size,
        random_length,
        steps=5 * size**2,
        idle=("pickup",),
        pays={("forward", code(PRIZE))},
        ends={("forward", code(PRIZE)), ("forward", code(TRAP))},
    )


@task
def unlock(*, size: int = 6, **options: Any) -> Rooms:
    """Unlock the door of a room of `size` cells a side with the key that lies in it (MiniGrid's Unlock)."""
    settings = Settings(**options)
    whole("size", size, 4, LARGEST // 2)
    opening = {("toggle", code(LOCKED, colour)) for colour in COLOURS}
    return _rooms(settings, layouts.unlock, size, steps=8 * size**2, handled=True, pays=opening, ends=opening)


@task
def key_corridor(*, size: int = 3, rows: int = 3, **options: Any) -> Rooms:
    """Find the key to a locked room and take the ball in it (MiniGrid's KeyCorridor).

    There are `rows` rows of three rooms of `size` cells a side, walls included.
    """
    settings = Settings(**options)
    whole("size", size, 3, 16)
    whole("rows", rows, 1, 4)
    taking = {("pickup", code(BALL, colour)) for colour in COLOURS}
    return _rooms(
        settings, layouts.key_corridor, size, rows, steps=30 * size**2, handled=True, pays=taking, ends=taking
    )


@task
def locked_room(**options: Any) -> Rooms:
    """Fetch a key from one of six rooms and reach the goal in the one it opens (MiniGrid's LockedRoom)."""
    return _rooms(Settings(**options), layouts.locked_room, steps=190, handled=True)


@task
def red_blue_doors(*, size: int = 8, **options: Any) -> Rooms:
    """Open the red door, then the blue one; not the other way round (MiniGrid's RedBlueDoors)."""
    settings = Settings(**options)
    whole("size", size, 4, LARGEST // 2)
    return _rooms(
        settings,
        layouts.red_blue_doors,
        size,
        steps=20 * size**2,
        handled=True,
        kind=RedBlueDoors,
        pays=(),
        ends={("toggle", BLUE_DOOR)},
    )


@task
def dynamic_obstacles(
    *, size: int = 8, balls: int = 4, random_start: bool = False, see_through: bool = True, **options: Any
) -> Rooms:
    """Cross a room of moving balls; a crash costs 1 and ends the episode (MiniGrid's Dynamic-Obstacles).

    There are no actions but moves, and no slip.
    """
    settings = Settings(see_through=see_through, **options)
    whole("size", size, 5, LARGEST)
    whole("balls", balls, 1, size // 2 + 1)
    flag("random_start", random_start)
    number("slip", settings.slip, 0, 0)
    pool = settings.pool(layouts.obstacles, size, balls, random_start)
    return Obstacles(pool, settings, max_episode_steps=4 * size**2)


@task
def push_box(
    *,
    size: int = 7,
    boxes: int = 2,
    pillars: int = 2,
    move: str = "compass",
    observation: str = "grid-one-hot",
    **options: Any,
) -> Rooms:
    """Push every box onto a target, never pull (Sokoban, Imabayashi 1982), among a few pillars.

    Levels are made by pulling from the solved position, so that each can be solved. There are no actions
    but moves. What is seen is the whole map unless `observation` says otherwise.
    """
    settings = Settings(move=move, observation=observation, **options)
    whole("size", size, 5, LARGEST)
    whole("boxes", boxes, 1, (size - 2) ** 2 // 4)
    whole("pillars", pillars, 0, (size - 2) ** 2 // 4)
    pool = settings.pool(layouts.push_box, size, boxes, pillars)
    return PushBox(pool, settings, max_episode_steps=PUSHES)
