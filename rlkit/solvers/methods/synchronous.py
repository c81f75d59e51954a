"""Backups of all states at once, by themselves or with cheaper ones of one policy between them."""

from math import ceil, log
from typing import Any

import numpy as np

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.backends.backups import Backup, CompiledBackup, NumpyBackup, backup_of
from rlkit.solvers.methods.values import Report, Trace, Values, begin

PARTIAL = 20  # sweeps of one policy at most
MIXING = 300  # sweeps in which a model that mixes is solved
JUDGED = 20  # sweeps after which it is judged whether a model does


def synchronous(
    mdp: MDP,
    *,
    gamma: float | None = None,
    epsilon: float = 1e-6,
    max_sweeps: int = 100_000,
    device: str = "cpu",
    trace: Trace | None = None,
) -> Values:
    """Plain value iteration: every sweep backs up all states, on a GPU if `device` is "cuda"."""
    gamma, report = begin("synchronous", mdp, gamma, trace)
    backup: Backup
    if device == "cpu":
        backup = backup_of(mdp, gamma, sweeps=MIXING)
    else:
        from rlkit.solvers.backends.gpu import backup_on

        backup = backup_on(device, mdp, gamma)
    return _successive_approximation(
        mdp, backup, None, gamma=gamma, epsilon=epsilon, limits=(max_sweeps, max_sweeps), report=report
    )


def modified_policy_iteration(
    mdp: MDP,
    *,
    gamma: float | None = None,
    epsilon: float = 1e-6,
    max_sweeps: int = 100_000,
    give_up: bool = False,
    trace: Trace | None = None,
) -> Values:
    """The same, each backup followed by cheaper ones of its greedy policy alone (Puterman and Shin 1978).

    These go on until their changes are ten times more alike than those of the backup. With `give_up` a model
    that does not mix is given up.
    """
    gamma, report = begin("modified_policy_iteration", mdp, gamma, trace)
    backup = backup_of(mdp, gamma, sweeps=MIXING)
    limits = (MIXING, JUDGED) if give_up else (max_sweeps, max_sweeps)
    return _successive_approximation(
        mdp, backup, backup, gamma=gamma, epsilon=epsilon, limits=limits, report=report
    )


def _successive_approximation(
    mdp: MDP,
    backup: Backup,
    partial: NumpyBackup | CompiledBackup | None,
    *,
    gamma: float,
    epsilon: float,
    limits: tuple[int, int],
    report: Report | None,
) -> Values:
    """Backups until their changes are alike, which on a model that mixes is far sooner than they vanish.

    Source: Puterman 1994, section 6.6.
    """
    most, judged = limits
    scale = gamma / (1 - gamma) if gamma < 1 else 1e4
    v: Any = np.zeros(mdp.n_states)
    sweeps = 0.0
    history: list[tuple[float, float]] = []
    while sweeps < most:
        v, choice, low, high = backup(v)
        sweeps += 1
        if report is not None:
            report(_on_host(v))
        gap = scale * (high - low)
        if gap <= 0.5 * epsilon:
            break
        history.append((sweeps, gap))
        if sweeps >= judged and not _will_close(history, epsilon, most):
            break
        if partial is not None:
            v, share = _follow(partial, choice, v, PARTIAL, 0.1 * gap / scale)
            sweeps += share
    return Values(_on_host(v), ceil(sweeps))


def _on_host(v: Any) -> FloatArray:
    on_host: FloatArray = v if isinstance(v, np.ndarray) else v.cpu().numpy()
    return on_host


def _follow(
    backup: NumpyBackup | CompiledBackup, choice: IntArray, v: FloatArray, sweeps: int, spread: float
) -> tuple[FloatArray, float]:
    """Back up one policy until its changes are within `spread` of each other; how many sweeps that cost."""
    policy = backup.following(choice)
    done, low, high = 0, -np.inf, np.inf
    while done < sweeps and high - low > spread:
        v, _, low, high = policy(v)
        done += 1
    return v, done * policy.transitions / backup.transitions


def _will_close(history: list[tuple[float, float]], epsilon: float, limit: int) -> bool:
    """Whether the gap, shrinking as over the last half of the sweeps so far, reaches epsilon in time."""
    now, gap = history[-1]
    then, before = next(entry for entry in history if entry[0] >= now / 2)
    return before > gap and now + (now - then) * log(gap / epsilon) / log(before / gap) <= limit
