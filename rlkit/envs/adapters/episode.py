"""One episode at a time: computed step by step, or looked up among what was computed before."""

from bisect import bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import InvalidAction, ResetNeeded

from ...core.enumerate import keys
from ...core.model import Model, take
from ...core.random import episode_key, seed_key, uniform
from .legal_spaces import shown
from .simulation import Simulation, illegal

MOST_OUTCOMES = 128  # of one state, for them all to be computed when it is met
MOST_STATES = 20_000  # to be remembered
BLOCK = 16  # episodes, and numbers of each, drawn at once

Outcome = tuple[int, float, bool]  # number of the next state, reward, terminated


def episode_of(model: Model[Any]) -> "Computed | Remembered":
    """Look up what is small enough to be remembered, compute the rest."""
    remembered = model.n_actions * model.n_events <= MOST_OUTCOMES
    return Remembered(model) if remembered else Computed(model)


class Computed:
    """An episode as a simulation of size one."""

    def __init__(self, model: Model[Any]) -> None:
        self.model = model
        self._simulation = Simulation(model, 1)
        self._one = np.ones(1, dtype=np.bool_)

    @property
    def state(self) -> Any:
        """The state, a batch of one; None before the first episode."""
        return self._simulation.state

    def reseed(self, seed: int) -> None:
        """The next episode is the first one of this seed."""
        self._simulation.reseed([seed], self._one)

    def restart(self) -> None:
        """Begin the next episode."""
        self._simulation.restart(self._one)

    def step(self, action: int) -> tuple[float, bool]:
        """Take an action: reward and whether the episode ended. Raises `InvalidAction`."""
        reward, terminated = self._simulation.step(np.array([action]))
        return float(reward[0]), bool(terminated[0])

    def observation(self) -> Any:
        """What the agent sees, its own copy."""
        return own(first(self.model.observe(self.state)))

    def mask(self) -> npt.NDArray[np.int8]:
        """Which actions are legal, [A]; all of them after the end."""
        mask: npt.NDArray[np.int8] = shown(self.model.legal(self.state))[0].astype(np.int8)
        return mask


