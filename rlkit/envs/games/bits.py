"""Boards as bits of int64 words."""

from dataclasses import dataclass, replace
from typing import TypeVar

from ...core.arrays import Array, namespace
from .game import Game, Position

PAIRS, QUADS, NIBBLES, BYTES = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101


@dataclass(frozen=True)
class BitPosition(Position):
    """What each player has on the board."""

    own: Array  # [B] int64, of the player to move
    other: Array  # [B] int64


P = TypeVar("P", bound=BitPosition)


class BitGame(Game[P]):
    """A game on a board of at most 64 points, each a bit of a word."""

    place: Array  # [H, W] bit of each point

    def turned(self, position: P) -> P:
        """What is one's own and what is the other's exchanged."""
        return replace(
            position,
            second=~position.second,
            outcome=-position.outcome,
            own=position.other,
            other=position.own,
        )

    def planes(self, position: P) -> Array:
        """What is one's own, then what is the other's."""
        xp = namespace(position.own)
        words = (position.own, position.other)
        planes = [xp.astype((x >> self.place[:, :, None]) & 1, xp.uint8) for x in words]
        return xp.moveaxis(xp.stack(planes), -1, 0)


class StoneGame(BitGame[BitPosition]):
    """A game in which stones are put on an empty board."""

    def first(self, like: Array) -> BitPosition:
        """The empty board."""
        xp = namespace(like)
        empty = xp.zeros(like.shape, dtype=xp.int64, device=like.device)
        no = empty != 0
        return BitPosition(no, no, xp.astype(no, xp.int8), empty, empty)


def spread(words: Array, places: Array) -> Array:
    """Bits of words [B] at places [n], as [B, n] of 0 and 1; the axis B is the one without gaps."""
    return ((words >> places[:, None]) & 1).T


def population(x: Array) -> Array:
    """Number of bits set in words; the masks drop the copies of the sign that `>>` shifts in."""
    x = x - ((x >> 1) & PAIRS)
    x = (x & QUADS) + ((x >> 2) & QUADS)
    return (((x + (x >> 4)) & NIBBLES) * BYTES) >> 56


def any_of(words: Array) -> Array:
    """Words [4, B] or-ed into one, [B]."""
    halves = words[:2] | words[2:]
    return halves[0] | halves[1]
