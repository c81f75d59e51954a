"""Grid worlds: one description of cells, moves, slip and wind, from which FrozenLake and GridWorld come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ..core.arrays import Array
from ..core.model import Model, Step
from ..errors import RlkitError

MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # row and column step of left, down, right, up
ARROWS = "←↓→↑"
WALL, START, GOAL, PIT, FREE = "#", "S", "G", "H", "."

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
FOUR_BY_THREE = ("...G", ".#.H", "S...")  # Russell and Norvig's example


LARGEST = 2_000  # rows of a random lake


class MapError(RlkitError, ValueError):
    """A map or a knob that makes no playable grid; the message names it and what is allowed."""


@dataclass(frozen=True)
class GridState:
    """Which free cell the agent stands on."""

    cell: Array  # [B] int64, free cells in reading order


class Grid(Model[GridState]):
    """Move over a map of walls, pits and goals; the observation is the number of the cell.

    `rows` holds `#` wall, `S` start (several are equally likely), `G` goal, `H` pit, `.` or `F` or a space
    free. Cells other than walls are numbered in reading order. A move into a wall or off the map stays.
    With probability `slip` the move turns left or right instead, each equally likely. `wind` [columns] then
    pushes that many cells up, as seen from the column left. Goals and pits end the episode. Every step pays
    `step_reward`, and entering a goal or pit its own reward besides. Raises `MapError`.
    """

    n_actions = 4
    n_events = 3  # turned left, straight on, turned right
    action_names = ("left", "down", "right", "up")

    def __init__(
        self,
        rows: Sequence[str],
        *,
        slip: float = 0.0,
        wind: Sequence[int] | None = None,
        step_reward: float = 0.0,
        goal_reward: float = 1.0,
        pit_reward: float = 0.0,
        discount: float = 1.0,
    ) -> None:
        self.rows = _checked(rows)
        height, width = len(self.rows), len(self.rows[0])
        rewards = {"step_reward": step_reward, "goal_reward": goal_reward, "pit_reward": pit_reward}
        for name, reward in rewards.items():
            if not (isinstance(reward, int | float) and np.isfinite(reward)):
                raise MapError(f"{name} must be a finite number, not {reward!r}")
        if not (isinstance(slip, int | float) and 0 <= slip <= 1):
            raise MapError(f"slip must lie in [0, 1], not {slip!r}")
        if wind is not None and (len(wind) != width or any(w < 0 for w in wind)):
            raise MapError(f"wind needs one number >= 0 for each of the {width} columns, not {wind}")
        self.discount = discount
        self.position = np.array(
            [(r, c) for r in range(height) for c in range(width) if self.rows[r][c] != WALL]
        )  # [n_cells, 2]
        kind = np.array([self.rows[r][c] for r, c in self.position])
        self.starts = np.flatnonzero(kind == START)
        self.n_starts = len(self.starts)
        self.observation_space = spaces.Discrete(len(kind))
        self.turn = np.array([slip / 2, 1 - slip, slip / 2])  # [E]
        self.neighbour = self._neighbours(wind or (0,) * width)  # [n_cells, 4]
        self.ends = np.isin(kind, (GOAL, PIT))
        self.reward = step_reward + goal_reward * (kind == GOAL) + pit_reward * (kind == PIT)
        if not self._reachable()[kind == GOAL].any():
            raise MapError("no goal of the map can be reached from its start")

    def _neighbours(self, wind: Sequence[int]) -> np.ndarray[Any, Any]:
        number = {(int(r), int(c)): i for i, (r, c) in enumerate(self.position)}
        table = np.empty((len(number), 4), dtype=np.int64)
        for (r, c), i in number.items():
            for a, (dr, dc) in enumerate(MOVES):
                at = (r + dr, c + dc) if (r + dr, c + dc) in number else (r, c)
                for _ in range(wind[c]):
                    at = (at[0] - 1, at[1]) if (at[0] - 1, at[1]) in number else at
                table[i, a] = number[at]
        return table

    def _reachable(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        found = np.zeros(len(self.position), dtype=np.bool_)
        frontier = self.starts
        while len(frontier):
            found[frontier] = True
            around = np.unique(self.neighbour[frontier[~self.ends[frontier]]])
            frontier = around[~found[around]]
        return found

    def start_probs(self) -> Array:
        """Every start cell is equally likely, [n_starts]."""
        return np.full(self.n_starts, 1 / self.n_starts)

    def initial(self, event: Array) -> GridState:
        """The start cell of that number."""
        return GridState(self.starts[event])

    def event_probs(self, state: GridState, action: Array) -> Array:
        """Turned left, straight on, turned right: [B, 3]."""
        return np.broadcast_to(self.turn, (len(action), 3))

    def transition(self, state: GridState, action: Array, event: Array) -> Step[GridState]:
        """Move, then be blown."""
        cell = self.neighbour[state.cell, (action + event - 1) % 4]
        return Step(GridState(cell), self.reward[cell], self.ends[cell])

    def observe(self, state: GridState) -> Array:
        """The number of the cell, [B]."""
        return state.cell

    def all_states(self) -> GridState:
        """Every cell that is no wall, in reading order."""
        return GridState(np.arange(len(self.position)))

    def state_names(self, state: GridState) -> tuple[str, ...]:
        """Row and column of each cell, from the top left."""
        return tuple(f"({r},{c})" for r, c in self.position[state.cell])


def frozen_lake(
    *,
    size: int = 4,
    map: str | Sequence[str] | None = None,
    slip: float = 2 / 3,
    map_seed: int | None = None,
) -> Grid:
    """Cross a frozen lake to the goal; a hole ends the episode with nothing (Gymnasium's FrozenLake).

    `map` is text, rows apart by newline or `/`. Without it sizes 4 and 8 give the well-known lakes; any
    other size, or a `map_seed`, a random lake with a way across. Raises `MapError`.
    """
    for name, given in (("size", size), ("map_seed", map_seed)):
        if given is not None and not isinstance(given, int):
            raise MapError(f"{name} must be a whole number, not {given!r}")
    if map is None:
        known = size in LAKES and map_seed is None
        map = LAKES[size] if known else _random_lake(size, seed=map_seed or 0)
    return Grid(rows_of(map), slip=slip)


def grid_world(
    *,
    map: str | Sequence[str] = FOUR_BY_THREE,
    slip: float = 0.2,
    wind: Sequence[int] | None = None,
    step_reward: float = -0.04,
    goal_reward: float = 1.0,
    pit_reward: float = -1.0,
) -> Grid:
    """A grid world of your own; by default the 4x3 world of Russell and Norvig (AIMA, section 17.1).

    `map` is text, rows apart by newline or `/`; see `Grid` for its characters and the other knobs.
    """
    return Grid(
        rows_of(map),
        slip=slip,
        wind=wind,
        step_reward=step_reward,
        goal_reward=goal_reward,
        pit_reward=pit_reward,
    )


def rows_of(map: str | Sequence[str]) -> tuple[str, ...]:
    """Rows of a map given as text or as rows."""
    rows = map.strip("\n").replace("/", "\n").splitlines() if isinstance(map, str) else map
    return tuple(rows)


def _checked(rows: Sequence[str]) -> tuple[str, ...]:
    if not rows or not rows[0]:
        raise MapError("the map is empty")
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise MapError(f"row {r} of the map has {len(row)} cells, row 0 has {len(rows[0])}")
        for c, cell in enumerate(row):
            if cell not in "#SGHF. ":
                raise MapError(f"row {r}, column {c} of the map holds {cell!r}; allowed are #SGHF. and space")
    checked = tuple(row.replace("F", FREE).replace(" ", FREE) for row in rows)
    for cell, what in ((START, "start"), (GOAL, "goal")):
        if not any(cell in row for row in checked):
            raise MapError(f"the map has no {what} ({cell})")
    return checked


def _random_lake(size: int, *, seed: int, holes: float = 0.2) -> tuple[str, ...]:
    if not 2 <= size <= LARGEST:
        raise MapError(f"size must be from 2 to {LARGEST}, not {size}")
    if seed < 0:
        raise MapError(f"map_seed must not be negative, not {seed}")
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