class Remembered:
    """An episode as a walk over numbered states, each of whose outcomes is computed when it is first left.

    A numpy call on one state costs as much as one on fifty; hence all actions and events of a state are
    computed in one batch, once, and a step is a lookup. The numbers drawn and the events they choose are
    those of `Simulation`.
    """

    def __init__(self, model: Model[Any]) -> None:
        self.model = model
        self._seed = 0
        self._episode = -1
        self._keys = np.empty(0, dtype=np.int64)  # of a block of episodes
        self._first_draws: list[list[float]] = []
        self._state: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._number: dict[bytes, int] = {}
        self._found: list[tuple[Any, int]] = []  # the batch a state was found in, and its place there
        self._observed: list[Any] = []
        self._legal: list[npt.NDArray[np.bool_]] = []
        self._outcomes: list[list[tuple[list[float], list[Outcome]] | None] | None] = []
        self._starts: dict[int, int] = {}  # start event -> state

    @property
    def state(self) -> Any:
        """The state, a batch of one; None before the first episode."""
        if self._state is None:
            return None
        batch, place = self._found[self._state]
        return take(batch, slice(place, place + 1))

    def reseed(self, seed: int) -> None:
        """The next episode is the first one of this seed."""
        self._seed, self._episode = seed, -1

    def restart(self) -> None:
        """Begin the next episode."""
        if len(self._number) > MOST_STATES:
            self._forget()
        self._episode += 1
        place = self._episode % BLOCK
        if place == 0:
            self._draw_block()
        self._key = self._keys[place : place + 1]
        self._draws = self._first_draws[place]
        self._elapsed = 0
        event = 0
        if self.model.n_starts > 1:
            event = int(self.model.start_event(np.array([self._draw(0)]))[0])
        if event not in self._starts:
            self._starts[event] = self._numbers(self.model.initial(np.array([event])))[0]
        self._state = self._starts[event]

    def step(self, action: int) -> tuple[float, bool]:
        """Take an action: reward and whether the episode ended. Raises `InvalidAction`."""
        if self._state is None:
            raise ResetNeeded("call reset before step")
        if not 0 <= action < self.model.n_actions:
            raise InvalidAction(f"action {action} is none of 0..{self.model.n_actions - 1}")
        outcomes = (self._outcomes[self._state] or self._expand(self._state))[action]
        if outcomes is None:
            raise illegal(action, self._legal[self._state])
        cuts, results = outcomes
        self._elapsed += 1
        place = bisect_right(cuts, self._draw(self._elapsed)) if cuts else 0
        self._state, reward, terminated = results[place]
        if reward and self.model.reward_decay:
            reward = float(self.model.decayed(np.array([reward]), self._elapsed)[0])
        return reward, terminated

    def observation(self) -> Any:
        """What the agent sees, its own copy."""
        assert self._state is not None
        return own(self._observed[self._state])

    def mask(self) -> npt.NDArray[np.int8]:
        """Which actions are legal, [A]; all of them after the end."""
        assert self._state is not None
        return self._legal[self._state].astype(np.int8)

    def _draw_block(self) -> None:
        seed = np.full(BLOCK, self._seed % 2**64, dtype=np.uint64).astype(np.int64)
        self._keys = episode_key(seed_key(seed), self._episode + np.arange(BLOCK))
        self._first_draws = uniform(self._keys[:, None], np.arange(BLOCK)).tolist()

    def _draw(self, t: int) -> float:
        while t >= len(self._draws):
            after = len(self._draws) + np.arange(BLOCK)
            self._draws += uniform(np.repeat(self._key, BLOCK), after).tolist()
        return self._draws[t]

    def _expand(self, state: int) -> list[tuple[list[float], list[Outcome]] | None]:
        model = self.model
        batch, place = self._found[state]
        actions = np.flatnonzero(self._legal[state])
        here = take(batch, np.full(len(actions), place))
        probs = model.event_probs(here, actions)
        row, event = np.nonzero(probs > 0)
        step = model.transition(take(here, row), actions[row], event)
        results = list(
            zip(self._numbers(step.state), step.reward.tolist(), step.terminated.tolist(), strict=True)
        )
        cumulative = np.cumsum(probs, axis=1)[row, event].tolist()
        last = np.cumsum(np.bincount(row, minlength=len(actions))).tolist()
        outcomes: list[tuple[list[float], list[Outcome]] | None] = [None] * model.n_actions
        begin = 0
        for action, end in zip(actions.tolist(), last, strict=True):
            outcomes[action] = (cumulative[begin : end - 1], results[begin:end])
            begin = end
        self._outcomes[state] = outcomes
        return outcomes

    def _numbers(self, states: Any) -> list[int]:
        """Numbers of a batch of states; what is seen in the unknown ones is computed at once."""
        known = self._number
        marks = keys(states)
        new = [i for i, mark in enumerate(marks) if mark not in known]
        if new:
            fresh = take(states, np.array(new))
            observed, legal = self.model.observe(fresh), shown(self.model.legal(fresh))
            for j, i in enumerate(new):
                if marks[i] in known:
                    continue
                known[marks[i]] = len(self._found)
                self._found.append((fresh, j))
                self._observed.append(first(observed, j))
                self._legal.append(legal[j])
                self._outcomes.append(None)
        return [known[mark] for mark in marks]


def first(observation: Any, place: Any = 0) -> Any:
    """The observation at a place of a batch (or at many), which may be a dict or tuple of arrays."""
    if isinstance(observation, dict):
        return {name: first(part, place) for name, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(first(part, place) for part in observation)
    return observation[place]


def own(observation: Any) -> Any:
    """A copy that its owner may change."""
    if isinstance(observation, np.ndarray):
        return observation.copy()
    if isinstance(observation, dict):
        return {name: own(part) for name, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(own(part) for part in observation)
    return observation
