"""Settings: frozen dataclasses, checked when they are made, written as JSON.

Fields are scalars or tuples of integers, so that all settings have one JSON form and every field can also be
given as text, as on a command line.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np

from rlkit.errors import ConfigError, StepsError, did_you_mean

MOST = 2**62  # of whole numbers, so that sums of some still are an int64
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def whole(name: str, value: object, *, least: int, most: int | None = None) -> int:
    """`value` if it is an integer from `least` to `most`; ConfigError, naming it, if not."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ConfigError(f"{name} must be at most {most}, not {value}")
    return int(value)


def whole_seed(value: object) -> int:
    """`value` if it can be a seed; ConfigError if not.

    Environment i of a vector gets the seed plus i, which must stay an int64.
    """
    return whole("seed", value, least=0, most=MOST)


def whole_steps(value: object) -> int:
    """`value` if it can be a number of steps to take; StepsError if not."""
    try:
        return whole("steps", value, least=1, most=MOST)
    except ConfigError as error:
        raise StepsError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class Option:
    """What is known of an option beside its name, type and default; its docstring is `help`."""

    help: str
    least: float | None = None
    most: float | None = None
    positive: bool = False  # a finite number above 0
    choices: Collection[str] = ()
    search: tuple[float, ...] = ()  # the range to tune it in; of an integer, the values to try

    @property
    def allowed(self) -> str:
        """The values that it takes, in words; empty if its type says all."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.positive:
            return "a number above 0" + ("" if self.most is None else f" and at most {self.most}")
        if self.most is not None:
            return f"from {self.least} to {self.most}"
        return "" if self.least is None else f"at least {self.least}"

    def check(self, name: str, value: Any) -> None:
        """ConfigError, naming the option, for a value that it does not take."""
        if self.choices:
            if value not in self.choices:
                hint = did_you_mean(value, self.choices)
                raise ConfigError(f"{name} must be {self.allowed}; got {value!r}{hint}")
        elif self.allowed:
            least = -math.inf if self.least is None else self.least
            most = math.inf if self.most is None else self.most
            if not (least <= value <= most and (not self.positive or 0 < value < math.inf)):
                raise ConfigError(f"{name} must be {self.allowed}, got {value}")


def option(default: Any, help: str, **known: Any) -> Any:
    """A field of `Settings` with its default and what an `Option` knows."""
    return dataclasses.field(default=default, metadata={"option": Option(help=help, **known)})


def options_of(kind: type[Any]) -> dict[str, Option]:
    """The options of a class of settings by name; one that changes a default keeps the rest."""
    found: dict[str, Option] = {}
    for base in reversed(kind.__mro__):
        fields = vars(base).get("__dataclass_fields__", {}).values()
        found |= {field.name: field.metadata["option"] for field in fields if "option" in field.metadata}
    return {field.name: found.get(field.name, Option(help="")) for field in dataclasses.fields(kind)}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options with checks; subclasses check in `__post_init__` what no single option says."""

    def __post_init__(self) -> None:
        """Check the options; raises ConfigError."""
        options = options_of(type(self))
        for name, value in self.to_json().items():
            for number in value if isinstance(value, tuple) else [value]:
                if isinstance(number, int) and abs(number) > MOST:
                    raise ConfigError(f"{name} must be at most {MOST}, got {number}")
            options[name].check(name, value)

    def replace(self, overrides: Mapping[str, object], *, agent: str = "") -> Self:
        """A copy with some fields changed, those of the `agent` of that name; values may be text ("64,64").

        Raises ConfigError for an unknown field, naming the nearest one, and for a value that does not fit.
        """
        hints = get_type_hints(type(self))
        names = [field.name for field in dataclasses.fields(self)]
        changes: dict[str, Any] = {}
        for name, value in overrides.items():
            if name not in names:
                hint = did_you_mean(name, names) or ";"
                whose, listed = "there is", f"the options are {', '.join(names)}"
                if agent:
                    whose, listed = f"{agent} has", f"`rlkit agents {agent}` lists them"
                raise ConfigError(f"{whose} no option {name!r}{hint} {listed}")
            changes[name] = _convert(name, value, hints[name])
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)


def _convert(name: str, value: object, kind: Any) -> Any:
    """`value`, which may be text, as the declared type of the field `name`."""
    try:
        if get_origin(kind) is tuple:
            item = get_args(kind)[0]
            text = value.strip("()[] ") if isinstance(value, str) else ""
            entries = text.removeprefix("none").split(",") if isinstance(value, str) else value
            if isinstance(entries, int):
                entries = [entries]
            if isinstance(entries, list | tuple):
                return tuple(_convert(name, entry, item) for entry in entries if entry != "")
        elif kind is bool:
            if isinstance(value, str) and value.lower() in ("true", "false", "1", "0", "yes", "no"):
                return value.lower() in ("true", "1", "yes")
            if isinstance(value, bool):
                return value
        elif kind is str:
            if isinstance(value, str):
                return value
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            if kind is float:
                return number
            if number.is_integer():
                return int(number)
    except (ValueError, OverflowError):
        pass
    shown = "a list of whole numbers such as 64,64" if get_origin(kind) is tuple else KINDS[kind]
    raise ConfigError(f"{name} must be {shown}, got {value!r}")
