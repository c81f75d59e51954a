"""Backups on an NVIDIA GPU by one kernel, which Triton, a part of torch there, compiles.

The model lies as the threads read it, in slices of LANES states (sliced ELLPACK, Monakov et al. 2010). The
c-th choices of the states of a slice are a row of LANES choices, and the k-th transitions of these a row of
LANES transitions, so that neighbouring threads read neighbouring numbers. Where a state has fewer choices
than the slice has rows, the others pay minus infinity; where a choice has fewer transitions, the others have
probability 0.
"""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch

from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.rows import pointers, ranges
from rlkit.solvers.backends.backups import Backed

LANES = 128  # threads that a block of a GPU is

with suppress(ImportError):
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator]
    def sweep(  # type: ignore[no-untyped-def]
        first_row, first_step, successor, probability, reward, v, value, bounds, gamma, n, LANES: tl.constexpr
    ):
        """Back up a slice; `bounds` [2, slices] get its smallest change and its largest one, negated.

        `gamma` [1] is a tensor, since Triton takes a float as one of 32 bits.
        """
        place, lane = tl.program_id(0), tl.arange(0, LANES)
        state = place * LANES + lane
        best = tl.full((LANES,), float("-inf"), tl.float64)
        for row in range(tl.load(first_row + place), tl.load(first_row + place + 1)):
            q = tl.zeros((LANES,), tl.float64)
            for step in range(tl.load(first_step + row), tl.load(first_step + row + 1)):
                at = step * LANES + lane
                q += tl.load(probability + at) * tl.load(v + tl.load(successor + at))
            best = tl.maximum(best, q * tl.load(gamma) + tl.load(reward + row * LANES + lane))
        there = state < n
        tl.store(value + state, best, mask=there)
        change = best - tl.load(v + state, mask=there)
        tl.store(bounds + place, tl.min(tl.where(there, change, float("inf"))))
        tl.store(bounds + tl.num_programs(0) + place, tl.min(tl.where(there, -change, float("inf"))))


class Slices(NamedTuple):
    """A model cut up; values must be finite, as what is filled up multiplies one by 0."""

    first_row: IntArray  # [slices + 1] the first row of choices of each slice
    first_step: IntArray  # [rows + 1] the first row of transitions of each row of choices
    successor: IntArray  # [steps, LANES]
    probability: FloatArray  # [steps, LANES]
    reward: FloatArray  # [rows, LANES]


def rows_of(mdp: MDP) -> tuple[IntArray, IntArray, IntArray]:
    """The first row of each slice [slices + 1], the first step of each row [rows + 1], a choice's row [C]."""
    per_state = np.maximum(np.diff(mdp.state_ptr), 1)
    first_row = pointers(np.pad(per_state, (0, -mdp.n_states % LANES)).reshape(-1, LANES).max(1))
    rank = np.arange(mdp.n_choices) - mdp.state_ptr[mdp.state_of_choice]
    row = first_row[mdp.state_of_choice // LANES] + rank
    longest = np.zeros(first_row[-1], dtype=np.int64)
    np.maximum.at(longest, row, np.diff(mdp.choice_ptr))
    return first_row, pointers(longest), row


def filled(mdp: MDP) -> float:
    """The share of the transitions in slices that are the model's; the others have probability 0."""
    _, first_step, _ = rows_of(mdp)
    return mdp.n_transitions / max(int(first_step[-1]) * min(LANES, mdp.n_states), 1)


def slices_of(mdp: MDP) -> Slices:
    """The slices of a model; a terminal state has one choice, which pays 0 and leads nowhere."""
    first_row, first_step, row = rows_of(mdp)
    lane = mdp.state_of_choice % LANES
    reward = np.full((first_row[-1], LANES), -np.inf)
    reward[row, lane] = mdp.reward
    end = np.flatnonzero(mdp.terminal)
    reward[first_row[end // LANES], end % LANES] = 0.0
    place = ranges(first_step[row], np.diff(mdp.choice_ptr)), mdp.per_transition(lane)
    successor = np.zeros((first_step[-1], LANES), dtype=mdp.successor.dtype)
    probability = np.zeros((first_step[-1], LANES))
    successor[place], probability[place] = mdp.successor, mdp.probability
    return Slices(first_row, first_step, successor, probability, reward)


class SlicedBackup:
    """One backup of every state of a model, on a GPU of NVIDIA's, in float64."""

    def __init__(self, mdp: MDP, gamma: float, device: str) -> None:
        self.transitions = mdp.n_transitions
        self.gamma = torch.tensor([gamma], dtype=torch.float64, device=device)
        self.slices = [torch.tensor(array, device=device) for array in slices_of(mdp)]
        self.bounds = torch.empty((2, len(self.slices[0]) - 1), dtype=torch.float64, device=device)

    def __call__(self, v: torch.Tensor | FloatArray) -> Backed:
        """Back up every state."""
        v = torch.as_tensor(v, device=self.bounds.device)
        value = torch.empty_like(v)
        blocks = (self.bounds.shape[1],)
        sweep[blocks](*self.slices, v, value, self.bounds, self.gamma, len(v), LANES=LANES, num_warps=4)
        low, negated_high = self.bounds.amin(1).tolist()
        return Backed(value, None, low, -negated_high)
