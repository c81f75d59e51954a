"""Text model files in blocks of whole lines, so that numbers are read in bulk and errors have a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rlkit.core.errors import ModelError
from rlkit.core.files.numbers import BadToken, decimals, integers
from rlkit.core.mdp import FloatArray, IntArray

BLOCK = 1 << 22  # bytes read at a time
FREE_BYTES, EXPANSION = 1 << 24, 24  # bytes, and times its size, that a compressed file may expand to
LONGEST = 300  # characters of a message, which may quote the file


def fail(path: Path, line: int | None, message: str) -> ModelError:
    """The error for a defect of a file, which begins with its name and, where there is one, the line."""
    place = path.name if line is None else f"{path.name}:{line}"
    return ModelError(f"{place}: {message if len(message) <= LONGEST else message[:LONGEST] + ' ...'}")


def no_number(word: str, what: str) -> str:
    """What is wrong with a word that should be a number, which may be one of another kind of model."""
    if word.startswith("["):
        return f"{word} is an interval: models of intervals are not supported"
    return f"{word!r} is no {what}"


def no_state(number: int, n_states: int) -> str:
    """What is wrong with the number of a state that is too large."""
    return f"there is no state {number}: states are 0..{n_states - 1}"


def suffix(path: Path) -> str:
    """The suffix that says the format, in lower case, without a .gz behind it."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def open_reader(path: Path) -> BufferedIOBase:
    """Open a file to read bytes, through gzip where its name ends so."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")


def most_bytes(packed: int) -> int:
    """How much so many compressed bytes may expand to: more than any model does, far less than they could."""
    return FREE_BYTES + EXPANSION * packed


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, `BLOCK` at a time.

    Raises `ModelError` for a damaged gzip stream, and for one that expands to more than `most_bytes`.
    """
    most = most_bytes(path.stat().st_size) if path.suffix == ".gz" else None
    total = 0
    with open_reader(path) as stream:
        while True:
            try:
                piece = stream.read(BLOCK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise fail(path, None, f"the compressed data is damaged: {error}") from error
            total += len(piece)
            if most is not None and total > most:
                message = f"the compressed data expands to more than {most:,} bytes, far more than models do"
                raise fail(path, None, message)
            if not piece:
                return
            yield piece


def open_writer(path: Path) -> BufferedIOBase:
    """Open a file to write bytes, through gzip where its name ends so; equal models make equal files."""
    return gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) if path.suffix == ".gz" else open(path, "wb")


def blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Pieces of whole lines, each with the number of its first line; the last line ends like the others.

    Raises `ModelError` for an empty file, a damaged gzip stream, and text that is not UTF-8.
    """
    line, rest, empty = 1, [b""], True
    for piece in chain(pieces(path), [b""]):
        if b"\0" in piece:
            raise fail(path, line, "not a text file: it holds a zero byte")
        cut = piece.rfind(b"\n") + 1
        if piece and not cut:
            rest.append(piece)
            continue
        text = b"".join([*rest, piece[:cut]])
        rest = [piece[cut:]]
        if line == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if text and not piece:
            text += b"\n"
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise fail(path, line + text.count(b"\n", 0, error.start), "the text is not UTF-8") from None
        empty = empty and not text.strip()
        if text:
            yield line, text
        line += text.count(b"\n")
    if empty:
        raise fail(path, 1, "the file is empty")


def read_text(path: Path) -> str:
    """A whole text file, which must be UTF-8."""
    return b"".join(text for _, text in blocks(path)).decode("utf-8")


def write_lines(path: Path, header: str, lines: Iterable[str]) -> None:
    """Write a text file of a header and lines."""
    rest = iter(lines)
    with open_writer(path) as stream:
        stream.write(f"{header}\n".encode())
        while chunk := list(islice(rest, 1000)):
            stream.write(("\n".join(chunk) + "\n").encode())


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of a text file, cut into words; lines without a word are left out."""

    path: Path
    text: bytes
    start: IntArray  # [N] where each word begins
    stop: IntArray  # [N] where it ends
    first: IntArray  # [L] the first word of each line
    count: IntArray  # [L] how many words the line has
    line: IntArray  # [L] its number in the file

    def __len__(self) -> int:
        return len(self.first)

    def fail(self, row: int, message: str) -> ModelError:
        """The error for a defect of one line."""
        return fail(self.path, int(self.line[row]), message)

    def word(self, index: int) -> str:
        """One word."""
        return self.text[self.start[index] : self.stop[index]].decode("utf-8")

    def words(self, row: int) -> list[str]:
        """The words of one line."""
        first = int(self.first[row])
        return [self.word(i) for i in range(first, first + int(self.count[row]))]

    def span(self, row: int) -> str:
        """One line from its first word to its last."""
        first = int(self.first[row])
        return self.text[self.start[first] : self.stop[first + int(self.count[row]) - 1]].decode("utf-8")

    def starts_with(self, byte: bytes) -> npt.NDArray[np.bool_]:
        """Which lines [L] begin with a byte."""
        starts: npt.NDArray[np.bool_] = self._bytes[self.start[self.first]] == byte[0]
        return starts

    def rows(self, keep: npt.NDArray[np.bool_]) -> Block:
        """The same block with some of its lines."""
        return Block(
            self.path, self.text, self.start, self.stop, self.first[keep], self.count[keep], self.line[keep]
        )

    def integers(self, column: int) -> IntArray:
        """The whole numbers [L] in a column that every line has."""
        place = self.first + column
        try:
            return integers(self._bytes, self.start[place], self.stop[place])
        except BadToken as bad:
            raise self.fail(bad.index, f"{self.word(int(place[bad.index]))!r} is no whole number") from None

    def decimals(self, column: int, *, what: str) -> FloatArray:
        """The numbers [L], or fractions of whole numbers, in a column that every line has."""
        place = self.first + column
        try:
            return decimals(self._bytes, self.start[place], self.stop[place])
        except BadToken as bad:
            raise self.fail(bad.index, no_number(self.word(int(place[bad.index])), what)) from None

    @property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.text, dtype=np.uint8)


def split(path: Path, line: int, text: bytes, *, comment: bytes) -> Block:
    """Cut whole lines, the first of which has the given number, into words; comment lines count as blank."""
    if comment in text:
        lines = text.split(b"\n")
        text = b"\n".join(b"" if x.lstrip().startswith(comment) else x for x in lines)
    text = b"\n" + text
    codes = np.frombuffer(text, dtype=np.uint8)
    blank = codes <= 32
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    start, stop = edges[::2], edges[1::2]
    ends = np.searchsorted(start, np.flatnonzero(codes == 10)[1:])
    count = np.diff(ends, prepend=0)
    filled = np.flatnonzero(count)
    return Block(path, text, start, stop, ends[filled] - count[filled], count[filled], filled + line)


def split_blocks(path: Path, *, comment: bytes) -> Iterator[Block]:
    """All blocks of a file that hold a word."""
    for line, text in blocks(path):
        block = split(path, line, text, comment=comment)
        if len(block):
            yield block
