"""Options that several commands share, and how their values are read."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from rlkit.errors import ConfigError, RlkitError


def whole(name: str, *, least: int = 0, most: int | None = None) -> Callable[[str | int], int]:
    """The parser of an option that is a whole number, which may be given as 1e5."""

    def parse(given: str | int) -> int:
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


def count(name: str, help: str, *, least: int = 1, most: int | None = None, metavar: str = "N") -> Any:
    """An option that is a whole number."""
    return typer.Option(parser=whole(name, least=least, most=most), metavar=metavar, help=help)


def option(help: str, metavar: str | None = None, *, flag: str | None = None) -> Any:
    """An option, named after its parameter unless a `flag` is given."""
    return typer.Option(*([] if flag is None else [flag]), metavar=metavar, help=help)


def argument(metavar: str, help: str) -> Any:
    """What a command is about."""
    return typer.Argument(metavar=metavar, help=help)


Json = Annotated[bool, option("Print one JSON object instead of tables.", flag="--json")]
EnvOptions = Annotated[
    list[str] | None, option("Set an option of the environment.", "NAME=VALUE", flag="--env")
]
AgentOptions = Annotated[list[str] | None, option("Set an option of the agent.", "NAME=VALUE", flag="--set")]
TrustEnv = Annotated[
    list[str] | None,
    option(
        "Import this module of the run: its environment, agent or backbone.", "MODULE", flag="--trust-env"
    ),
]


def given(texts: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as a mapping; a value is JSON where it parses as JSON, else text."""
    values = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
        try:
            values[name] = json.loads(value)
        except (ValueError, RecursionError):
            values[name] = value
    return values


def refuse(why: str, options: dict[str, Any]) -> None:
    """Raise if an option is given that does not apply."""
    for name, value in options.items():
        if value not in (None, [], {}):
            raise typer.BadParameter(f"{name} does not apply: {why}")
