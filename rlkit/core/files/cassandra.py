"""Cassandra's .MDP and .POMDP files, as pomdp.org, POMDPFiles.jl and AI-Toolbox write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from rlkit.core.files.assemble import ROW_TOLERANCE
from rlkit.core.files.format import Format
from rlkit.core.files.tables import Key, Pattern, Row, Tables
from rlkit.core.files.words import Word, Words
from rlkit.core.mdp import MDP, FloatArray
from rlkit.core.pomdp import POMDP

PREAMBLE = ("discount", "values", "states", "actions", "observations", "start")
TABLES = ("T", "O", "R")
MOST_NAMES = 1_000_000  # states, actions or observations
MOST_ENTRIES = 5_000_000  # that short lines such as "T: * uniform" may stand for, all together
A_ROW = 10  # entries that a row takes as much memory as, besides its own
SIGNS = {"reward": 1.0, "rewards": 1.0, "cost": -1.0, "costs": -1.0}


@dataclass(frozen=True)
class Names:
    """The states, actions or observations: named, or only counted."""

    size: int
    index: dict[str, int]

    @property
    def listed(self) -> list[str] | int:
        """The names in order, their number where they are only counted."""
        return list(self.index) or self.size


def read_cassandra(path: Path) -> MDP | POMDP:
    """Read an MDP, or a POMDP where the file declares observations.

    Rewards that depend on the observation are averaged over it. Costs become negative rewards. Where no
    start is given, all states are equally likely; where no discount is given it is 1, with a `ModelWarning`.
    Later lines override earlier ones. Raises `ModelError` with file and line. Source: A. Cassandra, "POMDP
    file format", pomdp.org.
    """
    return _Parser(path).parse()


class _Parser(Words):
    """What has been read so far."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.entries = self.given = 0
        self.discount: float | None = None
        self.sign = 1.0
        self.chances: dict[str, float] = {}  # probabilities by their spelling
        self.names: dict[str, Names] = {}
        self.start: FloatArray | None = None
        self.moves: dict[Key, Row] = {}  # (action, state) -> successors
        self.sights: dict[Key, Row] = {}  # (action, successor) -> observations
        self.lines: dict[tuple[str, int, int], int] = {}  # where the rows of a table stand
        self.rewards: dict[Pattern, tuple[int, float]] = {}  # with the order in which they were given

    def parse(self) -> MDP | POMDP:
        seen: set[str] = set()
        while self.peek():
            word = self.next()
            if word.text in PREAMBLE:
                if word.text in seen:
                    self.refuse(word, f"{word.text} appears twice")
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
        for needed in ("states", "actions"):
            if needed not in self.names:
                self.refuse(self.last, f"there are no {needed}")
        return Tables(
            path=self.path,
            states=self.names["states"].listed,
            actions=self.names["actions"].listed,
            observations=self.names["observations"].listed if "observations" in self.names else None,
            moves=self.moves,
            sights=self.sights,
            rewards=self.rewards,
            start=self.start,
            discount=self.discount,
            lines=self.lines,
            last_line=self.last.line,
        ).build()

    def until_section(self) -> list[Word]:
        taken = []
        while self.peek():
            if self.peek(1) == ":" or (self.peek() == "start" and self.peek(1) in ("include", "exclude")):
                break
            taken.append(self.next())
        return taken

    def chance(self, word: Word) -> float:
        value = self.number(word)
        if not 0 <= value <= 1 + ROW_TOLERANCE:
            self.refuse(word, f"{value} is no probability")
        return value

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
        elif words[0].text in SIGNS:
            self.sign = SIGNS[words[0].text]
        else:
            self.refuse(words[0], f"values must be reward or cost, not {words[0].text!r}")

    def declared(self, what: str, words: list[Word]) -> Names:
        if len(words) == 1 and words[0].text.isascii() and words[0].text.isdigit():
            size = _index(words[0].text)
            if size is None or not 1 <= size <= MOST_NAMES:
                self.refuse(words[0], f"{words[0].text[:19]} {what}: this format is for 1 to {MOST_NAMES:,}")
            return Names(size, {})
        index: dict[str, int] = {}
        for word in words:
            if word.text in index:
                self.refuse(word, f"{word.text!r} appears twice")
            index[word.text] = len(index)
        return Names(len(index), index)

    def find(self, what: str, word: Word) -> int:
        """The number of a state, action or observation given by name or number."""
        if what not in self.names:
            self.refuse(word, f"{what} must be given before they are used")
        names = self.names[what]
        if word.text in names.index:
            return names.index[word.text]
        number = _index(word.text)
        if number is not None and number < names.size:
            return number
        known = (
            f" ({what}: {', '.join(list(names.index)[:20])})" if names.index else f": there are {names.size}"
        )
        self.refuse(word, f"{word.text!r} is none of the {what}{known}")

    def start_distribution(self, manner: str, words: list[Word]) -> FloatArray:
        """The forms of start: uniform, a distribution, states by name or number, a list in or out."""
        if "states" not in self.names:
            self.refuse(words[0], "states must be given before start")
        names = self.names["states"]
        n = names.size
        if not manner and len(words) == 1 and words[0].text == "uniform":
            return np.full(n, 1 / n)
        single = len(words) == 1 and not (n == 1 and words[0].text in ("1", "1.0"))
        if manner or single or any(word.text in names.index for word in words):
            chosen = np.zeros(n, dtype=np.bool_)
            chosen[[self.find("states", word) for word in words]] = True
            chosen = ~chosen if manner == "exclude" else chosen
            if not chosen.any():
                self.refuse(words[0], "no state is left to start in")
            return np.where(chosen, 1 / chosen.sum(), 0.0)
        if len(words) != n:
            self.refuse(words[0], f"expected {n} probabilities, found {len(words)}")
        initial = np.array([self.chance(word) for word in words])
        total = float(initial.sum())
        if abs(total - 1) > ROW_TOLERANCE:
            self.refuse(words[0], f"the start probabilities sum to {total:.9g}, not 1")
        distribution: FloatArray = initial / total
        return distribution

    def chosen(self, what: str) -> Sequence[int]:
        """The places that a word stands for: one, or all of them."""
        return range(self.names[what].size) if self.accept("*") else (self.find(what, self.next()),)

    def transitions(self, word: Word) -> None:
        """T: with an action, an action and a state, or both and a successor."""
        self.table(word, "states", self.moves)

    def observations(self, word: Word) -> None:
        """O: the same, of the state entered and the observation made there."""
        if "observations" not in self.names:
            self.refuse(word, "observations must be given before O")
        self.table(word, "observations", self.sights)

    def table(self, word: Word, columns: str, rows: dict[Key, Row]) -> None:
        """Fill rows of probabilities by one entry, one row, or a whole matrix.

        Rows that are alike share their memory until one of them is changed.
        """
        n, width = self.names["states"].size, self.names[columns].size
        actions = self.chosen("actions")
        states: Sequence[int] = range(n)
        if one_row := self.accept(":"):
            states = self.chosen("states")
        self.stand_for(word, A_ROW * len(actions) * len(states))
        keys = [*product(actions, states)]
        self.lines.update(((word.text, *key), word.line) for key in keys)
        if one_row and self.accept(":"):
            self.entry(word, keys, self.chosen(columns), width, rows)
        elif self.peek() in ("uniform", "identity", "reset"):
            self.shorthand(word, self.next(), keys, width, rows, square=width == n and not one_row)
        else:
            for group in [keys] if one_row else [[(a, s) for a in actions] for s in states]:
                self.stand_for(word, width * (len(group) - 1))
                row = self.values(width, self.chance, self.chances)
                rows.update(dict.fromkeys(group, row))

    def shorthand(
        self, word: Word, manner: Word, keys: Sequence[Key], width: int, rows: dict[Key, Row], *, square: bool
    ) -> None:
        """Fill rows as one word says: uniform, identity, or reset to the start."""
        if manner.text == "identity":
            if not square:
                self.refuse(manner, "identity stands for a square matrix")
            rows.update((key, {key[1]: 1.0}) for key in keys)
            return
        self.stand_for(word, len(keys) * width)
        row = np.full(width, 1 / width)
        if manner.text == "reset":
            if self.start is None or rows is not self.moves:
                self.refuse(manner, "reset stands for the start, which must be given, in T")
            row = self.start
        rows.update(dict.fromkeys(keys, row))

    def entry(
        self, word: Word, keys: Sequence[Key], columns: Sequence[int], width: int, rows: dict[Key, Row]
    ) -> None:
        """One probability for one column of some rows, or for all of them."""
        self.accept(":")  # which POMDPFiles.jl writes before a number as well
        p = self.chance(self.next())
        if len(columns) == width > 1:
            self.stand_for(word, len(keys) * width if p else 0)
            rows.update(dict.fromkeys(keys, np.full(width, p)))
            return
        for key in keys:
            row = rows.get(key, {})
            if not isinstance(row, dict):
                row = {int(i): float(row[i]) for i in np.flatnonzero(row)}
            rows[key] = row
            row.update((column, p) for column in columns)

    def stand_for(self, word: Word, entries: int) -> None:
        """Refuse a file whose short lines stand for more entries than memory should be given to."""
        self.entries += entries
        if self.entries > MOST_ENTRIES + self.taken * 100:
            self.refuse(word, f"the file expands to more than {MOST_ENTRIES:,} entries up to here")

    def reward(self, word: Word) -> None:
        """R: with an action, a state, a successor and an observation; or rows and matrices of numbers.

        AI-Toolbox writes the observation, *, where there are none.
        """
        observed = "observations" in self.names
        axes = ["actions", "states", "states", *["observations"] * observed]
        pattern = [self.any_or("actions")]
        while len(pattern) < len(axes) and self.accept(":"):
            pattern.append(self.any_or(axes[len(pattern)]))
        if len(axes) - len(pattern) > 2:
            self.refuse(word, "expected the state behind the action")
        if len(pattern) == len(axes):
            self.accept(":")
            if not observed and self.accept("*"):
                self.accept(":")
        for rest in product(*(range(self.names[axis].size) for axis in axes[len(pattern) :])):
            value = self.sign * self.number(self.next())
            self.given += 1
            self.rewards[(*pattern, *rest, *[None] * (not observed))] = self.given, value

    def any_or(self, what: str) -> int | None:
        """The place that a word stands for; None for any."""
        return None if self.accept("*") else self.find(what, self.next())


def _index(text: str) -> int | None:
    """A word as a whole number below 10^18, None where it is none."""
    digits = text.lstrip("0") or "0"
    return int(digits) if text.isascii() and text.isdigit() and len(digits) < 19 else None


CASSANDRA = Format(read_cassandra)
