"""The application, its exit codes, and how commands answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import typer

from rlkit.plain import one_line
from rlkit.signals import reader_gone

if TYPE_CHECKING:
    from rlkit.report.blocks import Block
    from rlkit.report.terminal import Terminal

PIPED_WIDTH = 130  # characters of a table that goes to a file or a program
BAD_INPUT, MISSED = 2, 3
answers: TextIO | None = None  # where JSON goes if not to stdout, which under --json is stderr for all else

app = typer.Typer(
    name="rlkit",
    help="Reinforcement learning with ground truth.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def terminal(*, stderr: bool = False) -> Terminal:
    """The terminal, or what stdout or stderr is redirected to."""
    from rlkit.report.terminal import Terminal

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Terminal(stderr=stderr, width=PIPED_WIDTH if piped else None)


def show_cursor() -> None:
    """Show the cursor, which a live view hides; a signal can arrive before that can restore it."""
    for stderr in (False, True):
        with suppress(OSError):  # a terminal that is gone
            terminal(stderr=stderr).show_cursor()


def show(as_json: bool, record: dict[str, Any], report: Callable[[dict[str, Any]], list[Block]]) -> None:
    """Print a record as JSON, or the report on it."""
    if as_json:
        try:
            print(json.dumps(record), file=answers, flush=True)
        except BrokenPipeError:
            reader_gone(answers or sys.stdout)
    else:
        terminal().show(report(record))


def say(message: str) -> None:
    """Print one line on stderr, if it is open."""
    with suppress(OSError):
        print(f"rlkit: {one_line(message)}", file=sys.stderr)


def fail(message: str) -> NoReturn:
    """Print one line that says what is wrong with the input, and exit."""
    say(message)
    sys.exit(BAD_INPUT)
