"""What the best play is worth: published figures, shortest ways, and exact models that agree."""

from collections import deque
from itertools import product
from typing import Any

import numpy as np
import pytest
from shortest import plan

from rlkit.core import NoExactModel, enumerate_model
from rlkit.envs.rooms import tasks
from rlkit.solvers import solve


def optimum(model: Any) -> Any:
    return solve(enumerate_model(model), horizon=model.max_episode_steps).initial.value


def worth(model: Any, start: Any) -> Any:
    """MiniGrid's reward for a shortest way from that start."""
    return 1 - 0.9 * len(plan(model, start)) / model.max_episode_steps


def test_an_empty_room_takes_eleven_steps() -> None:
    assert optimum(tasks.empty()) == pytest.approx(1 - 0.9 * 11 / 256, abs=1e-12)


def test_a_compass_needs_no_turn() -> None:
    assert optimum(tasks.empty(move="compass")) == pytest.approx(1 - 0.9 * 10 / 256, abs=1e-12)


def fewest_steps(agent: Any, heading: Any, key: Any, door: Any) -> Any:
    """Of the 5 x 5 door and key, by a search written for it alone: everything lies in columns 1 to 3."""
    start = ((1, agent), heading, False, False)
    found, queue = {start}, deque([(start, 0)])
    while queue:
        (at, heading, held, opened), steps = queue.popleft()
        ahead = tuple(np.add(at, ((1, 0), (0, 1), (-1, 0), (0, -1))[heading]).tolist())
        after = [(at, (heading + turn) % 4, held, opened) for turn in (1, 3)]
        inside = 1 <= ahead[1] <= 3
        if ahead == (3, 3):
            return steps + 1
        if inside and (
            ahead[0] == 3
            or (ahead == (2, door) and opened)
            or (ahead[0] == 1 and (held or ahead != (1, key)))
        ):
            after.append((ahead, heading, held, opened))
        if ahead == (1, key):
            after.append((at, heading, True, opened))
        if ahead == (2, door) and held:
            after.append((at, heading, held, True))
        for state in after:
            if state not in found:
                found.add(state)
                queue.append((state, steps + 1))
    return None


def test_all_starts_of_the_small_door_and_key() -> None:
    pool = tasks.door_key(size=5, levels=800)
    values = [worth(pool, start) for start in range(pool.n_starts)]
    steps = [
        fewest_steps(agent, heading, key, door)
        for agent, key, heading, door in product((1, 2, 3), (1, 2, 3), range(4), (1, 2))
        if agent != key
    ]
    assert sorted(values) == pytest.approx(sorted(1 - 0.9 * n / 250 for n in steps), abs=1e-12)
    assert np.mean(values) == pytest.approx(0.9646, abs=1e-12)
    assert optimum(pool) == pytest.approx(float(values @ pool.start_probs()), abs=1e-12)


@pytest.mark.parametrize(
    ("model", "published"),
    [
        (tasks.door_key(levels=120, first_level=1000), 0.9764),
        (tasks.four_rooms(levels=120, first_level=1000), 0.8546),
    ],
)
def test_means_over_levels_are_those_published(model: Any, published: float) -> None:
    values = [worth(model, start) for start in range(model.n_starts)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - published) < 4 * error
    assert error < 0.01


@pytest.mark.parametrize(
    "model",
    [
        tasks.lava_gap(),
        tasks.memory(),
        tasks.multi_room(rooms=2, size=4, levels=10),
        tasks.unlock(levels=1, size=4),
        tasks.key_corridor(levels=1, rows=1),
        tasks.red_blue_doors(levels=2, size=4),
        tasks.push_box(levels=2, size=5, boxes=1),
        tasks.push_box(levels=1, size=5, boxes=1, move="turn"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_exact_models_agree_with_shortest_ways(model: Any) -> None:
    values = np.array([worth(model, start) for start in range(model.n_starts)])
    assert optimum(model) == pytest.approx(float(values @ model.start_probs()), abs=1e-10)


def test_a_bonus_and_slip_reach_the_exact_model() -> None:
    plain = tasks.empty(size=5, reward_decay=0.0, step_reward=-0.1)
    assert optimum(plain) == pytest.approx(1 - 0.1 * 5)
    slippery = tasks.empty(size=5, reward_decay=0.0, step_reward=-0.1, slip=0.3)
    assert optimum(slippery) < optimum(plain) - 0.1


def test_a_few_moving_balls_have_an_exact_model() -> None:
    model = tasks.dynamic_obstacles(size=5, balls=2, reward_decay=0.0)
    mdp = enumerate_model(model)
    assert 0.5 < solve(mdp, horizon=10).initial.value < solve(mdp, horizon=30).initial.value <= 1


@pytest.mark.parametrize("options", [{"balls": 2}, {"balls": 3, "reward_decay": 0.0}])
def test_what_cannot_be_exact_says_so(options: Any) -> None:
    with pytest.raises(NoExactModel, match="reward_decay=0" if options["balls"] == 2 else "at most 2"):
        enumerate_model(tasks.dynamic_obstacles(**options))
