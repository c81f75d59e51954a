"""A walk along a cliff."""

from ..options import flag
from .grid import Grid

CLIFF_WALK = ("." * 12, "." * 12, "." * 12, "S" + "C" * 10 + "G")
CLIFF_MOVES = ("up", "right", "down", "left")  # in Gymnasium's order


def cliff_walking(*, is_slippery: bool = False, observation: str = "index") -> Grid:
    """Walk along a cliff; a fall costs 100 and leads back to the start (Gymnasium's CliffWalking).

    Every other step costs 1. On slippery ground a move turns left or right with probability 1/3 each. Raises
    `OptionError`. Source: Sutton and Barto (2018), example 6.6.
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
