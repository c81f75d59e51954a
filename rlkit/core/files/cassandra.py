"""Cassandra's .MDP and .POMDP files, read into the underlying MDP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from rlkit.core.files.assemble import ROW_TOLERANCE, Choices, assemble
from rlkit.core.files.text import fail
from rlkit.core.files.words import Word, Words
from rlkit.core.mdp import MDP, FloatArray

PREAMBLE = ("discount", "values", "states", "actions", "observations", "start")
TABLES = ("T", "O", "R")
LARGEST = 5_000_000  # entries that lines such as "T: * uniform" may stand for, all together


@dataclass(frozen=True)
class Names:
    """The states, actions or observations: named, or only counted."""

    what: str
    size: int
    index: dict[str, int]

    @property
    def listed(self) -> list[str] | None:
        """The names in order, None where they are only counted."""
        return list(self.index) or None


Row = dict[int, float]  # probability of each successor or observation that has one
Pattern = tuple[int | None, ...]  # action, state, successor, observation; None stands for any


def read_cassandra(path: Path) -> MDP:
    """Read an MDP, or the MDP under a POMDP: its states are known to whoever acts.

    Rewards that depend on the observation are averaged over it. Costs become negative rewards. Where no
    start is given, all states are equally likely. Later lines override earlier ones. Raises `ModelError`
    with file and line. Source: A. Cassandra, "POMDP file format", pomdp.org.
    """
    return _Parser(path).parse()


class _Parser(Words):
    """What has been read so far."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.entries = 0
        self.discount, self.sign = 1.0, 1.0
        self.names: dict[str, Names] = {}
        self.start: FloatArray | None = None
        self.moves: dict[tuple[int, int], Row] = {}  # (action, state) -> successors
        self.move_line: dict[tuple[int, int], int] = {}
        self.sights: dict[tuple[int, int], Row] = {}  # (action, successor) -> observations
        self.sight_line: dict[tuple[int, int], int] = {}
        self.given = 0
        self.rewards: dict[Pattern, tuple[int, float]] = {}  # with the order in which they were given

    def parse(self) -> MDP:
        """Read all sections and build the model."""
        seen: set[str] = set()
        while self.place < len(self.words):
            word = self.next()
            if word.text in PREAMBLE:
                if word.text in seen:
                    self.refuse(word, f"{word.text} stands twice")
                seen.add(word.text)
                self.preamble(word)
            elif word.text in TABLES:
                for needed in ("states", "actions"):
                    if needed not in self.names:
                        self.refuse(word, f"{needed} must be given before {word.text}")
                self.expect(":")
                {"T": self.transitions, "O": self.observations, "R": self.reward}[word.text](word)
            else:
                expected = ", ".join([*PREAMBLE, *TABLES])
                self.refuse(word, f"expected one of {expected}, found {word.text!r}")
        return self.build()

    def until_section(self) -> list[Word]:
        """The words up to the next section."""
        taken = []
        while self.place < len(self.words):
            if self.peek(1) == ":" or (self.peek() == "start" and self.peek(1) in ("include", "exclude")):
                break
            taken.append(self.next())
        return taken

    def numbers(self, count: int) -> Iterator[tuple[int, float]]:
        """That many probabilities or rewards, each with its place; zeros are left out."""
        for i in range(count):
            value = self.number(self.next())
            if value:
                yield i, value

    def chance(self, word: Word, value: float) -> float:
        """A number that must be a probability."""
        if not 0 <= value <= 1 + ROW_TOLERANCE:
            self.refuse(word, f"{value} is no probability")
        return value

    def row(self, size: int) -> Row:
        """A row of probabilities."""
        first = self.place
        row = dict(self.numbers(size))
        for i, value in row.items():
            self.chance(self.words[first + i], value)
        return row

    def preamble(self, word: Word) -> None:
        """One of the sections that say what the model is about."""
        manner = self.next().text if word.text == "start" and self.peek() in ("include", "exclude") else ""
        self.expect(":")
        words = self.until_section()
        if not words:
            self.refuse(word, f"{word.text} is empty")
        if word.text == "start":
            self.start = self.start_distribution(manner, words)
        elif word.text in ("states", "actions", "observations"):
            self.names[word.text] = self.declared(word.text, words)
        elif len(words) > 1:
            self.refuse(words[1], f"unexpected {words[1].text!r} behind {word.text}")
        elif word.text == "discount":
            self.discount = self.number(words[0])
            if not 0 <= self.discount <= 1:
                self.refuse(words[0], f"discount must lie in [0, 1], not {words[0].text}")
        elif words[0].text in ("reward", "cost"):
            self.sign = 1.0 if words[0].text == "reward" else -1.0
        else:
            self.refuse(words[0], f"values must be reward or cost, not {words[0].text!r}")

    def declared(self, what: str, words: list[Word]) -> Names:
        """A count or a list of names."""
        if len(words) == 1 and words[0].text.isdigit():
            size = int(words[0].text[:19])
            if not 1 <= size <= LARGEST:
                self.refuse(words[0], f"{words[0].text[:19]} {what} are not what this format is for")
            return Names(what, size, {})
        index: dict[str, int] = {}
        for word in words:
            if word.text in index:
                self.refuse(word, f"{word.text!r} stands twice")
            index[word.text] = len(index)
        return Names(what, len(index), index)

    def find(self, what: str, word: Word) -> int:
        """The number of a state, action or observation given by name or number."""
        if what not in self.names:
            self.refuse(word, f"{what} must be given before they are used")
        names = self.names[what]
        if word.text in names.index:
            return names.index[word.text]
        if word.text.isascii() and word.text.isdigit() and int(word.text[:19]) < names.size:
            return int(word.text)
        known = (
            f" ({what}: {', '.join(list(names.index)[:20])})" if names.index else f": there are {names.size}"
        )
        self.refuse(word, f"{word.text!r} is none of the {what}{known}")

    def start_distribution(self, manner: str, words: list[Word]) -> FloatArray:
        """The forms of start: uniform, one state, a distribution, a list of states in or out."""
        if "states" not in self.names:
            self.refuse(words[0], "states must be given before start")
        n = self.names["states"].size
        if manner:
            chosen = np.zeros(n, dtype=np.bool_)
            chosen[[self.find("states", word) for word in words]] = True
            chosen = chosen if manner == "include" else ~chosen
            if not chosen.any():
                self.refuse(words[0], "no state is left to start in")
            return np.where(chosen, 1 / chosen.sum(), 0.0)
        if len(words) == 1 and words[0].text == "uniform":
            return np.full(n, 1 / n)
        if len(words) == 1 and not (n == 1 and words[0].text in ("1", "1.0")):
            initial = np.zeros(n)
            initial[self.find("states", words[0])] = 1.0
            return initial
        if len(words) != n:
            self.refuse(words[0], f"expected {n} probabilities, found {len(words)}")
        initial = np.array([self.chance(word, self.number(word)) for word in words])
        total = float(initial.sum())
        if abs(total - 1) > ROW_TOLERANCE:
            self.refuse(words[0], f"the start probabilities sum to {total:.9g}, not 1")
        return np.divide(initial, total)

    def chosen(self, what: str) -> Sequence[int]:
        """The places that a word stands for: one, or all of them."""
        word = self.next()
        if word.text == "*":
            return range(self.names[what].size)
        return (self.find(what, word),)

    def transitions(self, word: Word) -> None:
        """T: with an action, an action and a state, or both and a successor."""
        self.table(word, ("actions", "states", "states"), self.moves, self.move_line)

    def observations(self, word: Word) -> None:
        """O: the same, of the state entered and the observation made there."""
        if "observations" not in self.names:
            self.refuse(word, "observations must be given before O")
        self.table(word, ("actions", "states", "observations"), self.sights, self.sight_line)

    def table(
        self,
        word: Word,
        axes: tuple[str, str, str],
        rows: dict[tuple[int, int], Row],
        lines: dict[tuple[int, int], int],
    ) -> None:
        """Fill rows of probabilities by one entry, one row, or a whole matrix."""
        n, width = self.names["states"].size, self.names[axes[2]].size
        actions = self.chosen("actions")
        states: Sequence[int] = range(n)
        one_row = self.peek() == ":"
        if one_row:
            self.expect(":")
            states = self.chosen("states")
        self.stand_for(word, len(actions) * len(states))
        keys = [*product(actions, states)]
        lines.update((key, word.line) for key in keys)
        if one_row and self.peek() == ":":
            self.expect(":")
            columns = self.chosen(axes[2])
            self.stand_for(word, len(keys) * len(columns))
            given = self.next()
            p = self.chance(given, self.number(given))
            for key in keys:
                rows.setdefault(key, {}).update((c, p) for c in columns)
        elif self.peek() in ("uniform", "identity", "reset"):
            manner = self.next()
            if manner.text == "identity" and (one_row or axes[2] != "states"):
                self.refuse(manner, "identity stands for a matrix between states")
            self.stand_for(word, len(keys) * (1 if manner.text == "identity" else width))
            for a, s in keys:
                rows[a, s] = self.shorthand(manner, s, width)
        else:
            for group in [keys] if one_row else [[(a, s) for a in actions] for s in states]:
                row = self.row(width)
                self.stand_for(word, len(row) * len(group))
                rows.update((key, dict(row)) for key in group)

    def stand_for(self, word: Word, entries: int) -> None:
        """Refuse a file whose short lines stand for more entries than memory should be given to."""
        self.entries += entries
        if self.entries > LARGEST + len(self.words) * 100:
            self.refuse(word, f"the file stands for more than {LARGEST} entries up to here")

    def shorthand(self, manner: Word, state: int, width: int) -> Row:
        """The row of a state that a word describes."""
        if manner.text == "identity":
            return {state: 1.0}
        if manner.text == "uniform":
            return dict.fromkeys(range(width), 1 / width)
        if self.start is None:
            self.refuse(manner, "reset needs a start")
        return {int(s): float(self.start[s]) for s in np.flatnonzero(self.start)}

    def reward(self, word: Word) -> None:
        """R: with an action, a state, a successor and, in a POMDP, an observation; or rows and matrices."""
        axes = ["actions", "states", "states", "observations"][: 4 if "observations" in self.names else 3]
        pattern = [self.any_or("actions")]
        while self.peek() == ":" and len(pattern) < len(axes):
            self.expect(":")
            pattern.append(self.any_or(axes[len(pattern)]))
        if len(axes) - len(pattern) > 2:
            self.refuse(word, "expected the state behind the action")
        for rest in product(*(range(self.names[axis].size) for axis in axes[len(pattern) :])):
            value = self.sign * self.number(self.next())
            self.given += 1
            self.rewards[(*pattern, *rest)] = self.given, value

    def any_or(self, what: str) -> int | None:
        """The place that a word stands for; None for any."""
        if self.peek() == "*":
            self.next()
            return None
        return self.find(what, self.next())

    def build(self) -> MDP:
        """Check that everything is given and build the model."""
        last = self.words[-1] if self.words else Word("", 1)
        for needed in ("states", "actions"):
            if needed not in self.names:
                self.refuse(last, f"there are no {needed}")
        n_states, n_actions = self.names["states"].size, self.names["actions"].size
        wanted = product(range(n_states), range(n_actions))
        if missing := next(((s, a) for s, a in wanted if not self.moves.get((a, s))), None):
            self.refuse(last, f"{self.called(*missing)} has no transition")
        pairs = [*product(range(n_states), range(n_actions))]
        rows = [self.moves[a, s] for s, a in pairs]
        named = bool(self.names["actions"].index)
        choices = Choices(
            path=self.path,
            n_states=n_states,
            owner=np.repeat(np.arange(n_states), n_actions),
            sizes=np.array([len(row) for row in rows]),
            successor=np.array([t for row in rows for t in row], dtype=np.int64),
            probability=np.array([p for row in rows for p in row.values()]),
            name=np.tile(np.arange(n_actions), n_states) if named else np.full(len(pairs), -1),
            names=self.names["actions"].listed or [],
            line=lambda c: self.move_line[pairs[c][1], pairs[c][0]],
        )
        self.check_sights(last)
        reward = [self.expected_reward(a, s, t) for (s, a), row in zip(pairs, rows, strict=True) for t in row]
        return assemble(
            choices,
            reward=np.zeros(len(pairs)),
            transition_reward=np.array(reward),
            labels={},
            initial=np.full(n_states, 1 / n_states) if self.start is None else self.start,
            discount=self.discount,
            state_names=self.names["states"].listed,
        )

    def check_sights(self, last: Word) -> None:
        """Every action must make an observation in every state it leads to."""
        if "observations" not in self.names:
            return
        for a, s in product(range(self.names["actions"].size), range(self.names["states"].size)):
            row = self.sights.get((a, s), {})
            total = sum(row.values())
            if abs(total - 1) > ROW_TOLERANCE:
                line = self.sight_line.get((a, s), last.line)
                message = f"the observations of {self.called(s, a)} sum to {total:.9g}, not 1"
                raise fail(self.path, line, message)

    def expected_reward(self, action: int, state: int, successor: int) -> float:
        """Reward of a transition, averaged over what is observed."""
        if "observations" not in self.names:
            return self.last_given((action, state, successor))
        if all(kind[3] for kind in self.kinds):
            return self.last_given((action, state, successor, 0))
        row = self.sights[action, successor]
        total = sum(p * self.last_given((action, state, successor, o)) for o, p in row.items())
        return total / sum(row.values())

    def last_given(self, key: tuple[int, ...]) -> float:
        """The reward that the last line to cover a case gives it; 0 without one."""
        found = [
            self.rewards[pattern]
            for kind in self.kinds
            if (pattern := tuple(None if left_open else i for left_open, i in zip(kind, key, strict=True)))
            in self.rewards
        ]
        return max(found)[1] if found else 0.0

    @cached_property
    def kinds(self) -> set[tuple[bool, ...]]:
        """Which parts of a reward's case are left open, in all combinations that occur."""
        return {tuple(i is None for i in pattern) for pattern in self.rewards}

    def called(self, state: int, action: int) -> str:
        """A state and an action by name."""
        states, actions = (self.names[what].listed for what in ("states", "actions"))
        return f"state {states[state] if states else state}, action {actions[action] if actions else action}"
