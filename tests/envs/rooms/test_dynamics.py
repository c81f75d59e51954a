"""Moving balls, boxes to push and doors in order, beside plain programs that do the same."""

from typing import Any

import numpy as np
import pytest

from rlkit.core.model import inverse_cdf
from rlkit.envs.rooms import Level, RoomError, codes, tasks


def plain_walk(free: Any, balls: Any, agent: Any) -> Any:
    """Chances of where balls end up that move one after the other: {cells: chance}."""
    if not balls:
        return {(): 1.0}
    (row, column), *rest = balls
    around = [
        (row + r, column + c)
        for r in (-1, 0, 1)
        for c in (-1, 0, 1)
        if (row + r, column + c) in free and (row + r, column + c) != agent
    ]
    found: dict[Any, Any] = {}
    for to in around or [(row, column)]:
        after = (free | {(row, column)}) - {to}
        for others, chance in plain_walk(after, rest, agent).items():
            found[to, *others] = found.get((to, *others), 0) + chance / max(len(around), 1)
    return found


@pytest.mark.parametrize(("size", "balls"), [(5, 2), (5, 3), (7, 3), (8, 4)])
def test_balls_go_where_they_may_and_as_often(size: int, balls: int) -> None:
    model = tasks.dynamic_obstacles(size=size, balls=balls, random_start=True)
    state = model.initial(np.arange(3))
    action = np.zeros(3, dtype=np.int64)
    probs = model.event_probs(state, action)
    for i in range(3):
        events = np.flatnonzero(probs[i])
        rows = np.full(len(events), i)
        many = type(state)(*(leaf[rows] for leaf in vars(state).values()))
        after = model.transition(many, action[[0] * len(events)], events).state
        ours = {
            tuple(divmod(int(cell), size) for cell in cells): p
            for cells, p in zip(after.balls, probs[i][events], strict=True)
        }
        empty = {divmod(int(c), size) for c in np.flatnonzero(state.grid[i, :-1] == codes.EMPTY)}
        agent = divmod(int(state.cell[i]), size)
        cells = [divmod(int(c), size) for c in state.balls[i]]
        assert ours == pytest.approx(plain_walk(empty, cells, agent))
        for row, cells in zip(after.grid, after.balls, strict=True):
            lie = np.flatnonzero((row[:-1] & 15) == codes.BALL)
            assert lie.tolist() == sorted(cells.tolist())


def cornered() -> Any:
    """Two balls where only the agent and a wall are around the first, and the second can go one way."""
    grid = np.full((4, 6), codes.WALL_CODE, dtype=np.uint8)
    grid[1, 1:5] = codes.EMPTY
    grid[1, 2] = grid[1, 3] = codes.code(codes.BALL, codes.BLUE)
    return tasks.dynamic_obstacles(size=5, balls=2).with_levels([Level(grid, (1, 1), 0)])


def test_a_ball_without_a_way_stays_and_the_next_one_still_moves() -> None:
    model = cornered()
    state = model.initial(np.zeros(5, dtype=np.int64))
    u, action = np.linspace(0, 0.999, 5), np.zeros(5, dtype=np.int64)
    event = model.sample_event(state, action, u)
    assert np.array_equal(event, inverse_cdf(model.event_probs(state, action), u))
    after = model.transition(state, action, event).state
    assert (after.balls == [8, 10]).all()


def test_events_are_those_of_the_cumulative_probabilities() -> None:
    model, rng = tasks.dynamic_obstacles(size=6, balls=3), np.random.default_rng(0)
    state = model.initial(rng.integers(model.n_starts, size=300))
    for _ in range(30):
        action, u = rng.integers(2, size=300), rng.random(300)
        event = model.sample_event(state, action, u)
        assert np.array_equal(event, inverse_cdf(model.event_probs(state, action), u))
        state = model.transition(state, action, event).state


def test_walking_into_a_ball_costs_one_whether_it_moves_away_or_not() -> None:
    model = cornered()
    state = model.initial(np.zeros(1, dtype=np.int64))
    step = model.transition(state, np.array([2]), model.sample_event(state, np.array([2]), np.zeros(1)))
    assert (step.reward.tolist(), step.terminated.tolist()) == ([-1.0], [True])
    assert model.decayed(step.reward, np.array([50])).tolist() == [-1.0]
    assert model.decayed(np.array([1.0]), np.array([model.max_episode_steps])).tolist() == pytest.approx(
        [0.1]
    )


