"""The ids of the suite, each made once, and those that other people's programs are tried on."""

from typing import Any

import gymnasium as gym
from gymnasium import Space, spaces

from rlkit.envs.suite import ENTRIES

MADE = {entry.id: gym.make(entry.id) for entry in ENTRIES if not entry.needs}
MASKED = [id for id, env in MADE.items() if env.unwrapped.model.masked]


def kind(space: Space[Any]) -> tuple[Any, ...]:
    """What a client tells spaces apart by."""
    parts = tuple(map(kind, space.values())) if isinstance(space, spaces.Dict) else ()
    return type(space), space.dtype, len(space.shape or ()), parts


ONE_OF_EACH_KIND = list(
    {(kind(env.observation_space), id in MASKED): id for id, env in MADE.items()}.values()
)
