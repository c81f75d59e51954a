"""From a description to the exact MDP: walk every event of every action."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from rlkit.core.errors import NoExactModel
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.model import Model, batch_size, concatenate, leaves, take
from rlkit.core.outcomes import entered_to_end, from_outcomes

CHUNK = 2_000_000  # events looked at in one batch


class Enumerated(NamedTuple):
    """The exact MDP of a model, and its states in the same order."""

    mdp: MDP
    states: Any  # a batch; a state that is entered both ways has a terminal twin in the MDP, behind these
    numbers: IntArray  # [S] number of each state of the MDP among these


def enumerated(model: Model[Any], *, max_states: int = 1_000_000) -> Enumerated:
    """Walk a numpy model breadth-first and return its exact MDP and its states.

    States are numbered as `all_states` lists them, else in the order they are found. Raises
    `NoExactModel` with the count so far when there are more than `max_states`.
    """
    walk = _Walk(model, max_states)
    return Enumerated(walk.run(), walk.states, walk.numbers)


def enumerate_model(model: Model[Any], *, max_states: int = 1_000_000) -> MDP:
    """The exact MDP of a numpy model; see `enumerated`."""
    return enumerated(model, max_states=max_states).mdp


def enumerate_states(model: Model[Any], *, max_states: int = 1_000_000) -> Any:
    """The states of a model in the order in which `enumerate_model` numbers them."""
    return enumerated(model, max_states=max_states).states


class _Walk:
    """The frontier, the numbers given to states so far, and the transitions found."""

    def __init__(self, model: Model[Any], max_states: int) -> None:
        self.model, self.max_states = model, max_states
        self.index: dict[bytes, int] = {}
        self.alive: set[int] = set()  # states an episode can be in without having ended
        self.rows: list[tuple[np.ndarray[Any, Any], ...]] = []
        self.states: Any = None
        self.numbers: IntArray = np.empty(0, dtype=np.int64)

    def run(self) -> MDP:
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
        start: FloatArray = np.concatenate([initial, np.zeros(n - len(initial))])
        columns = [np.concatenate(column) for column in zip(*self.rows, strict=True)]
        state, _, successor, probability, _, terminated = columns
        twins, _ = entered_to_end(state, successor, probability, terminated, start)
        self.numbers = np.concatenate([np.arange(n), twins])
        mdp = from_outcomes(
            *columns,
            initial=start,
            discount=model.discount,
            action_names=model.action_names or [str(a) for a in range(model.n_actions)],
            state_names=model.state_names(self.states),
        )
        if model.zero_sum:
            mdp = replace(mdp, zero_sum=True)
        limit = model.max_episode_steps
        return mdp.with_reward_decay(model.reward_decay / limit) if model.reward_decay and limit else mdp

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
        model = self.model
        at_once = max(1, CHUNK // (model.n_actions * model.n_events))
        entered = [np.empty(0, dtype=np.int64)]
        for begin in range(0, len(numbers), at_once):
            chunk = numbers[begin : begin + at_once]
            states = take(self.states, chunk)
            place, action = np.nonzero(model.legal(states))
            probs = model.event_probs(take(states, place), action)
            choice, event = np.nonzero(probs > 0)
            place, action = place[choice], action[choice]
            step = model.transition(take(states, place), action, event)
            target = self.number(step.state)
            self.rows.append(
                (chunk[place], action, target, probs[choice, event], step.reward, step.terminated)
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
