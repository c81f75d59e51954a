"""Text on its way to a terminal: what is not ours, such as names from files, and what it cannot show."""

import codecs
import re
import unicodedata

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 but for tab and line feed: cursors, colours, titles, links
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line ends and the direction of writing
    "\ud800-\udfff]"  # halves of characters, which no encoding has
)

BYTES = re.compile("[\udc80-\udcff]")  # of a file's name, where the locale has no letter for them

COLOURS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # and other sequences that would move a cursor

LOOKALIKES = {
    **{"←": "<", "↑": "^", "→": ">", "↓": "v", "−": "-", "–": "-", "×": "x", "·": ".", "…": "~", "±": "~"},
    **{"✓": "+", "✗": "x", "●": "@", "○": "o", "│": "|", "┤": "|", "╌": "-", "▒": "#"},
}
BRAILLE = range(0x2801, 0x2900)  # points of a curve; 0x2800 is none

BREAK = re.compile(r"\s*[\n\r\t]\s*")


def plain(text: str) -> str:
    """The text without its control characters and sequences, with ? for bytes that are no letters."""
    return CONTROLS.sub("", COLOURS.sub("", BYTES.sub("?", text)))


def one_line(text: str) -> str:
    """The same in one line."""
    return plain(BREAK.sub(" ", text.strip()))


def short(text: str, most: int) -> str:
    """The same, and at most so many characters of it."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def label(text: str, most: int) -> str:
    """The same for matplotlib, which would take dollars for formulae."""
    return short(text, most).replace("$", r"\$")


def _lookalikes(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks: as many of ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_lookalike, error.object[error.start : error.end])), error.end


def _lookalike(character: str) -> str:
    if character in LOOKALIKES:
        return LOOKALIKES[character]
    if ord(character) in BRAILLE:
        return "*"
    letter = unicodedata.normalize("NFKD", character)[0]  # without its accent
    return letter if letter.isascii() else " " if character == "\u2800" else "?"


codecs.register_error("lookalikes", _lookalikes)
