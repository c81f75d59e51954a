"""Bounds that enclose the optimum for gamma < 1; `undiscounted.certificate` has those for gamma = 1."""

import numpy as np

from rlkit.core.mdp import MDP, FloatArray
from rlkit.solvers.backends.backups import backup_of
from rlkit.solvers.operators import rounding_of
from rlkit.solvers.solution import Bounded


def certify_discounted(mdp: MDP, v: FloatArray, *, gamma: float) -> Bounded:
    """Bounds on V* from one backup of any v (MacQueen 1966, Porteus 1971); needs gamma < 1.

    Terminal states, whose change is 0, count among the extremes. What rounding can hide in the backup is
    added, times the 1 / (1 - gamma) steps over which it can add up.
    """
    value, choice, low, high = backup_of(mdp, gamma)(v)
    scale = gamma / (1 - gamma)
    rounding = rounding_of(mdp, v) / (1 - gamma)
    lower = value + (scale * low - rounding)
    upper = value + (scale * high + rounding)
    lower[mdp.terminal] = upper[mdp.terminal] = 0.0
    return Bounded(np.clip(value, lower, upper), lower, upper, choice, 0)
