"""The frozen lake: slippery ice around holes."""

from collections.abc import Sequence

import numpy as np

from ..options import at_most_one, whole
from .grid import Grid
from .maps import FREE, GOAL, PIT, START, MapError

LAKES = {
    4: ("SFFF", "FHFH", "FFFH", "HFFG"),
    8: (
        "SFFFFFFF",
        "FFFFFFFF",
        "FFFHFFFF",
        "FFFFFHFF",
        "FFFHFFFF",
        "FHHFFFHF",
        "FHFFHFHF",
        "FFFHFFFG",
    ),
}
LARGEST = 2_000  # rows of a random lake


def frozen_lake(
    *,
    size: int | None = None,
    map: str | Sequence[str] | None = None,
    slip: float = 2 / 3,
    map_seed: int | None = None,
    observation: str = "index",
    allow_unreachable: bool = False,
) -> Grid:
    """Cross a frozen lake to the goal; a hole ends the episode with nothing (Gymnasium's FrozenLake).

    `map` is text, rows apart by newline or `/`. Without it `size` 4 (the default) and 8 give the well-known
    lakes; any other size, or a `map_seed`, a random lake with a way across. With probability `slip` a move
    turns left or right; `observation` is index, one-hot or grid. `rlkit.envs.Grid` describes all of them.
    Raises `MapError` and `OptionError`.
    """
    at_most_one(map=map, size=size)
    at_most_one(map=map, map_seed=map_seed)
    if map is None:
        size = whole("size", 4 if size is None else size, 2, LARGEST)
        known = size in LAKES and map_seed is None
        map = LAKES[size] if known else _random_lake(size, seed=whole("map_seed", map_seed or 0, 0))
    return Grid(map, slip=slip, observation=observation, allow_unreachable=allow_unreachable)


def _random_lake(size: int, *, seed: int, holes: float = 0.2) -> tuple[str, ...]:
    rng = np.random.default_rng(seed)
    while True:
        cells = np.where(rng.random((size, size)) < holes, PIT, FREE)
        cells[0, 0], cells[-1, -1] = START, GOAL
        rows = tuple("".join(row) for row in cells)
        try:
            Grid(rows)
        except MapError:
            continue
        return rows
