"""The environments that rlkit ships, those of suite.toml."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One environment id: what makes its description, with which options, and the time limit."""

    id: str
    factory: str | Callable[..., Any]  # "module:function", or what it names: it returns a Model
    summary: str
    max_episode_steps: int | None = None  # where the model itself has no `limit`
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""  # an option without which it cannot be made
    exact: Mapping[str, Any] | None = field(default_factory=dict)  # options to solve it; None: too large


def _entry(known: dict[str, Any]) -> Entry:
    return Entry(**known | ({"exact": None} if known.get("exact") is False else {}))  # TOML has no null


_LISTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
FAMILIES = {family: tuple(map(_entry, entries)) for family, entries in _LISTED.items()}
ENTRIES = tuple(entry for family in FAMILIES.values() for entry in family)
