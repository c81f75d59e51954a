"""From a description to the exact MDP: walk every event of every action."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from rlkit.core.contract import asked, check_attributes, shown
from rlkit.core.errors import ModelError, NoExactModel
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.model import Model, batch_size, concatenate, leaves, take
from rlkit.core.outcomes import entered_to_end, from_outcomes
from rlkit.core.rows import first as first_of

CHUNK = 2_000_000  # events looked at in one batch


class Enumerated(NamedTuple):
    """The exact MDP of a model, and its states in the same order."""

    mdp: MDP
    states: Any  # a batch; a state that is entered both ways has a terminal twin in the MDP, behind these
    numbers: IntArray  # [S] number of each state of the MDP among these


def enumerated(model: Model[Any], *, max_states: int = 1_000_000) -> Enumerated:
    """Walk a numpy model breadth-first and return its exact MDP and its states.

    States are numbered as `all_states` lists them, else in the order they are found. Raises
    `NoExactModel` with the count so far when there are more than `max_states`, and `ModelError` for a model
    that breaks its contract.
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
        check_attributes(model)
        self.model, self.max_states = model, max_states
        self.index: dict[bytes, int] = {}
        self.alive: set[int] = set()  # states an episode can be in without having ended
        self.rows: list[tuple[np.ndarray[Any, Any], ...]] = []
        self.states: Any = None
        self.numbers: IntArray = np.empty(0, dtype=np.int64)

    def run(self) -> MDP:
        model = self.model
        starts, chances = asked(model, "initial", np.arange(model.n_starts)), asked(model, "start_probs")
        everything = model.all_states()
        if everything is not None:
            self.number(everything)
        first = self.number(starts)
        initial = np.bincount(first, weights=chances, minlength=len(self.index))
        if everything is not None:
            self.expand(np.arange(len(self.index)))
        else:
            frontier = self.newly_alive(first[chances != 0])
            while len(frontier):
                frontier = self.newly_alive(self.expand(frontier))
        n = len(self.index)
        start: FloatArray = np.concatenate([initial, np.zeros(n - len(initial))])
        if not self.rows:
            raise ModelError("no action is legal in any first state")
        columns = [np.concatenate(column) for column in zip(*self.rows, strict=True)]
        state, _, successor, probability, _, terminated = columns
        twins, over = entered_to_end(state, successor, probability, terminated, start)
        alive = np.append(first, successor[~terminated & (probability != 0) & ~over[state]])
        if len(stuck := np.setdiff1d(alive[len(first) :], state)):
            place = shown(model, take(self.states, stuck))
            raise ModelError(f"no action is legal in {place}, where no episode has ended")
        told = (probability != 0) | np.isin(state, alive)  # after the end zeros mean nothing
        self.numbers = np.concatenate([np.arange(n), twins])
        mdp = from_outcomes(
            *(column[told] for column in columns),
            initial=start,
            discount=model.discount,
            action_names=model.action_names or [str(a) for a in range(model.n_actions)],
            state_names=model.state_names(self.states),
        )
        offered = np.diff(mdp.state_ptr)
        if not model.masked and (s := first_of((offered > 0) & (offered < model.n_actions))) is not None:
            raise ModelError(f"an action is illegal in state {mdp.state_name(s)} although masked is False")
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
            place, action = np.nonzero(asked(model, "legal", states))
            if not len(place):
                continue
            probs = asked(model, "event_probs", take(states, place), action)
            possible = probs != 0  # NaN, what is negative and rows of zeros are for the MDP to refuse
            possible[:, 0] |= ~possible.any(axis=1)
            choice, event = np.nonzero(possible)
            place, action = place[choice], action[choice]
            step = asked(model, "transition", take(states, place), action, event)
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
