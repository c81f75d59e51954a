"""Windy Gridworld: a field where the wind blows upwards."""

from ..options import one_of
from .grid import COMPASS, KINGS, Grid

WINDY = (*["." * 10] * 3, "S......G..", *["." * 10] * 3)
WIND = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)


def windy_grid_world(
    *, moves: str = "compass", gust: float = 0.0, slip: float = 0.0, observation: str = "index"
) -> Grid:
    """Cross a field where the wind blows upwards, at -1 a step (Windy Gridworld).

    `moves` is compass (4), kings (8) or kings-and-stay (9). With probability `gust` the wind is one stronger
    or weaker where it blows; 2/3 is the stochastic wind of exercise 6.10. A move is made first and the wind
    then blows; at the edge both stay. Raises `OptionError`. Source: Sutton and Barto (2018), example 6.5 and
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
