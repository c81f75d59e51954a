"""Mazes: five ways to draw a random spanning tree of a square of cells, and the grid world it makes."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from ..options import number, one_of, whole
from .grid import Grid
from .maps import FREE, GOAL, START, WALL

Cell = tuple[int, int]
Passage = tuple[Cell, Cell]  # two neighbours without a wall between them
Generator = Callable[[int, np.random.Generator], Iterator[Passage]]

LARGEST = 500  # cells a side


def maze(
    *,
    size: int = 8,
    generator: str = "backtracker",
    seed: int = 0,
    slip: float = 0.0,
    loops: float = 0.0,
    step_reward: float = -1.0,
    goal_reward: float = 0.0,
    observation: str = "index",
) -> Grid:
    """Walk through a random maze from its upper left to its lower right corner, at -1 a step.

    The maze has `size` x `size` cells, which lie at odd rows and columns of the map. `generator` is
    backtracker (long corridors), prim (many short dead ends), kruskal, division (straight walls) or wilson
    (every maze equally likely). `loops` is the share of the inner walls that are then torn down. The same
    seed gives the same maze. Raises `OptionError`.
    """
    whole("size", size, 2, LARGEST)
    carve = GENERATORS[one_of("generator", generator, GENERATORS)]
    rng = np.random.default_rng(whole("seed", seed, 0))
    return Grid(
        maze_rows(size, carve, rng, loops=number("loops", loops, 0, 1)),
        slip=slip,
        step_reward=step_reward,
        goal_reward=goal_reward,
        observation=observation,
    )


def maze_rows(size: int, carve: Generator, rng: np.random.Generator, *, loops: float = 0.0) -> list[str]:
    """The map of a maze, 2 size + 1 rows; the wall between cells a and b is at a + b + 1."""
    cells = np.full((2 * size + 1, 2 * size + 1), WALL)
    cells[1::2, 1::2] = FREE
    for (r, c), (s, d) in carve(size, rng):
        cells[r + s + 1, c + d + 1] = FREE
    inner = np.array([(r + s + 1, c + d + 1) for (r, c), (s, d) in _pairs(size)])
    closed = inner[cells[inner[:, 0], inner[:, 1]] == WALL]
    torn = rng.permutation(closed)[: round(loops * len(closed))]
    cells[torn[:, 0], torn[:, 1]] = FREE
    cells[1, 1], cells[-2, -2] = START, GOAL
    return ["".join(row) for row in cells]


def _beside(cell: Cell, size: int) -> list[Cell]:
    r, c = cell
    around = ((r, c - 1), (r + 1, c), (r, c + 1), (r - 1, c))
    return [(s, d) for s, d in around if 0 <= s < size and 0 <= d < size]


def _pairs(size: int) -> list[Passage]:
    """All pairs of neighbours."""
    cells = [(r, c) for r in range(size) for c in range(size)]
    return [(cell, other) for cell in cells for other in _beside(cell, size) if cell < other]


def backtracker(size: int, rng: np.random.Generator) -> Iterator[Passage]:
    """Walk at random into unseen cells; where there is none, go back."""
    path, seen = [(0, 0)], {(0, 0)}
    while path:
        unseen = [cell for cell in _beside(path[-1], size) if cell not in seen]
        if not unseen:
            path.pop()
            continue
        cell = unseen[rng.integers(len(unseen))]
        yield path[-1], cell
        path.append(cell)
        seen.add(cell)


def prim(size: int, rng: np.random.Generator) -> Iterator[Passage]:
    """Let the maze grow by a random passage out of it (Prim's algorithm, the next edge drawn by lot)."""
    seen = {(0, 0)}
    edges = [((0, 0), cell) for cell in _beside((0, 0), size)]
    while edges:
        chosen = int(rng.integers(len(edges)))
        edges[chosen], edges[-1] = edges[-1], edges[chosen]
        cell, new = edges.pop()
        if new not in seen:
            yield cell, new
            seen.add(new)
            edges += [(new, other) for other in _beside(new, size) if other not in seen]


def kruskal(size: int, rng: np.random.Generator) -> Iterator[Passage]:
    """Open walls in random order wherever they part what is not yet joined (Kruskal's algorithm)."""
    joined = {(r, c): (r, c) for r in range(size) for c in range(size)}

    def root(cell: Cell) -> Cell:
        while joined[cell] != cell:
            joined[cell] = joined[joined[cell]]
            cell = joined[cell]
        return cell

    pairs = _pairs(size)
    for i in rng.permutation(len(pairs)):
        cell, other = pairs[i]
        if root(cell) != root(other):
            joined[root(cell)] = root(other)
            yield cell, other


def division(size: int, rng: np.random.Generator) -> Iterator[Passage]:
    """Part a chamber by a straight wall with one door, then each of its halves, across its longer side."""
    chambers = [(0, 0, size, size)]  # first row and column, rows, columns
    while chambers:
        top, left, rows, columns = chambers.pop()
        if rows == columns == 1:
            continue
        if rows > columns or (rows == columns and rng.random() < 0.5):
            wall, door = top + int(rng.integers(1, rows)), left + int(rng.integers(columns))
            yield (wall - 1, door), (wall, door)
            chambers += [(top, left, wall - top, columns), (wall, left, top + rows - wall, columns)]
        else:
            wall, door = left + int(rng.integers(1, columns)), top + int(rng.integers(rows))
            yield (door, wall - 1), (door, wall)
            chambers += [(top, left, rows, wall - left), (top, wall, rows, left + columns - wall)]


def wilson(size: int, rng: np.random.Generator) -> Iterator[Passage]:
    """Join each cell by a random walk whose loops are erased: a uniform spanning tree (Wilson 1996)."""
    seen = {(0, 0)}
    for first in ((r, c) for r in range(size) for c in range(size)):
        path, place = [first], {first: 0}
        while path[-1] not in seen:
            around = _beside(path[-1], size)
            cell = around[rng.integers(len(around))]
            if cell in place:
                for erased in path[place[cell] + 1 :]:
                    del place[erased]
                del path[place[cell] + 1 :]
            else:
                place[cell] = len(path)
                path.append(cell)
        yield from pairwise(path)
        seen.update(path)


GENERATORS: dict[str, Generator] = {
    "backtracker": backtracker,
    "prim": prim,
    "kruskal": kruskal,
    "division": division,
    "wilson": wilson,
}
