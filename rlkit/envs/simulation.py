"""A batch of episodes of a model: the state, the counters of the random generator, and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import InvalidAction, ResetNeeded

from ..core.model import Model, batch_size, leaves, put, take
from ..core.random import episode_key, uniform


class Simulation:
    """B episodes side by side; episode e of seed s is the same whatever B is and whoever is beside it."""

    def __init__(self, model: Model[Any], size: int) -> None:
        self.model, self.size = model, size
        self.seed = np.zeros(size, dtype=np.int64)
        self.episode = np.full(size, -1, dtype=np.int64)
        self.elapsed = np.zeros(size, dtype=np.int64)
        self.key = np.zeros(size, dtype=np.int64)
        self.state: Any = None

    def reseed(self, seeds: Sequence[int], mask: npt.NDArray[np.bool_]) -> None:
        """Give the masked episodes a seed each; their next episode is number 0."""
        wrapped = np.array([s % 2**64 for s in seeds], dtype=np.uint64).astype(np.int64)
        self.seed[mask] = wrapped[mask]
        self.episode[mask] = -1

    def restart(self, mask: npt.NDArray[np.bool_]) -> None:
        """Begin the next episode where the mask [B] holds; at first everywhere."""
        rows = np.arange(self.size) if self.state is None else np.flatnonzero(mask)
        self.episode[rows] += 1
        self.elapsed[rows] = 0
        self.key[rows] = episode_key(self.seed[rows], self.episode[rows])
        u = uniform(self.key[rows], np.zeros(len(rows), dtype=np.int64))
        fresh = self.model.initial(self.model.start_event(u))
        self.state = fresh if self.state is None else put(self.state, rows, fresh)

    def step(
        self, action: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Advance the masked episodes (all without a mask): reward [B] and terminated [B], 0 elsewhere.

        Raises `InvalidAction` naming the action and, in a batch, the environment.
        """
        if self.state is None:
            raise ResetNeeded("call reset before step")
        reward, terminated = np.zeros(self.size), np.zeros(self.size, dtype=np.bool_)
        rows = slice(None) if mask is None or mask.all() else np.flatnonzero(mask)
        state, taken = take(self.state, rows), action[rows]
        self._check(state, taken)
        self.elapsed[rows] += 1
        event = self.model.sample_event(state, taken, uniform(self.key[rows], self.elapsed[rows]))
        step = self.model.transition(state, taken, event)
        reward[rows], terminated[rows] = step.reward, step.terminated
        self.state = step.state if isinstance(rows, slice) else put(self.state, rows, step.state)
        return reward, terminated

    def _check(self, state: Any, action: npt.NDArray[np.int64]) -> None:
        n = self.model.n_actions
        outside = (action < 0) | (action >= n)
        if outside.any():
            raise InvalidAction(f"action {action[np.argmax(outside)]} is none of 0..{n - 1}")
        if self.model.masked:
            allowed = self.model.legal(state)
            refused = ~allowed[np.arange(batch_size(state)), action]
            if refused.any():
                i = int(np.argmax(refused))
                raise InvalidAction(
                    f"action {action[i]} is not legal here; legal are {np.flatnonzero(allowed[i]).tolist()}"
                )

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that a continued run needs, as arrays."""
        own = {name: getattr(self, name) for name in ("seed", "episode", "elapsed", "key")}
        fields = {} if self.state is None else {f"state_{i}": x for i, x in enumerate(leaves(self.state))}
        return {name: np.array(value) for name, value in (own | fields).items()}

    def set_state(self, saved: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what `get_state` returned."""
        for name in ("seed", "episode", "elapsed", "key"):
            setattr(self, name, np.array(saved[name]))
        kind = type(self.model.initial(np.zeros(1, dtype=np.int64)))
        fields = [name for name in saved if name.startswith("state_")]
        if fields:
            self.state = kind(*(np.array(saved[f"state_{i}"]) for i in range(len(fields))))
