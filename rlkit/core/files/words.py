"""A text file as a row of words, for formats in which line breaks mean nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, NoReturn

from rlkit.core.files.numbers import decimal
from rlkit.core.files.text import fail, read_text

WORD = re.compile(r":|[^\s:]+")


class Word(NamedTuple):
    """A word and the line on which it stands."""

    text: str
    line: int


class Words:
    """A cursor over the words of a file; a colon is a word, and # begins a comment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = enumerate(read_text(path).split("\n"), start=1)
        self.words = [Word(w, n) for n, line in lines for w in WORD.findall(line.partition("#")[0])]
        self.place = 0

    def refuse(self, word: Word, message: str) -> NoReturn:
        """Raise for a defect at a word."""
        raise fail(self.path, word.line, message)

    def next(self) -> Word:
        """The next word, which must be there."""
        if self.place >= len(self.words):
            raise fail(self.path, self.words[-1].line if self.words else 1, "the file ends too early")
        self.place += 1
        return self.words[self.place - 1]

    def peek(self, ahead: int = 0) -> str:
        """The text of a word to come; empty behind the last."""
        place = self.place + ahead
        return self.words[place].text if place < len(self.words) else ""

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
