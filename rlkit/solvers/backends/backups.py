"""One backup of every state at once: in numpy, compiled over all cores, or on a GPU."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.solvers.backends.kernels import COMPILE_FROM, compiled, sweep, unsigned
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.reduction import with_choices

PARALLEL_FROM = 200_000  # transitions that keep more than one core busy
PARTS = 4  # of the states a core, so that none waits long for another


class Backed(NamedTuple):
    """What one backup of values v [S] gives, as arrays of where it was computed."""

    value: Any  # [S]
    choice: Any  # [S] the first best choice, -1 at terminal states; None on a GPU
    low: float  # smallest change of a state
    high: float  # largest change


class Backup(Protocol):
    """The Bellman operator of a model, or of one policy in it, with a discount."""

    transitions: int  # that one backup visits

    def __call__(self, v: Any) -> Backed:
        """Back up every state."""


def backup_of(mdp: MDP, gamma: float, *, sweeps: int = 1) -> NumpyBackup | CompiledBackup:
    """The operator of a model, in the form that pays for that many sweeps of it."""
    if sweeps * mdp.n_transitions < COMPILE_FROM:
        return NumpyBackup(mdp, gamma)
    return CompiledBackup(mdp.state_ptr, mdp.matrix, mdp.reward, gamma)


def available_cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class NumpyBackup:
    """Backups by the plain operators."""

    def __init__(self, mdp: MDP, gamma: float) -> None:
        self.mdp, self.gamma, self.transitions = mdp, gamma, mdp.n_transitions

    def __call__(self, v: FloatArray) -> Backed:
        """Back up every state."""
        q = q_values(self.mdp, v, self.gamma)
        value = best(self.mdp, q)
        change = value - v
        return Backed(value, greedy(self.mdp, q), change.min(), change.max())

    def following(self, choice: IntArray) -> NumpyBackup:
        """The operator of the policy that takes these choices [S]; it numbers its own anew."""
        taken = np.zeros(self.mdp.n_choices, dtype=np.bool_)
        taken[choice[choice >= 0]] = True
        return NumpyBackup(with_choices(self.mdp, taken), self.gamma)


class CompiledBackup:
    """Backups fused into one pass over the model, which the cores share."""

    def __init__(self, state_ptr: IntArray, matrix: csr_array, reward: FloatArray, gamma: float) -> None:
        self.matrix, self.reward, self.gamma, self.transitions = matrix, reward, gamma, matrix.nnz
        pointers = (unsigned(index) for index in (state_ptr, matrix.indptr, matrix.indices))
        self.arrays = (*pointers, matrix.data, reward)
        cores = available_cores() if matrix.nnz >= PARALLEL_FROM else 1
        self.map = ThreadPoolExecutor(cores).map if cores > 1 else map
        even = np.linspace(0, matrix.nnz, PARTS * cores + 1)
        self.parts = np.searchsorted(matrix.indptr[state_ptr], even)
        self.parts[0], self.parts[-1] = 0, len(state_ptr) - 1

    def __call__(self, v: FloatArray) -> Backed:
        """Back up every state."""
        value, choice = np.empty_like(v), np.full(len(v), -1, dtype=self.matrix.indptr.dtype)
        run = compiled(sweep)

        def part(begin: int, end: int) -> tuple[float, float]:
            low, high = run(self.arrays, self.gamma, v, value, choice, begin, end)
            return low, high

        low, high = zip(*self.map(part, self.parts[:-1], self.parts[1:]), strict=True)
        return Backed(value, choice, min(low), max(high))

    def following(self, choice: IntArray) -> CompiledBackup:
        """The operator of the policy that takes these choices [S]; it numbers its own anew."""
        taken = choice[choice >= 0]
        state_ptr = np.append(0, np.cumsum(choice >= 0)).astype(self.matrix.indptr.dtype)
        return CompiledBackup(state_ptr, self.matrix[taken], self.reward[taken], self.gamma)
