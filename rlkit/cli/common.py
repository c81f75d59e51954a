"""What every command needs: the application, its exit codes, options they share, and ways to answer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rlkit.errors import RlkitError
from rlkit.plain import one_line
from rlkit.signals import reader_gone

if TYPE_CHECKING:
    from rlkit.report.blocks import Block
    from rlkit.report.terminal import Terminal

PIPED_WIDTH = 130  # characters of a table that goes to a file or a program
BAD_INPUT, MISSED = 2, 3

app = typer.Typer(
    name="rlkit",
    help="Reinforcement learning with ground truth.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
EnvKnobs = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A knob of the environment.")
]
TrustEnv = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-env", metavar="MODULE", help="Import this module, which the run's environment needs."
    ),
]


def modules(named: list[str] | None) -> list[str]:
    """The modules that --trust-env names, which may lie in the current folder, behind installed ones."""
    for module in named or []:
        find_modules_here(f"{module}:")
    return named or []


def find_modules_here(name: str) -> str:
    """`name`; where it is MODULE:NAME, the module may lie in the current folder, behind installed ones."""
    if ":" in name and "" not in sys.path:
        sys.path.append("")
    return name


def whole(name: str, *, least: int = 0, most: int | None = None) -> Callable[[str | int], int]:
    """The parser of an option that is a whole number, which may be given as 1e5."""

    def parse(given: str | int) -> int:
        from rlkit.errors import ConfigError
        from rlkit.settings import whole as checked

        value: str | int = given
        with suppress(ValueError):
            number = float(given)
            value = int(given if str(given).isdecimal() else number) if number.is_integer() else given
        try:
            return checked(name, value, least=least, most=most)
        except ConfigError as error:
            raise RlkitError(str(error)) from None  # a ValueError would lose what it says

    return parse


def refuse(why: str, options: dict[str, Any]) -> None:
    """Options that do not apply are an error, not ignored."""
    for name, value in options.items():
        if value not in (None, [], {}):
            raise typer.BadParameter(f"{name} does not apply: {why}")


def knobs(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as a mapping; a value is JSON where it parses as JSON, else text."""
    knobs = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        try:
            knobs[name] = json.loads(value)
        except (ValueError, RecursionError):
            knobs[name] = value
    return knobs


def terminal(*, stderr: bool = False) -> Terminal:
    """Where tables go."""
    from rlkit.report.terminal import Terminal

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Terminal(stderr=stderr, width=PIPED_WIDTH if piped else None)


def show_cursor() -> None:
    """Show the cursor again, which what is live hides; a signal can come before it is ready to clean up."""
    for stderr in (False, True):
        with suppress(OSError):  # a terminal that is gone
            terminal(stderr=stderr).show_cursor()


def show(as_json: bool, record: dict[str, Any], report: Callable[[dict[str, Any]], list[Block]]) -> None:
    """Print a record as JSON, or the report on it."""
    if as_json:
        try:
            print(json.dumps(record), flush=True)
        except BrokenPipeError:
            reader_gone(sys.stdout)
    else:
        terminal().show(report(record))


def say(message: str) -> None:
    """Print one line on stderr, if it goes anywhere."""
    with suppress(OSError):
        print(f"rlkit: {one_line(message)}", file=sys.stderr)


def fail(message: str) -> NoReturn:
    """Say in one line what is wrong with the input, and exit."""
    say(message)
    sys.exit(BAD_INPUT)
