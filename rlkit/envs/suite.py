"""The environments that rlkit ships, as data: an id, where its description is made, and with which knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One environment id: where its description is made, with which knobs, and the time limit."""

    id: str
    factory: str  # "module:function" within rlkit that returns a Model
    summary: str
    max_episode_steps: int | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""  # a knob without which it cannot be made


CHAINS = (
    Entry("rlkit/Exam-v0", "envs.exam:exam", "study or party before an exam"),
    Entry("rlkit/MDP-v0", "core.table:TableModel", "any MDP, given as mdp=", needs="mdp"),
)

GRIDS = (
    Entry("rlkit/FrozenLake-v0", "envs.grid:frozen_lake", "cross slippery ice around holes", 100),
    Entry("rlkit/FrozenLake8x8-v0", "envs.grid:frozen_lake", "the same on a larger lake", 200, {"size": 8}),
    Entry("rlkit/GridWorld-v0", "envs.grid:grid_world", "walls, pits, goals, wind and slip", 100),
)

ROOMS: tuple[Entry, ...] = ()

MEMORY: tuple[Entry, ...] = ()

GAMES: tuple[Entry, ...] = ()

FAMILIES = {"chains": CHAINS, "grids": GRIDS, "rooms": ROOMS, "memory": MEMORY, "games": GAMES}
ENTRIES = tuple(entry for family in FAMILIES.values() for entry in family)
