"""The grid worlds of the textbooks and papers: a cliff, a wind, four rooms."""

from __future__ import annotations

from .cells import FREE, GOAL, START
from .grid import COMPASS, KINGS, Grid
from .knobs import flag, one_of

CLIFF_WALK = ("." * 12, "." * 12, "." * 12, "S" + "C" * 10 + "G")
CLIFF_MOVES = ("up", "right", "down", "left")  # in Gymnasium's order
WINDY = (*["." * 10] * 3, "S......G..", *["." * 10] * 3)
WIND = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)
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


def cliff_walking(*, is_slippery: bool = False, observation: str = "index") -> Grid:
    """Walk along a cliff; a fall costs 100 and leads back to the start (Gymnasium's CliffWalking).

    Every other step costs 1. On slippery ground a move turns left or right with probability 1/3 each. Raises
    `KnobError`. Source: Sutton and Barto (2018), example 6.6.
    """
    slip = 2 / 3 if flag("is_slippery", is_slippery) else 0.0
    return Grid(
        CLIFF_WALK,
        moves=CLIFF_MOVES,
        slip=slip,
        step_reward=-1.0,
        goal_reward=0.0,
        cliff_reward=-100.0,
        observation=observation,
    )


def windy_grid_world(
    *, moves: str = "compass", gust: float = 0.0, slip: float = 0.0, observation: str = "index"
) -> Grid:
    """Cross a field where the wind blows upwards, at -1 a step (Windy Gridworld).

    `moves` is compass (4), kings (8) or kings-and-stay (9). With probability `gust` the wind is one stronger
    or weaker where it blows; 2/3 is the stochastic wind of exercise 6.10. A move is made first and the wind
    then blows; at the edge both stay. Raises `KnobError`. Source: Sutton and Barto (2018), example 6.5 and
    exercises 6.9 and 6.10.
    """
    choices = {"compass": COMPASS, "kings": KINGS, "kings-and-stay": (*KINGS, "stay")}
    return Grid(
        WINDY,
        moves=choices[one_of("moves", moves, choices)],
        slip=slip,
        wind=WIND,
        gust=gust,
        step_reward=-1.0,
        goal_reward=0.0,
        observation=observation,
    )


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
    Raises `KnobError`. Source: Sutton, Precup and Singh (1999), Between MDPs and semi-MDPs, section 2.
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
