"""From a description to the exact MDP: walk every event of every action."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlkit.core.build import from_outcomes
from rlkit.core.mdp import MDP, IntArray
from rlkit.core.model import Model, batch_size, concatenate, leaves, take
from rlkit.core.validation import NoExactModel


def enumerate_model(model: Model[Any], *, max_states: int = 1_000_000) -> MDP:
    """Walk a numpy model breadth-first and return its exact MDP.

    States are numbered as `all_states` lists them, else in the order they are found. Raises
    `NoExactModel` with the count so far when there are more than `max_states`.
    """
    return _Walk(model, max_states).run()


def enumerate_states(model: Model[Any], *, max_states: int = 1_000_000) -> Any:
    """The states of a model in the order in which `enumerate_model` numbers them."""
    walk = _Walk(model, max_states)
    walk.run()
    return walk.states


class _Walk:
    """The frontier, the numbers given to states so far, and the transitions found."""

    def __init__(self, model: Model[Any], max_states: int) -> None:
        self.model, self.max_states = model, max_states
        self.index: dict[bytes, int] = {}
        self.alive: set[int] = set()  # states an episode can be in without having ended
        self.rows: list[tuple[np.ndarray[Any, Any], ...]] = []
        self.states: Any = None

    def run(self) -> MDP:
        """Explore until the frontier is empty."""
        model = self.model
        events = np.arange(model.n_starts)
        starts = model.initial(events)
        everything = model.all_states()
        if everything is not None:
            self.number(everything)
        first = self.number(starts)
        initial = np.bincount(first, weights=model.start_probs(), minlength=len(self.index))
        if everything is not None:
            self.expand(np.arange(len(self.index)))
        else:
            frontier = self.newly_alive(first[model.start_probs() > 0])
            while len(frontier):
                frontier = self.newly_alive(self.expand(frontier))
        n = len(self.index)
        columns = [np.concatenate(column) for column in zip(*self.rows, strict=True)]
        mdp = from_outcomes(
            *columns,
            initial=np.concatenate([initial, np.zeros(n - len(initial))]),
            discount=model.discount,
            action_names=model.action_names or [str(a) for a in range(model.n_actions)],
            state_names=model.state_names(self.states),
        )
        return mdp.with_fade(model.decay / model.limit) if model.decay and model.limit else mdp

    def number(self, states: Any) -> IntArray:
        """Numbers of a batch of states; unknown ones are given the next free number."""
        index, fresh = self.index, []
        numbers = np.empty(batch_size(states), dtype=np.int64)
        for i, key in enumerate(keys(states)):
            if key not in index:
                if len(index) >= self.max_states:
                    raise NoExactModel(f"more than {self.max_states} states: {len(index)} found so far")
                index[key] = len(index)
                fresh.append(i)
            numbers[i] = index[key]
        if fresh:
            new = take(states, np.array(fresh))
            self.states = new if self.states is None else concatenate(self.states, new)
        return numbers

    def newly_alive(self, numbers: IntArray) -> IntArray:
        """Of these states, those not expanded so far."""
        new = [int(n) for n in np.unique(numbers) if n not in self.alive]
        self.alive.update(new)
        return np.array(new, dtype=np.int64)

    def expand(self, numbers: IntArray) -> IntArray:
        """Record every transition out of these states; returns the states entered without ending."""
        entered = [np.empty(0, dtype=np.int64)]
        states = take(self.states, numbers)
        legal = self.model.legal(states)
        for a in range(self.model.n_actions):
            rows = np.flatnonzero(legal[:, a])
            here = take(states, rows)
            action = np.full(len(rows), a)
            probs = self.model.event_probs(here, action)
            for e in range(self.model.n_events):
                hit = np.flatnonzero(probs[:, e] > 0)
                if not len(hit):
                    continue
                step = self.model.transition(take(here, hit), action[hit], np.full(len(hit), e))
                target = self.number(step.state)
                self.rows.append(
                    (numbers[rows[hit]], action[hit], target, probs[hit, e], step.reward, step.terminated)
                )
                entered.append(target[~step.terminated])
        return np.concatenate(entered)


def keys(states: Any) -> list[bytes]:
    """One byte string a state, equal exactly where all fields are equal."""
    columns = [
        np.ascontiguousarray(leaf).reshape(len(leaf), -1).view(np.uint8).reshape(len(leaf), -1)
        for leaf in leaves(states)
    ]
    packed = np.ascontiguousarray(np.concatenate(columns, axis=1))
    return [row.tobytes() for row in packed]
