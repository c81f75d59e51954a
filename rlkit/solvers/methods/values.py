"""What a method returns."""

from __future__ import annotations

from typing import NamedTuple

from rlkit.core.mdp import FloatArray


class Values(NamedTuple):
    """Values near the optimal ones, which the certificate judges, and the work they took."""

    value: FloatArray  # [S]
    sweeps: int  # backups a state, or rounds


def near_enough(epsilon: float, gamma: float) -> float:
    """The change of a sweep at which values are likely to be within epsilon of the optimal ones."""
    return epsilon * (0.25 * (1 - gamma) if gamma < 1 else 1e-4)
