"""Four rooms joined by four hallways, seen from above."""

from ..options import one_of
from .grid import Grid
from .maps import FREE, GOAL, START

ROOMS = (
    "#############",
    "#.....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#.....#",
    "#.....#.....#",
    "##.####.....#",
    "#.....###.###",
    "#.....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#.....#",
    "#############",
)
ROOM_GOALS = {  # row and column
    "north": (3, 6),
    "east": (7, 9),
    "south": (10, 6),
    "west": (6, 2),
    "room": (9, 9),
}
ROOM_STARTS = {"corner": (1, 1), "anywhere": None}


def four_rooms(
    *,
    goal: str = "east",
    start: str = "corner",
    slip: float = 1 / 3,
    discount: float = 0.9,
    observation: str = "index",
) -> Grid:
    """Find a goal in one of four rooms joined by four hallways; reaching it pays 1 (Four Rooms).

    The `goal` is the hallway north, east, south or west, or inside the lower right room; the start is the
    upper left corner or anywhere. With probability `slip` one moves in one of the other three directions.
    Raises `OptionError`. Source: Sutton, Precup and Singh (1999), Between MDPs and semi-MDPs, section 2.
    """
    cells = [list(row) for row in ROOMS]
    row, column = ROOM_GOALS[one_of("goal", goal, ROOM_GOALS)]
    cells[row][column] = GOAL
    first = ROOM_STARTS[one_of("start", start, ROOM_STARTS)]
    for r, line in enumerate(cells):
        for c, kind in enumerate(line):
            if kind == FREE and first in (None, (r, c)):
                line[c] = START
    return Grid(
        ["".join(line) for line in cells],
        slip=slip,
        slip_to="others",
        discount=discount,
        observation=observation,
    )
