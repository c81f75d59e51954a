"""Text that is not ours, such as names from files and environments, on its way to a terminal."""

from __future__ import annotations

import re

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 but for tab and line feed: cursors, colours, titles, links
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line ends and the direction of writing
    "\ud800-\udfff]"  # halves of characters, which no encoding has
)

COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # and other sequences that would move a cursor

BREAK = re.compile(r"\s*[\n\r\t]\s*")


def plain(text: str) -> str:
    """The text without its control characters and sequences."""
    return CONTROLS.sub("", COLOURS.sub("", text))


def one_line(text: str) -> str:
    """The same in one line."""
    return plain(BREAK.sub(" ", text.strip()))
