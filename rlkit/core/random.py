"""A counter-based random generator: every number is a pure function of (seed, episode, step).

One 64-bit key stands for an episode; draw t of it is the finaliser of SplitMix64 (Steele, Lea and
Flood 2014) at key + (t + 1) golden. No state is carried, so the same seed gives the same numbers in
any order, at any batch size, in numpy and in torch. Arithmetic is on int64 and wraps, as both
libraries define it.
"""

import numpy as np

from rlkit.core.arrays import Array, namespace

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64
GRID = 2.0**-53  # between the numbers drawn


def shift_right(z: Array, bits: int) -> Array:
    """Logical shift: numpy has words without a sign, in torch the sign that `>>` copies in is masked off."""
    if isinstance(z, np.ndarray):
        return (z.view(np.uint64) >> np.uint64(bits)).view(np.int64)
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Array) -> Array:
    """Scramble int64 words, a bijection whose every output bit depends on every input bit."""
    z = z ^ shift_right(z, 30)
    z *= _MIX_1
    z ^= shift_right(z, 27)
    z *= _MIX_2
    z ^= shift_right(z, 31)
    return z


def seed_key(seed: Array) -> Array:
    """Key of a seed's stream of episodes, int64 [B]."""
    return mix(seed * _GOLDEN)


def episode_key(seed: Array, episode: Array) -> Array:
    """Key of an episode's stream, int64 [B], from `seed_key` [B] and episode number [B]."""
    return mix(seed + episode * _GOLDEN)


def drawn_bits(key: Array, draw: Array) -> Array:
    """Draw number `draw` [B] of each key [B]: 53 bits as int64."""
    return shift_right(mix(key + (draw + 1) * _GOLDEN), 11)


def uniform(key: Array, draw: Array) -> Array:
    """Draw number `draw` [B] of each key [B]: float64 in [0, 1), on a grid of 2^-53."""
    return namespace(key).astype(drawn_bits(key, draw), namespace(key).float64) * GRID
