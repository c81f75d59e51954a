"""A batch of episodes of a model: the state, the counters of the random generator, and the clock."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import InvalidAction, ResetNeeded

from ...core.arrays import Array, namespace
from ...core.model import Model, each, leaves, put, where
from ...core.random import episode_key, seed_key, uniform
from .tabulated import Tabulated, tabulated

COMPILE_FROM = 3_000_000  # steps of a batch; for fewer, loading a compiler takes longer than it saves
COUNTERS = ("seed", "episode", "elapsed", "key")


class Simulation:
    """B episodes side by side; episode e of seed s is the same whatever B is and whoever is beside it.

    Arrays are of the library, and on the device, of `like`. In numpy only what begins anew is computed
    anew; in torch everything is, and then chosen from, because a GPU that is asked how many must wait.
    """

    def __init__(self, model: Model[Any], size: int, *, like: Array | None = None) -> None:
        self.model, self.size = model, size
        self.like = np.empty(0) if like is None else like
        self.device = self.like.device
        self.waits = str(self.device) == "cpu"  # whether looking at numbers costs nothing
        self.seed, self.episode, self.elapsed, self.key = (self._zeros() for _ in COUNTERS)
        self.episode -= 1
        self.state: Any = None
        self._stepped = 0
        self._tables: Tabulated | None = None

    @property
    def xp(self) -> Any:
        """The library of the arrays."""
        return namespace(self.like)

    def reseed(self, seeds: Sequence[int], mask: Array) -> None:
        """Give the masked episodes a seed each; their next episode is number 0."""
        wrapped = np.array([s % 2**64 for s in seeds], dtype=np.uint64).astype(np.int64)
        self.seed[mask] = self.array(seed_key(wrapped))[mask]
        self.episode[mask] = -1

    def restart(self, mask: Array) -> None:
        """Begin the next episode where the mask [B] holds; at first everywhere."""
        if self.state is None:
            mask = self.xp.ones_like(mask)
        found = self._tables
        if found is not None and found.thresholds is not None:
            from . import kernels

            (index,) = leaves(self.state)
            begins = found.starts, found.thresholds
            kernels.restart(self.seed, self.episode, self.key, self.elapsed, index, mask, *begins)
        elif self.xp is np:
            rows = mask.nonzero()[0]
            self.episode[rows] += 1
            self.elapsed[rows] = 0
            self.key[rows] = episode_key(self.seed[rows], self.episode[rows])
            fresh = self._first(self.key[rows])
            self.state = fresh if self.state is None else put(self.state, rows, fresh)
        else:
            self.episode = self.episode + mask
            self.elapsed = self.elapsed * ~mask
            self.key = self.xp.where(mask, episode_key(self.seed, self.episode), self.key)
            fresh = self._first(self.key)
            self.state = fresh if self.state is None else where(mask, fresh, self.state)

    def step(self, action: Array, playing: Array | None = None) -> tuple[Array, Array]:
        """Advance every episode: reward [B] float64 and terminated [B].

        With a mask `playing` [B] the others earn nothing and must be begun anew. Raises `InvalidAction`
        naming the action, except on a GPU, which would have to wait for the answer.
        """
        if self.state is None:
            raise ResetNeeded("call reset before step")
        model = self.model
        if self.waits:
            action = self._checked(action, playing)
        elif playing is not None:
            action = action * playing
        if self._compiled():
            return self._looked_up(action, playing)
        self.elapsed += 1
        if model.n_events > 1:
            step = model.sample(self.state, action, uniform(self.key, self.elapsed))
        else:
            step = model.transition(self.state, action, self._zeros())
        self.state = step.state
        reward = model.decayed(step.reward, self.elapsed)
        if playing is None:
            return reward, step.terminated
        return reward * playing, step.terminated & playing

    def _compiled(self) -> bool:
        """Whether a small model is stepped by tables; they are made once enough steps were taken."""
        if self._stepped < COMPILE_FROM:
            self._stepped += self.size
            if self._stepped >= COMPILE_FROM and self.xp is np:
                self._tables = tabulated(self.model)
                self.state = each(np.array, self.state)
        return self._tables is not None

    def _looked_up(self, action: Array, playing: Array | None) -> tuple[Array, Array]:
        from . import kernels

        assert self._tables is not None
        (index,) = leaves(self.state)
        reward, over = np.zeros(self.size), np.zeros(self.size, dtype=np.bool_)
        playing = np.ones(self.size, dtype=np.bool_) if playing is None else playing
        kernels.advance(self.key, self.elapsed, index, action, playing, *self._tables.tables, reward, over)
        return self.model.decayed(reward, self.elapsed), over

    def array(self, values: Any) -> Array:
        """The same numbers in the library and on the device of this simulation."""
        return self.xp.asarray(values, device=self.device)

    def state_dict(self) -> dict[str, Array]:
        """The arrays that change with a step, where they lie: everything needed to resume."""
        fields = [] if self.state is None else leaves(self.state)
        own = {name: getattr(self, name) for name in COUNTERS}
        return own | {f"state_{i}": x for i, x in enumerate(fields)}

    def load_state_dict(self, arrays: Mapping[str, Array]) -> None:
        """Continue with these arrays in place of those of `state_dict`."""
        for name in COUNTERS:
            setattr(self, name, arrays[name])
        if "state_0" in arrays:
            place = count()
            like = self._first(self.key) if self.state is None else self.state
            self.state = each(lambda _: arrays[f"state_{next(place)}"], like)

    def _zeros(self) -> Array:
        return self.xp.zeros(self.size, dtype=self.xp.int64, device=self.device)

    def _first(self, key: Array) -> Any:
        draw = self.xp.zeros_like(key)
        event = draw if self.model.n_starts == 1 else self.model.start_event(uniform(key, draw))
        return self.model.initial(event)

    def _checked(self, action: Array, playing: Array | None) -> Array:
        """The actions, 0 where nobody plays and what is given is none; raises `InvalidAction`."""
        outside = (action < 0) | (action >= self.model.n_actions)
        if playing is not None and outside.any():
            action, outside = action * playing, outside & playing
        if outside.any():
            i = int(self.xp.argmax(self.xp.astype(outside, self.xp.int8)))
            raise InvalidAction(f"action {int(action[i])} is none of 0..{self.model.n_actions - 1}")
        if self.model.masked:
            allowed = self.model.legal(self.state)
            refused = ~self.xp.take_along_axis(allowed, action[:, None], axis=1)[:, 0]
            if playing is not None:
                refused = refused & playing
            if refused.any():
                i = int(self.xp.argmax(self.xp.astype(refused, self.xp.int8)))
                raise illegal(int(action[i]), np.asarray(allowed[i]))
        return action


def illegal(action: int, allowed: npt.NDArray[np.bool_]) -> InvalidAction:
    """The error for an action that the mask [A] forbids."""
    return InvalidAction(
        f"action {action} is not legal here; legal are {np.flatnonzero(allowed).tolist()} "
        '(for agents without masks: illegal="random")'
    )