def test_levels_with_balls_share_their_walls() -> None:
    grid = tasks.dynamic_obstacles(size=5, balls=2, levels=1).layouts[0, :-1].reshape(5, 5)
    other = grid.copy()
    other[1, 2] = codes.WALL_CODE
    with pytest.raises(RoomError, match="same walls"):
        cornered().with_levels([Level(grid, (1, 1), 0), Level(other, (1, 1), 0)])


def pushed(rows: Any, way: Any) -> Any:
    """One step of the plain game: agent @ (+ on a target), box b (* on a target), target t."""
    cells = {(r, c): sign for r, row in enumerate(rows) for c, sign in enumerate(row)}
    (r, c) = next(at for at, sign in cells.items() if sign in "@+")
    (dr, dc) = ((0, 1), (1, 0), (0, -1), (-1, 0))[way]
    ahead, beyond = (r + dr, c + dc), (r + 2 * dr, c + 2 * dc)
    if cells[ahead] in "b*":
        if cells[beyond] not in ".t":
            return rows
        cells[beyond] = {".": "b", "t": "*"}[cells[beyond]]
        cells[ahead] = {"b": ".", "*": "t"}[cells[ahead]]
    if cells[ahead] not in ".t":
        return rows
    cells[r, c] = {"@": ".", "+": "t"}[cells[r, c]]
    cells[ahead] = {".": "@", "t": "+"}[cells[ahead]]
    return ["".join(cells[r, c] for c in range(len(rows[0]))) for r in range(len(rows))]


SIGNS = {
    codes.WALL_CODE: "#",
    codes.EMPTY: ".",
    codes.code(codes.FLOOR, codes.GREEN): "t",
    codes.code(codes.BOX, codes.YELLOW): "b",
    codes.code(codes.BOX, codes.GREEN): "*",
}


def drawn(model: Any, state: Any) -> Any:
    signs = [SIGNS[int(code)] for code in state.grid[0, :-1]]
    at = int(state.cell[0])
    signs[at] = {".": "@", "t": "+"}[signs[at]]
    return ["".join(signs[r * model.width : (r + 1) * model.width]) for r in range(model.height)]


def test_boxes_move_as_in_the_plain_game() -> None:
    model, rng = tasks.push_box(levels=8), np.random.default_rng(0)
    pushes = homes = 0
    for start in range(model.n_starts):
        state = model.initial(np.array([start]))
        rows = drawn(model, state)
        for _ in range(300):
            way = int(rng.integers(4))
            step = model.transition(state, np.array([way]), np.array([0]))
            after = pushed(rows, way)
            pushes += sum(map(str.__ne__, rows, after)) > 0
            assert drawn(model, step.state) == after
            solved = not any("b" in row for row in after)
            assert (step.reward[0], step.terminated[0]) == (float(solved), solved)
            homes += "*" in "".join(after)
            if solved:
                break
            state, rows = step.state, after
    assert pushes > 300
    assert homes > 10


def test_the_blue_door_counts_only_behind_the_red_one() -> None:
    model = tasks.red_blue_doors(size=4, levels=1)
    grid = np.full((4, 8), codes.WALL_CODE, dtype=np.uint8)
    grid[1:3, 3:5] = codes.EMPTY
    grid[1, 2], grid[1, 5] = codes.code(codes.CLOSED, codes.RED), codes.code(codes.CLOSED, codes.BLUE)
    model = model.with_levels([Level(grid, (1, 3), 2)])
    toggle = np.array([5])
    state = model.initial(np.zeros(1, dtype=np.int64))
    red = model.transition(state, toggle, toggle * 0)
    assert (red.reward.tolist(), red.terminated.tolist()) == ([0.0], [False])
    for begin, reward in ((red.state, 1.0), (state, 0.0)):
        here = begin
        for action in (1, 1, 2):
            here = model.transition(here, np.array([action]), np.array([0])).state
        end = model.transition(here, toggle, toggle * 0)
        assert (end.reward.tolist(), end.terminated.tolist()) == ([reward], [True])
