"""A counter-based random generator: every number is a pure function of (seed, episode, step).

One 64-bit key stands for an episode; draw t of it is the finaliser of SplitMix64 (Steele, Lea and
Flood 2014) at key + (t + 1) golden. No state is carried, so the same seed gives the same numbers in
any order, at any batch size, in numpy and in torch. Arithmetic is on int64 and wraps, as both
libraries define it.
"""

from __future__ import annotations

import numpy as np

from rlkit.core.arrays import Array, namespace

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def _words(z: Array) -> Array:
    """The same bits in numpy as words without a sign, whose right shift brings in zeros."""
    return z.view(np.uint64) if isinstance(z, np.ndarray) else z


def _shift_right(z: Array, bits: int) -> Array:
    """Logical shift; in torch the sign bit that `>>` copies in is masked off."""
    return z >> bits if isinstance(z, np.ndarray) else (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Array) -> Array:
    """Scramble int64 words, a bijection whose every output bit depends on every input bit."""
    first, second = (_MIX_1, _MIX_2) if isinstance(z, np.ndarray) else (_MIX_1 - 2**64, _MIX_2 - 2**64)
    z = _words(z)
    z = (z ^ _shift_right(z, 30)) * first
    z = (z ^ _shift_right(z, 27)) * second
    z = z ^ _shift_right(z, 31)
    return z.view(np.int64) if isinstance(z, np.ndarray) else z


def episode_key(seed: Array, episode: Array) -> Array:
    """Key of an episode's stream, int64 [B], from seed [B] and episode number [B]."""
    return mix(mix(seed * _GOLDEN) + episode * _GOLDEN)


def uniform(key: Array, draw: Array) -> Array:
    """Draw number `draw` [B] of each key [B]: float64 in [0, 1), on a grid of 2^-53."""
    xp = namespace(key)
    bits = _shift_right(_words(mix(key + (draw + 1) * _GOLDEN)), 11)
    return xp.astype(bits, xp.float64) * 2.0**-53
