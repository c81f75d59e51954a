from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from rlkit.core.random import episode_key, mix, seed_key, uniform

WORD = 2**64


def splitmix64(seed: int, count: int) -> list[int]:
    """Steele, Lea and Flood's generator in Python integers, state and all."""
    words, state = [], seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % WORD
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
        words.append(z ^ (z >> 31))
    return words


def signed(word: int) -> int:
    return word - WORD if word >= WORD // 2 else word


def test_the_reference_is_the_published_generator() -> None:
    """First outputs for seed 1234567, as printed by several implementations of SplitMix64."""
    assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 1, 1234567, 2**63 - 1, WORD - 1])
def test_draws_are_splitmix64(seed: int) -> None:
    words = splitmix64(seed, 50)
    key = np.full(50, signed(seed), dtype=np.int64)
    draws = uniform(key, np.arange(50))
    assert draws.tolist() == [(word >> 11) * 2.0**-53 for word in words]
    golden = signed(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        state = np.int64(signed(seed)) + np.arange(1, 51, dtype=np.int64) * np.int64(golden)
    assert mix(state).tolist() == [signed(word) for word in words]


def test_numpy_and_torch_agree_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    seeds = rng.integers(-(2**63), 2**63 - 1, size=5000)
    episodes = rng.integers(0, 2**40, size=5000)
    draws = rng.integers(0, 2**40, size=5000)
    key = episode_key(seed_key(seeds), episodes)
    key_t = episode_key(seed_key(torch.from_numpy(seeds)), torch.from_numpy(episodes))
    assert np.array_equal(key, key_t.numpy())
    assert np.array_equal(uniform(key, draws), uniform(key_t, torch.from_numpy(draws)).numpy())


def test_any_order_and_any_batch_give_the_same_numbers() -> None:
    key = episode_key(seed_key(np.array([7])), np.array([3]))
    together = uniform(np.repeat(key, 100), np.arange(100))
    apart = [float(uniform(key, np.array([t]))[0]) for t in reversed(range(100))]
    assert together.tolist() == apart[::-1]


def chi_square(counts: np.ndarray, expected: float) -> float:
    """Chance of a statistic at least this large if the counts were drawn with equal expectation."""
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, len(counts) - 1))


@pytest.mark.parametrize("along", ["seeds", "episodes", "draws"])
def test_uniform_along_every_axis(along: str) -> None:
    n = 200_000
    index = np.arange(n)
    zero = np.zeros(n, dtype=np.int64)
    seed, episode, draw = (index if along == name else zero for name in ("seeds", "episodes", "draws"))
    u = uniform(episode_key(seed, episode), draw)
    assert ((u >= 0) & (u < 1)).all()
    assert 1e-4 < chi_square(np.bincount((u * 256).astype(int), minlength=256), n / 256) < 1 - 1e-4
    pairs = (u[:-1:2] * 16).astype(int) * 16 + (u[1::2] * 16).astype(int)
    assert 1e-4 < chi_square(np.bincount(pairs, minlength=256), n / 512) < 1 - 1e-4


def test_the_chi_square_can_fail() -> None:
    skewed = np.random.default_rng(0).random(200_000) ** 1.02
    counts = np.bincount((skewed * 256).astype(int), minlength=256)
    assert chi_square(counts, 200_000 / 256) < 1e-4


def test_different_seeds_and_episodes_have_different_keys() -> None:
    seeds, episodes = (a.ravel() for a in np.meshgrid(np.arange(300), np.arange(300)))
    assert len(np.unique(episode_key(seed_key(seeds), episodes))) == 300 * 300
