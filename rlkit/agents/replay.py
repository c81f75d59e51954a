"""A replay memory: one ring of transitions per environment, in the environment's own order.

It stores the discount, which is 0 only at termination, and the true successor, so that a time limit is
bootstrapped from its final observation. Observations keep their own data type.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..nn import Encoder
from .stepper import Array, BoolArray, FloatArray, Step, Stepper

IntArray = NDArray[np.int64]


class Window(NamedTuple):
    """Up to n steps in a row, from N starting points: leading axes [n, N]."""

    obs: Array  # [N, ...] where the window starts
    action: IntArray  # [N]
    reward: FloatArray  # [n, N]
    discount: FloatArray  # [n, N] 0 at termination, else 1
    cut: BoolArray  # [n, N] the episode, or what is stored of it, ends with this step
    steps: IntArray  # [n, N] flat indices of the steps, for `Replay.successor`


class Replay:
    """The last `capacity` transitions, shared out evenly over the environments."""

    def __init__(self, capacity: int, *, stepper: Stepper, encoder: Encoder) -> None:
        b = stepper.num_envs
        self.length = max(1, capacity // b)
        rows = (self.length, b)
        self.obs = np.zeros((*rows, *encoder.shape), dtype=encoder.dtype)
        self.next_obs = np.zeros_like(self.obs)
        self.action = np.zeros(rows, dtype=np.int64)
        self.reward = np.zeros(rows, dtype=np.float32)
        self.discount = np.zeros(rows, dtype=np.float32)
        self.cut = np.zeros(rows, dtype=np.bool_)
        masked = stepper.mask is not None
        self.next_mask = np.zeros((*rows, stepper.n_actions), dtype=np.bool_) if masked else None
        self.head = np.zeros(b, dtype=np.int64)  # [B] the row written next
        self.stored = np.zeros(b, dtype=np.int64)  # [B] rows that hold a transition

    def __len__(self) -> int:
        return int(self.stored.sum())

    def add(self, obs: Array, action: IntArray, step: Step, *, valid: BoolArray) -> None:
        """Append the step of each environment that is `valid`; one left out breaks its trace."""
        columns = np.flatnonzero(valid)
        at = (self.head[columns], columns)
        self.obs[at], self.action[at] = obs[columns], action[columns]
        self.next_obs[at], self.reward[at] = step.next_obs[columns], step.reward[columns]
        self.discount[at], self.cut[at] = step.discount[columns], step.done[columns]
        if self.next_mask is not None and step.next_mask is not None:
            self.next_mask[at] = step.next_mask[columns]
        self.head[columns] = (self.head[columns] + 1) % self.length
        self.stored[columns] = np.minimum(self.stored[columns] + 1, self.length)
        self.cut_newest(step.valid & ~valid)

    def cut_newest(self, where: BoolArray) -> None:
        """Note for the environments `where` that the next step they add does not follow on their newest."""
        columns = np.flatnonzero(where)
        self.cut[(self.head[columns] - 1) % self.length, columns] = True

    def sample(self, size: int, *, n: int, rng: np.random.Generator) -> Window:
        """Windows of `n` steps from uniformly drawn starts; the newest step of an environment is a cut."""
        ends = self.stored.cumsum()
        drawn = rng.integers(ends[-1], size=size)
        column = np.searchsorted(ends, drawn, side="right")
        age = ends[column] - drawn + np.zeros((n, 1), dtype=np.int64) - np.arange(n)[:, None]  # 1: the newest
        row = (self.head[column] - age) % self.length
        index = row * len(self.head) + column
        cut = self.cut.reshape(-1)[index] | (age <= 1)
        first = (row[0], column)
        reward, discount = self.reward.reshape(-1)[index], self.discount.reshape(-1)[index]
        return Window(self.obs[first], self.action[first], reward, discount, cut, index)

    def successor(self, index: IntArray) -> tuple[Array, BoolArray | None]:
        """The true successors [N, ...] of the steps with these flat indices, and the legal actions there."""
        at = np.divmod(index, len(self.head))
        return self.next_obs[at], None if self.next_mask is None else self.next_mask[at]

    def state(self) -> dict[str, Array]:
        """All that is stored, in order of the rows written so far."""
        rows = int(self.stored.max())
        arrays: dict[str, Array] = {name: array[:rows] for name, array in self._columns().items()}
        return arrays | {"head": self.head, "stored": self.stored}

    def set_state(self, arrays: dict[str, Any]) -> None:
        """Go back to a saved state."""
        for name, array in self._columns().items():
            array[: len(arrays[name])] = arrays[name]
        self.head[:], self.stored[:] = arrays["head"], arrays["stored"]

    def _columns(self) -> dict[str, Array]:
        names = ("obs", "next_obs", "action", "reward", "discount", "cut", "next_mask")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
