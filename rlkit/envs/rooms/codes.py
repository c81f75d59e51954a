"""What can lie on a cell, as one byte: a kind, a colour, and whether it blocks the view.

Kinds, colours and headings are numbered as in MiniGrid (Chevalier-Boisvert et al. 2023), where a door is one
type in three states; here each state is a kind, so that one byte says all. Two kinds look like an empty
cell and are not: entering one is what a task rewards or punishes.
"""

from typing import Any

import numpy as np

from ...core.arrays import Array, namespace
from ..options import OptionError

UNSEEN, EMPTY, WALL, FLOOR, OPEN, KEY, BALL, BOX, GOAL, LAVA, AGENT, CLOSED, LOCKED, PRIZE, TRAP = range(15)
KINDS = (
    *("unseen", "empty", "wall", "floor", "open door", "key", "ball", "box"),
    *("goal", "lava", "agent", "closed door", "locked door", "prize", "trap"),
)
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = COLOURS = range(6)
RIGHT, DOWN, LEFT, UP = HEADINGS = range(4)
STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # row and column of one step right, down, left, up

N_TYPES = 11  # of MiniGrid, where a door is one type in three states
OPAQUE = (WALL, CLOSED, LOCKED)
N_CODES = 256
SEEN = (EMPTY, WALL, OPEN, CLOSED, LOCKED, KEY, BALL, BOX, GOAL, LAVA)  # kinds with an indicator
N_INDICATORS = len(SEEN) + len(COLOURS)  # of 16 bytes, which numpy copies three times as fast as of 20


class RoomError(OptionError):
    """An option or a level of which no rooms can be made; the message names it and what is allowed."""


def code(kind: int, colour: int = RED) -> int:
    """The byte of a thing: kind in bits 0 to 3, colour in bits 4 to 6, bit 7 set if it blocks the view."""
    return kind | colour << 4 | (kind in OPAQUE) << 7


def kind_of(code: int) -> int:
    """The kind of a code."""
    return code & 15


def colour_of(code: int) -> int:
    """The colour of a code."""
    return code >> 4 & 7


def recoloured(kind: int, of: int) -> int:
    """A thing of this kind in the colour of the code `of`."""
    return code(kind, colour_of(of))


def looks(codes: Array) -> tuple[Array, Array, Array]:
    """Type, colour and state that MiniGrid shows for codes [...]: three arrays uint8 [...].

    By arithmetic, which on bytes is ten times as fast as a table.
    """
    kind = codes & 15
    shut = (kind == CLOSED) | (kind == LOCKED)
    disguised = kind > LOCKED
    state = (kind - AGENT) * shut
    type = kind - (kind - OPEN) * shut - (kind - EMPTY) * disguised
    return type, (codes >> 4) & 7, state


def indicated() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Indicators of every code, [codes, 16]."""
    kind, colour = np.arange(N_CODES) & 15, np.arange(N_CODES) >> 4 & 7
    bare = np.isin(kind, (UNSEEN, EMPTY, PRIZE, TRAP))
    kind = np.where(np.isin(kind, (FLOOR, PRIZE, TRAP)), EMPTY, kind)
    coloured = (colour[:, None] == np.arange(len(COLOURS))) & ~bare[:, None]
    return np.concatenate([kind[:, None] == np.array(SEEN), coloured], axis=1).astype(np.uint8)


def gather(table: Array, index: Array) -> Array:
    """Rows of a table [N, ...] at an index of any shape and type: [*index.shape, ...]."""
    xp = namespace(table)
    flat = xp.reshape(xp.astype(index, xp.int64, copy=False), (-1,))
    if xp is not np and table.ndim == 2 and table.shape[1] * table.itemsize in (8, 16):
        # Word by word, as a GPU gives every row a block of threads, which a short row leaves idle.
        rows = xp.stack([word[flat] for word in table.view(xp.int64).T], axis=1).view(table.dtype)
    else:
        rows = xp.take(table, flat, axis=0)
    return xp.reshape(rows, (*index.shape, *table.shape[1:]))


WALL_CODE, GOAL_CODE, LAVA_CODE = code(WALL, GREY), code(GOAL, GREEN), code(LAVA, RED)
