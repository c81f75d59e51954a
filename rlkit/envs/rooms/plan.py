"""A sheet on which a generator draws a level: walls, things, and places chosen at random."""

from collections.abc import Sequence

import numpy as np

from .codes import EMPTY, GOAL_CODE, HEADINGS, RIGHT, STEPS, WALL_CODE, code, kind_of
from .state import Level

Place = tuple[int, int]


class Plan:
    """A level in the making; places are (row, column), and all chance comes from one generator."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, *, walled: bool = True) -> None:
        self.rng, self.height, self.width = rng, height, width
        self.grid = np.full((height, width), EMPTY, dtype=np.uint8)
        self.agent: Place = (0, 0)
        self.heading = RIGHT
        if walled:
            self.room(0, 0, height, width)

    def room(self, top: int, left: int, height: int, width: int) -> None:
        """Draw the walls of a room; sizes count them."""
        self.grid[[top, top + height - 1], left : left + width] = WALL_CODE
        self.grid[top : top + height, [left, left + width - 1]] = WALL_CODE

    def put(self, at: Place, kind: int, colour: int = 0) -> None:
        """Lay a thing on a cell."""
        self.grid[at] = code(kind, colour)

    def goal(self, at: Place | None = None) -> None:
        """Put the goal there, by default in the corner at the bottom right."""
        self.grid[at or (self.height - 2, self.width - 2)] = GOAL_CODE

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def choose(self, places: Sequence[Place]) -> Place:
        """One of the places, each equally likely."""
        return places[self.between(0, len(places) - 1)]

    def colours(self, count: int) -> list[int]:
        """Different colours in random order."""
        return [int(colour) for colour in self.rng.permutation(6)[:count]]

    def free(self, rows: slice = slice(None), columns: slice = slice(None)) -> list[Place]:
        """The empty cells of a region, without the agent's."""
        inside = np.zeros_like(self.grid, dtype=np.bool_)
        inside[rows, columns] = True
        found = np.argwhere(inside & (self.grid == EMPTY)).tolist()
        return [(r, c) for r, c in found if (r, c) != self.agent]

    def enter(self, at: Place, heading: int = RIGHT) -> None:
        """Place the agent."""
        self.agent, self.heading = at, heading

    def enter_somewhere(self, rows: slice = slice(None), columns: slice = slice(None)) -> None:
        """Place the agent on an empty cell of a region, looking anywhere."""
        places = self.free(rows, columns) or [self.agent]  # in a region of one cell it can only turn
        self.enter(self.choose(places), self.between(0, len(HEADINGS) - 1))

    def kind_at(self, at: Place) -> int:
        """The kind of the thing on a cell."""
        return kind_of(int(self.grid[at]))

    def kind_ahead(self) -> int:
        """The kind of the thing in front of the agent."""
        (r, c), (dr, dc) = self.agent, STEPS[self.heading]
        return self.kind_at((r + dr, c + dc))

    def level(self) -> Level:
        """The finished level."""
        return Level(self.grid, self.agent, self.heading)
