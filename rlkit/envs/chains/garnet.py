"""Random MDPs of any size (Garnet)."""

import numpy as np
import numpy.typing as npt

from ...core import TableModel, from_triplets
from ..options import OptionError, number, whole

MOST_TRANSITIONS = 50_000_000  # of a random model


def garnet(
    *, states: int = 20, actions: int = 4, branching: int = 3, seed: int = 0, discount: float = 0.95
) -> TableModel:
    """A random MDP: each choice leads to `branching` random states with random probabilities (Garnet).

    Successors are distinct and equally likely; probabilities are the gaps between uniform cuts of [0, 1];
    the expected reward of each choice is standard normal; every state is equally likely to be first. The same
    seed gives the same model. Raises `OptionError`. Source: Archibald, McKinnon and Thomas (1995), On the
    generation of Markov decision processes; rewards of Bhatnagar et al. (2009), Natural actor-critic
    algorithms, section 7.
    """
    whole("states", states, 1)
    whole("actions", actions, 1)
    whole("branching", branching, 1, states)
    rng = np.random.default_rng(whole("seed", seed, 0))
    choices = states * actions
    if choices * branching > MOST_TRANSITIONS:
        raise OptionError(
            f"states, actions and branching must multiply to at most {MOST_TRANSITIONS}, "
            f"not {choices * branching}"
        )
    cuts = np.sort(rng.random((choices, branching - 1)), axis=1)
    probability = np.diff(cuts, axis=1, prepend=0.0, append=1.0)
    choice = np.repeat(np.arange(choices), branching)
    return TableModel(
        from_triplets(
            choice // actions,
            choice % actions,
            _subsets(states, branching, choices, rng).reshape(-1),
            probability.reshape(-1),
            reward=rng.standard_normal(choices)[choice],
            n_states=states,
            initial=np.full(states, 1 / states),
            discount=number("discount", discount, 0, 1),
        )
    )


def _subsets(n: int, size: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random subsets of range(n), all equally likely, [count, size] (Floyd's algorithm)."""
    chosen = np.empty((count, size), dtype=np.int64)
    for k in range(size):
        last = n - size + k
        drawn = rng.integers(0, last + 1, count)
        taken = (chosen[:, :k] == drawn[:, None]).any(axis=1)
        chosen[:, k] = np.where(taken, last, drawn)
    return chosen
