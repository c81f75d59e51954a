"""The command line: list, play and film environments, solve them exactly, train agents and grade them.

Each command imports what it needs when it is called, so that help and errors come at once.
"""

import gc
import io
import os
import re
import sys
import warnings
from contextlib import redirect_stdout, suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from rlkit.cli import (
    agents as agents,
    environments as environments,
    learning as learning,
    output,
    solving as solving,
)
from rlkit.cli.output import app as app, fail, say, show_cursor
from rlkit.errors import FAILURES, RlkitError, blame, is_users, one_line as said
from rlkit.plain import one_line
from rlkit.signals import exit_status, stop_signals

KEPT_OBJECTS = 500_000  # more than imports make: collecting them took a fifth of the start


def main() -> NoReturn:
    """Run the command line; exit 0 when done, 2 for bad input, 3 when not certified or a goal is missed.

    A signal that stops it makes that 128 and its number, as in a shell.
    """
    gc.set_threshold(KEPT_OBJECTS)
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    warnings.showwarning = _warn
    os.environ["MPLBACKEND"] = "agg"  # a notebook's may be missing here, and pictures go to files
    _prepare_output()
    named = any(":" in word or word.startswith("--trust-env") for word in sys.argv[1:])
    if named and "" not in sys.path:
        sys.path.append("")  # a module that is named is looked for in the current folder, too, last
    status = 0
    try:
        for before, arg in pairwise(sys.argv):
            if not arg or re.fullmatch("--[^=]+=", arg):
                fail(f"what follows {arg or before} is empty")
        output.answers = sys.stdout
        answered = "--json" in sys.argv and "--help" not in sys.argv
        printed = redirect_stdout(sys.stderr if answered else sys.stdout)  # by users' code
        with stop_signals() as signals, suppress(KeyboardInterrupt), printed:
            status = app(standalone_mode=False)
        if signals:
            status = exit_status(signals[-1])
            show_cursor()
    except typer.TyperException as error:
        asked = hasattr(error, "possibilities") and sys.argv[1] == "train"  # for an option that it lacks
        hint = "; --set NAME=VALUE is for options of the agent" if asked else ""
        fail(error.format_message() + hint)
    except RlkitError as error:
        fail(str(error))
    except OSError as error:
        fail(said(error))
    except FAILURES as error:
        if not is_users(error):
            raise
        fail(blame(error))
    sys.exit(status or 0)


def _prepare_output() -> None:
    """Open streams that the caller closed, replace characters they cannot encode, forget sizes of nothing."""
    nowhere = Path(os.devnull)
    sys.stdin = sys.stdin or nowhere.open()
    sys.stdout, sys.stderr = (stream or nowhere.open("w") for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lookalikes")
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "")):
            os.environ.pop(name, None)


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    say("warning: " + one_line(str(message)).removeprefix("WARN: "))  # as Gymnasium begins its own


def _version(asked: bool) -> None:
    if asked:
        from rlkit import __version__

        print(f"rlkit {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reinforcement learning with ground truth."""
