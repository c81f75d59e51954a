"""From the tables of a file in Cassandra's format to an MDP or POMDP."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.errors import ModelError, ModelWarning
from rlkit.core.files.assemble import ROW_TOLERANCE, Choices, assemble
from rlkit.core.files.text import fail
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.pomdp import POMDP
from rlkit.core.rows import first, pointers, ranges
from rlkit.core.sensor import from_sensor

Key = tuple[int, int]  # action, state
Row = dict[int, float] | FloatArray  # probability of each successor or observation
Pattern = tuple[int | None, ...]  # action, state, successor, observation; None stands for any
Names = Sequence[str] | int

MOST_SIGHTS = 5_000_000  # pairs of a transition and an observation that are looked at for rewards


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What a file says; states, actions and observations by name, or only counted."""

    path: Path
    states: Names
    actions: Names
    observations: Names | None
    moves: Mapping[Key, Row]  # (action, state) -> successors
    sights: Mapping[Key, Row]  # (action, successor) -> observations
    rewards: Mapping[Pattern, tuple[int, float]]  # with the order in which they were given
    start: FloatArray | None
    discount: float | None
    lines: Mapping[tuple[str, int, int], int]  # where the row of a table stands
    last_line: int

    def build(self) -> MDP | POMDP:
        """Check that everything is given and build the model."""
        n, n_actions = _size(self.states), _size(self.actions)
        pairs = [*product(range(n), range(n_actions))]
        for s, a in pairs:
            if not _entries(self.moves.get((a, s), {})):
                raise fail(self.path, self.last_line, f"{self._called(s, a)} has no transition")
        if self.discount is None:
            warnings.warn(
                f"{self.path.name}: there is no discount, so that it is 1", ModelWarning, stacklevel=6
            )
        sizes, successor, probability = _flat([self.moves[a, s] for s, a in pairs])
        state, action = (np.repeat(column, sizes) for column in zip(*pairs, strict=True))
        sensor = None if self.observations is None else self._sensor(action, successor)
        hidden = assemble(
            Choices(
                path=self.path,
                n_states=n,
                owner=np.repeat(np.arange(n), n_actions),
                sizes=sizes,
                successor=successor,
                probability=probability,
                name=np.full(len(pairs), -1),
                names=(),
                line=lambda c: self.lines["T", pairs[c][1], pairs[c][0]],
            ),
            reward=np.zeros(len(pairs)),
            transition_reward=self._reward(action, state, successor, sensor),
            labels={},
            initial=np.full(n, 1 / n) if self.start is None else self.start,
            discount=1.0 if self.discount is None else self.discount,
            state_names=_listed(self.states),
            action_names=_listed(self.actions),
        )
        if sensor is None:
            return hidden
        try:
            return from_sensor(hidden, sensor, observation_names=_listed(self.observations))
        except ModelError as error:
            raise fail(self.path, None, str(error)) from error

    def _sensor(self, action: IntArray, successor: IntArray) -> csr_array:
        """Probability of each observation after each action in each state entered, [A * S, O]."""
        n, n_actions = _size(self.states), _size(self.actions)
        keys = [*product(range(n_actions), range(n))]
        sizes, observation, probability = _flat([self.sights.get(key, {}) for key in keys])
        shape = (len(keys), _size(self.observations))
        sensor = csr_array((probability, observation, pointers(sizes)), shape=shape)
        total = sensor.sum(axis=1)
        if (k := first(np.abs(total - 1) > ROW_TOLERANCE)) is not None:
            a, s = keys[k]
            message = f"the observations of {self._called(s, a)} sum to {total[k]:.9g}, not 1"
            raise fail(self.path, self.lines.get(("O", a, s), self.last_line), message)
        sensor.data /= np.repeat(total, sizes)
        return sensor

    def _reward(
        self, action: IntArray, state: IntArray, successor: IntArray, sensor: csr_array | None
    ) -> FloatArray:
        """Reward of each transition [T], averaged over what is observed where that matters."""
        axes = [_size(self.actions), _size(self.states), _size(self.states), 1]
        columns = [action, state, successor, np.zeros_like(action)]
        if sensor is None or all(pattern[3] is None for pattern in self.rewards):
            return self._last_given(axes, columns)
        axes[3] = sensor.shape[1]
        row = action * axes[1] + successor
        count = np.diff(sensor.indptr)[row]
        if count.sum() > MOST_SIGHTS:
            message = f"rewards of {count.sum():,} observations after transitions (at most {MOST_SIGHTS:,})"
            raise fail(self.path, self.last_line, message)
        place = ranges(sensor.indptr[row], count)
        each = [np.repeat(column, count) for column in columns[:3]]
        reward = self._last_given(axes, [*each, sensor.indices[place].astype(np.int64)])
        mean: FloatArray = np.add.reduceat(sensor.data[place] * reward, np.cumsum(count) - count)
        return mean

    def _last_given(self, axes: Sequence[int], columns: Sequence[IntArray]) -> FloatArray:
        """The reward that the last line to cover each case [N] gives it; 0 without one."""
        if np.prod(np.array(axes, dtype=object)) >= 2**63:
            message = "more states, actions and observations than can be numbered"
            raise fail(self.path, self.last_line, message)
        value, newest = np.zeros(len(columns[0])), np.zeros(len(columns[0]), dtype=np.int64)
        by_kind: dict[tuple[int, ...], list[tuple[int, int, float]]] = {}
        for pattern, (order, reward) in self.rewards.items():
            given = tuple(i for i, part in enumerate(pattern) if part is not None)
            key = 0
            for i in given:
                key = key * axes[i] + (pattern[i] or 0)
            by_kind.setdefault(given, []).append((key, order, reward))
        for given, lines in by_kind.items():
            keys, orders, rewards = (np.array(x) for x in zip(*sorted(lines), strict=True))
            wanted = np.zeros(len(value), dtype=np.int64)
            for i in given:
                wanted = wanted * axes[i] + columns[i]
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            newer = (keys[place] == wanted) & (orders[place] > newest)
            value[newer], newest[newer] = rewards[place[newer]], orders[place[newer]]
        return value

    def _called(self, state: int, action: int) -> str:
        """A state and an action by name."""
        s = state if isinstance(self.states, int) else self.states[state]
        return f"state {s}, action {action if isinstance(self.actions, int) else self.actions[action]}"


def _size(names: Names | None) -> int:
    return names if isinstance(names, int) else len(names or ())


def _listed(names: Names | None) -> Sequence[str] | None:
    return None if isinstance(names, int) else names


def _entries(row: Row) -> bool:
    """Whether a row has any."""
    return any(row.values()) if isinstance(row, dict) else bool(row.any())


def _flat(rows: Sequence[Row]) -> tuple[IntArray, IntArray, FloatArray]:
    """Sizes [R], columns [T] and probabilities [T] of rows without their zeros."""
    known: dict[int, tuple[IntArray, FloatArray]] = {}  # rows that are alike are one object
    parts = []
    for row in rows:
        if id(row) not in known:
            if isinstance(row, dict):
                given = sorted((i, p) for i, p in row.items() if p)
                index = np.array([i for i, _ in given], dtype=np.int64)
                known[id(row)] = index, np.array([p for _, p in given], dtype=np.float64)
            else:
                index = np.flatnonzero(row)
                known[id(row)] = index, row[index]
        parts.append(known[id(row)])
    sizes = np.array([len(index) for index, _ in parts], dtype=np.int64)
    empty = (np.empty(0, np.int64), np.empty(0))
    index, probability = (np.concatenate(column) for column in zip(*parts, empty, strict=True))
    return sizes, index, probability
