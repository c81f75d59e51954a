"""What an action does to the thing in front of the agent: tables over pairs of a verb and a code."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from ...core.model import Holder
from . import codes
from .codes import HEADINGS, N_CODES, kind_of, recoloured

TURNS, HANDS = ("left", "right", "forward"), ("pickup", "drop", "toggle")
COMPASS = ("east", "south", "west", "north")  # in the order of the headings
MOVES = {"turn": TURNS, "compass": COMPASS}
WALKABLE = (codes.EMPTY, codes.FLOOR, codes.OPEN, codes.GOAL, codes.LAVA, codes.PRIZE, codes.TRAP)
MOVABLE = (codes.KEY, codes.BALL, codes.BOX)
TOGGLED = {codes.CLOSED: codes.OPEN, codes.OPEN: codes.CLOSED, codes.LOCKED: codes.OPEN}

STAY, STEP, SWAP, REPLACE = range(4)  # effects: nothing, onto the cell, hand with cell, thing by another
ANYTHING = 0  # that may be in the hand
Deed = tuple[str, int]  # a verb and the code it acts on
Row = tuple[int, int, int]  # effect, the code that the hand must hold, what is then in front


class Rules(Holder):
    """Tables over cases = action * 256 + code in front, and over action * 4 + heading.

    `pays` and `ends` hold pairs of a verb and the code it acts on: success, and the end of the episode.
    """

    def __init__(self, verbs: Sequence[str], *, pays: Collection[Deed], ends: Collection[Deed]) -> None:
        rows = [_row(verb, front) for verb in verbs for front in range(N_CODES)]
        deeds = [(_deed(verb), front) for verb in verbs for front in range(N_CODES)]
        self.effect, self.needs, self.after = np.array(rows, dtype=np.uint8).T.copy()  # [A * 256] each
        self.pays = np.array([float(deed in pays) for deed in deeds])  # [A * 256]
        self.ends = np.array([deed in ends for deed in deeds])  # [A * 256]
        self.walks = np.array([_deed(verb) == "forward" for verb in verbs])  # [A]
        self.heading = np.array([_turned(verb, heading) for verb in verbs for heading in HEADINGS])  # [A * 4]


def _turned(verb: str, heading: int) -> int:
    if verb in COMPASS:
        return COMPASS.index(verb)
    return (heading + {"left": -1, "right": 1}.get(verb, 0)) % len(HEADINGS)


def _deed(verb: str) -> str:
    return "forward" if verb in COMPASS else verb


def _row(verb: str, front: int) -> Row:
    act: Callable[[int], Row] | None = {
        "forward": _forward,
        "pickup": _pickup,
        "drop": _drop,
        "toggle": _toggle,
    }.get(_deed(verb))
    return (STAY, ANYTHING, front) if act is None else act(front)


def _forward(front: int) -> Row:
    return (STEP if kind_of(front) in WALKABLE else STAY, ANYTHING, front)


def _pickup(front: int) -> Row:
    return (SWAP, codes.EMPTY, front) if kind_of(front) in MOVABLE else (STAY, ANYTHING, front)


def _drop(front: int) -> Row:
    return (SWAP if front == codes.EMPTY else STAY, ANYTHING, front)


def _toggle(front: int) -> Row:
    kind = kind_of(front)
    if kind == codes.BOX:
        return (REPLACE, ANYTHING, codes.EMPTY)
    if kind in TOGGLED:
        key = recoloured(codes.KEY, front) if kind == codes.LOCKED else ANYTHING
        return (REPLACE, key, recoloured(TOGGLED[kind], front))
    return (STAY, ANYTHING, front)
