"""Boards as bits of int64 words."""

from __future__ import annotations

from ...core.arrays import Array, namespace

PAIRS, QUADS, NIBBLES, BYTES = 0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101


def spread(words: Array, places: Array) -> Array:
    """Bits of words [B] at places [n], as [B, n] of 0 and 1; the axis B is the one without gaps."""
    return ((words >> places[:, None]) & 1).T


def boards(own: Array, other: Array, places: Array) -> Array:
    """Two words [B] as planes [B, 2, H, W] int8 of the bits at places [H, W]."""
    xp = namespace(own)
    planes = [xp.astype((words >> places[:, :, None]) & 1, xp.int8) for words in (own, other)]
    return xp.moveaxis(xp.stack(planes), -1, 0)


def population(x: Array) -> Array:
    """Number of bits set in words; the masks drop the copies of the sign that `>>` shifts in."""
    x = x - ((x >> 1) & PAIRS)
    x = (x & QUADS) + ((x >> 2) & QUADS)
    return (((x + (x >> 4)) & NIBBLES) * BYTES) >> 56


def any_of(words: Array) -> Array:
    """Words [4, B] or-ed into one, [B]."""
    halves = words[:2] | words[2:]
    return halves[0] | halves[1]
