"""Settings tuned for single environments, those of presets.toml.

An agent's config.json holds the resulting values, so a run does not depend on the presets later.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

Presets: TypeAlias = dict[tuple[str, str], tuple[int, Mapping[str, Any]]]

DEFAULT_STEPS = 100_000


@cache
def presets() -> Presets:
    """By agent and environment id: the environment steps that suffice, and options that are not defaults."""
    listed = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["preset"]
    found: Presets = {}
    for options in listed:
        agents, env_ids, steps = (options.pop(name) for name in ("agents", "environments", "steps"))
        found |= {(agent, env_id): (steps, options) for agent in agents for env_id in env_ids}
    return found


def preset(agent: str, env_id: str | None) -> Mapping[str, Any]:
    """The tuned options of `agent` on `env_id`, or none."""
    return _found(agent, env_id)[1]


def default_steps(agent: str, env_id: str | None) -> int:
    """How many environment steps to train for where nobody says."""
    return _found(agent, env_id)[0]


def _found(agent: str, env_id: str | None) -> tuple[int, Mapping[str, Any]]:
    """The preset, whether or not the id says which module enters it."""
    return presets().get((agent, (env_id or "").rpartition(":")[2]), (DEFAULT_STEPS, {}))
