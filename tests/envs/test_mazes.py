"""Mazes are spanning trees; Wilson's are all equally likely; the optimum is the shortest way."""

from collections import Counter, deque
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from rlkit.core import enumerate_model
from rlkit.envs.grids.maze import GENERATORS, maze, maze_rows
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

TREES_OF_3_BY_3 = 192  # by Kirchhoff's theorem


def walk(rows: Any) -> Any:
    """Distance of every free cell from the start."""
    start = next((r, c) for r, row in enumerate(rows) for c, kind in enumerate(row) if kind == "S")
    distance, queue = {start: 0}, deque([start])
    while queue:
        r, c = queue.popleft()
        for at in ((r, c - 1), (r + 1, c), (r, c + 1), (r - 1, c)):
            if rows[at[0]][at[1]] != "#" and at not in distance:
                distance[at] = distance[r, c] + 1
                queue.append(at)
    return distance


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("size", [2, 3, 12])
def test_every_generator_draws_a_spanning_tree(generator: Any, size: int) -> None:
    for seed in range(5):
        passages = list(GENERATORS[generator](size, np.random.default_rng(seed)))
        assert len(passages) == size**2 - 1
        assert all(abs(r - s) + abs(c - d) == 1 for (r, c), (s, d) in passages)
        rows = maze_rows(size, GENERATORS[generator], np.random.default_rng(seed))
        assert len(walk(rows)) == 2 * size**2 - 1, "every cell and every door can be reached"


@pytest.mark.parametrize("generator", ["wilson", "kruskal", "division"])
def test_only_wilsons_mazes_are_equally_likely(generator: str) -> None:
    rng = np.random.default_rng(0)
    seen = Counter("".join(maze_rows(3, GENERATORS[generator], rng)) for _ in range(20 * TREES_OF_3_BY_3))
    counts = [*seen.values(), *[0] * (TREES_OF_3_BY_3 - len(seen))]
    assert (chisquare(counts).pvalue > 1e-3) == (generator == "wilson")


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_optimum_is_the_shortest_way(generator: Any) -> None:
    model = maze(generator=generator, size=6, seed=4, loops=0.2)
    shortest = walk(model.rows)[11, 11]
    assert solve(enumerate_model(model)).initial.value == pytest.approx(-shortest)


def test_loops_tear_down_a_share_of_the_inner_walls() -> None:
    walls = [sum(row.count("#") for row in maze(size=10, loops=loops).rows) for loops in (0.0, 0.5, 1.0)]
    inner = 2 * 10 * 9 - 99
    assert [walls[0] - w for w in walls] == [0, round(inner / 2), inner]


def test_a_seed_is_a_maze() -> None:
    assert maze(seed=3).rows == maze(seed=3).rows
    assert len({maze(seed=3, generator=g).rows for g in GENERATORS} | {maze(seed=4).rows}) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be a whole number from 2 to 500, not 0"),
        ({"generator": "ariadne"}, "generator must be one of backtracker, prim, kruskal, division, wilson"),
        ({"seed": "x"}, "seed must be a whole number >= 0, not 'x'"),
        ({"loops": 1.5}, "loops must be a finite number from 0 to 1"),
    ],
)
def test_bad_options(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        maze(**options)
