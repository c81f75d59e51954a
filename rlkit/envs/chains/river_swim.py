"""RiverSwim: a small reward at hand, a large one against the current."""

import numpy as np

from ...core import TableModel, from_triplets
from ..options import number, whole

DOWNSTREAM, UPSTREAM = 0, 1


def river_swim(
    *, n: int = 6, small_reward: float = 5.0, large_reward: float = 10_000.0, discount: float = 0.95
) -> TableModel:
    """Swim against the current to a large reward, or rest at a small one (RiverSwim).

    State 0 is the small reward's, state n-1 the large one's; the swimmer starts in 1 or 2. Swimming down
    always succeeds; up is 0.3 on, 0.6 nowhere, 0.1 back, and at the ends 0.7 nowhere or back. Raises
    `OptionError`. Source: Strehl and Littman (2008), An analysis of model-based interval estimation for
    Markov decision processes, figure 3.
    """
    last = whole("n", n, 3) - 1
    rows = [(s, DOWNSTREAM, max(s - 1, 0), 1.0, 0.0) for s in range(1, n)]
    rows += [(0, DOWNSTREAM, 0, 1.0, number("small_reward", small_reward))]
    rows += [(0, UPSTREAM, 0, 0.7, 0.0), (0, UPSTREAM, 1, 0.3, 0.0)]
    for s in range(1, last):
        rows += [(s, UPSTREAM, s - 1, 0.1, 0.0), (s, UPSTREAM, s, 0.6, 0.0), (s, UPSTREAM, s + 1, 0.3, 0.0)]
    rows += [(last, UPSTREAM, last - 1, 0.7, 0.0)]
    rows += [(last, UPSTREAM, last, 0.3, number("large_reward", large_reward))]
    state, action, successor, probability, reward = zip(*rows, strict=True)
    initial = np.zeros(n)
    initial[1:3] = 0.5
    return TableModel(
        from_triplets(
            state,
            action,
            successor,
            probability,
            reward=reward,
            n_states=n,
            initial=initial,
            discount=number("discount", discount, 0, 1),
            action_names=("down", "up"),
        )
    )
