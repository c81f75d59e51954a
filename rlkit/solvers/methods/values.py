"""What a method returns, and what it shows of its sweeps to whoever wants to follow it."""

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, one_player
from rlkit.solvers.discounted import certify_discounted
from rlkit.solvers.operators import bellman
from rlkit.solvers.options import SolveError, check_kind, discount_for


class Values(NamedTuple):
    """Values near the optimal ones, which the certificate judges, and the work they took."""

    value: FloatArray  # [S]
    sweeps: int  # backups a state, or rounds


def near_enough(epsilon: float, gamma: float) -> float:
    """The change of a sweep at which values are likely to be within epsilon of the optimal ones."""
    return epsilon * (0.25 * (1 - gamma) if gamma < 1 else 1e-4)


class Sweep(NamedTuple):
    """The values after a sweep, and what one more backup says of them."""

    number: int  # 1, 2, ...
    value: FloatArray  # [S]
    residual: float  # the largest change of a state
    lower: FloatArray  # [S] bounds on the optimum; infinite without discount, where one backup proves none
    upper: FloatArray  # [S]


Trace = Callable[[Sweep], object] | list[Sweep]  # is called with each sweep, or collects them
Report = Callable[[FloatArray], None]


def reporter(mdp: MDP, gamma: float, trace: Trace | None) -> Report | None:
    """What a method calls with its values [S] after each sweep; None where nobody follows."""
    if trace is None:
        return None
    tell = trace.append if isinstance(trace, list) else trace
    numbers = count(1)

    def report(v: FloatArray) -> None:
        lower, upper = np.full((2, len(v)), [[-np.inf], [np.inf]])
        if gamma < 1:
            _, lower, upper, *_ = certify_discounted(mdp, v, gamma=gamma)
        residual = np.abs(bellman(mdp, v, gamma) - v).max(initial=0.0)
        tell(Sweep(next(numbers), v.copy(), float(residual), lower, upper))

    return report


def begin(method: str, mdp: MDP, gamma: float | None, trace: Trace | None) -> tuple[float, Report | None]:
    """The discount, the model's unless given, and what to call after each sweep.

    Raises `SolveError` for anything but an MDP, and where rewards decay, and `NoExactModel` for two players.
    """
    check_kind(method, mdp, MDP)
    one_player(mdp)
    if mdp.reward_decay:
        raise SolveError("the rewards of this model decay with time: use `solve` with a horizon")
    discount = discount_for(mdp, gamma)
    return discount, reporter(mdp, discount, trace)
