"""A text file as a row of words, for formats in which line breaks mean nothing."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from rlkit.core.files.numbers import decimal
from rlkit.core.files.text import blocks, fail
from rlkit.core.mdp import FloatArray

WORD = re.compile(r":|[^\s:]+")
MOST_WORDS = 10_000_000  # of a file
MOST_KNOWN = 100_000  # numbers that are remembered


class Word(NamedTuple):
    """A word and the line on which it stands."""

    text: str
    line: int


class Words:
    """A cursor over the words of a file; a colon is a word, and # begins a comment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken = 0
        self.last = Word("", 1)  # the last word taken
        self._source = self._split()
        self._ahead: deque[Word] = deque()

    def _split(self) -> Iterator[Word]:
        """The words one by one, so that memory does not grow with the file."""
        for first, text in blocks(self.path):
            for number, line in enumerate(text.decode("utf-8").split("\n"), start=first):
                if line and line[0] != "#":
                    for match in WORD.finditer(line.partition("#")[0]):
                        yield Word(match[0], number)

    def refuse(self, word: Word, message: str) -> NoReturn:
        """Raise for a defect at a word."""
        raise fail(self.path, word.line, message)

    def next(self) -> Word:
        """The next word, which must be there."""
        if not self.peek():
            self.refuse(self.last, "the file ends too early")
        self.last = self._ahead.popleft()
        self._count(1)
        return self.last

    def peek(self, ahead: int = 0) -> str:
        """The text of a word to come; empty behind the last."""
        while len(self._ahead) <= ahead:
            word = next(self._source, None)
            if word is None:
                return ""
            self._ahead.append(word)
        return self._ahead[ahead].text

    def values(self, count: int, read: Callable[[Word], float], known: dict[str, float]) -> FloatArray:
        """That many numbers, each as `read` makes it of a word unless it is `known` from an earlier one."""
        values = np.empty(count)
        for i in range(count):
            word = self._ahead.popleft() if self._ahead else next(self._source, None)
            if word is None:
                self.refuse(self.last, "the file ends too early")
            self.last = word
            value = known.get(word.text)
            if value is None:
                value = read(word)
                if len(known) < MOST_KNOWN:
                    known[word.text] = value
            values[i] = value
        self._count(count)
        return values

    def _count(self, words: int) -> None:
        self.taken += words
        if self.taken > MOST_WORDS:
            self.refuse(self.last, f"more than {MOST_WORDS:,} words are too many for this format")

    def accept(self, text: str) -> bool:
        """Take the next word if it is this one; whether it was."""
        there = self.peek() == text
        if there:
            self.next()
        return there

    def expect(self, text: str) -> None:
        """Take a word that must be this one."""
        word = self.next()
        if word.text != text:
            self.refuse(word, f"expected {text!r}, found {word.text!r}")

    def number(self, word: Word) -> float:
        """A word as a number."""
        try:
            return decimal(word.text)
        except ValueError:
            self.refuse(word, f"{word.text!r} is no number")
