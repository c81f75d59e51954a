"""Steps of a batch as one compiled loop; numba is loaded with this module, so it is imported when it pays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ..core.random import GOLDEN, MIX_1, MIX_2

Array = np.ndarray[Any, Any]


@njit(cache=True)
def _mixed(z: Any) -> Any:
    """`random.mix` of one word without a sign."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(MIX_2)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _uniform(key: Any, draw: Any) -> Any:
    """`random.uniform` of one key."""
    word = _mixed(np.uint64(key) + np.uint64(draw + 1) * np.uint64(GOLDEN))
    return np.float64(word >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def advance(
    key: Array,
    elapsed: Array,
    state: Array,
    action: Array,
    playing: Array,
    cumulative: Array,
    successor: Array,
    reward: Array,
    ended: Array,
    earned: Array,
    over: Array,
) -> None:
    """Step the episodes that play: `cumulative` [S, A, E] and what each event does [S, A, E].

    Changes `elapsed` and `state` [B] and writes `earned` and `over` [B].
    """
    n_events = cumulative.shape[2]
    for i in range(len(state)):
        if not playing[i]:
            continue
        elapsed[i] += 1
        s, a, event = state[i], action[i], 0
        if n_events > 1:
            u = _uniform(key[i], elapsed[i])
            last = cumulative[s, a, n_events - 1]
            while cumulative[s, a, event] <= u and cumulative[s, a, event] < last:
                event += 1
        state[i] = successor[s, a, event]
        earned[i] = reward[s, a, event]
        over[i] = ended[s, a, event]


@njit(cache=True)
def restart(
    seed: Array,
    episode: Array,
    key: Array,
    elapsed: Array,
    state: Array,
    mask: Array,
    starts: Array,
    thresholds: Array,
) -> None:
    """Begin the next episode where the mask holds, in the state of the interval that holds its first draw."""
    for i in range(len(state)):
        if mask[i]:
            episode[i] += 1
            elapsed[i] = 0
            word = np.uint64(seed[i]) + np.uint64(episode[i]) * np.uint64(GOLDEN)
            key[i] = np.int64(_mixed(word))
            state[i] = starts[np.searchsorted(thresholds, _uniform(key[i], 0), side="right")]
