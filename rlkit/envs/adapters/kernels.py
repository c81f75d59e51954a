"""Steps of a batch as one compiled loop; numba is loaded with this module, so it is imported when it pays."""

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from rlkit.machine_code import machine_code

from ...core.random import GRID, drawn_bits, episode_key, mix, shift_right

Array = np.ndarray[Any, Any]

# The generator of `core.random`, compiled for one word at a time.


@overload(shift_right)
def _shift_right(z: Any, bits: Any) -> Any:
    def shifted(z: Any, bits: Any) -> Any:
        return (z >> bits) & ((1 << (64 - bits)) - 1)

    return shifted


for function in (mix, episode_key, drawn_bits):
    register_jitable(function)


@machine_code()
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
            u = drawn_bits(key[i], elapsed[i]) * GRID
            last = cumulative[s, a, n_events - 1]
            while cumulative[s, a, event] <= u and cumulative[s, a, event] < last:
                event += 1
        state[i] = successor[s, a, event]
        earned[i] = reward[s, a, event]
        over[i] = ended[s, a, event]


@machine_code()
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
            key[i] = episode_key(seed[i], episode[i])
            first = drawn_bits(key[i], 0) * GRID
            state[i] = starts[np.searchsorted(thresholds, first, side="right")]
