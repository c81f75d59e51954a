"""Grid worlds against Gymnasium's tables, the textbook's values, and hand-made maps."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import rlkit
from rlkit.core import enumerate_model
from rlkit.core.model import inverse_cdf
from rlkit.envs import Grid, frozen_lake, grid_world
from rlkit.envs.adapters.torch import on_device
from rlkit.envs.grids.grid import KINGS
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

LEFT, DOWN, RIGHT, UP = range(4)


def outcomes(table_row: Any) -> dict[tuple[int, float, bool], float]:
    merged: dict[tuple[int, float, bool], float] = {}
    for probability, successor, reward, terminated in table_row:
        key = (successor, float(reward), bool(terminated))
        merged[key] = merged.get(key, 0.0) + probability
    return merged


def model_row(model: Any, state: int, action: int) -> list[tuple[float, int, float, bool]]:
    """A row in the form of Gymnasium's tables, read off the description event by event."""
    states = type(model.all_states())(np.array([state]))
    actions = np.array([action])
    probs = model.event_probs(states, actions)[0]
    rows = []
    for event in np.flatnonzero(probs):
        step = model.transition(states, actions, np.array([event]))
        rows.append((probs[event], int(step.state.cell[0]), step.reward[0], bool(step.terminated[0])))
    return rows


def where(model: Any, position: tuple[int, int], action: int) -> list[tuple[tuple[int, int], float]]:
    """Positions that an action leads to, and their probabilities."""
    cell = model.position.tolist().index(list(position))
    merged: dict[tuple[int, int], float] = {}
    for probability, successor, _, _ in model_row(model, cell, action):
        at = tuple(model.position[successor].tolist())
        merged[at] = merged.get(at, 0.0) + probability
    return list(merged.items())


@pytest.mark.parametrize("slippery", [True, False])
@pytest.mark.parametrize(("name", "size"), [("4x4", 4), ("8x8", 8)])
def test_frozen_lake_is_gymnasiums_entry_by_entry(name: str, size: int, slippery: bool) -> None:
    table = gym.make("FrozenLake-v1", map_name=name, is_slippery=slippery).unwrapped.P
    model = frozen_lake(size=size, slip=2 / 3 if slippery else 0.0)
    assert len(table) == model.observation_space.n
    for state, by_action in table.items():
        if model.ends[state]:
            continue
        for action, row in by_action.items():
            expected, got = outcomes(row), outcomes(model_row(model, state, action))
            assert got.keys() == expected.keys()
            assert all(abs(got[k] - p) < 1e-15 for k, p in expected.items())


@pytest.mark.parametrize("name", ["4x4", "8x8"])
def test_exact_models_of_both_lakes_agree(name: str) -> None:
    ours = enumerate_model(frozen_lake(size=int(name[0])))
    theirs = rlkit.exact("FrozenLake-v1", map_name=name)
    assert (ours.terminal == theirs.terminal).all()
    assert np.allclose(ours.matrix.toarray(), theirs.matrix.toarray(), rtol=0, atol=1e-15)
    assert np.allclose(ours.reward, theirs.reward, rtol=0, atol=1e-15)
    assert (ours.initial == theirs.initial).all()


def test_grid_world_has_the_textbook_values() -> None:
    """Russell and Norvig, figure 17.3."""
    solution = solve(rlkit.exact("rlkit/GridWorld-v0"))
    textbook = [0.812, 0.868, 0.918, 0.0, 0.762, 0.660, 0.0, 0.705, 0.655, 0.611, 0.388]
    assert np.abs(solution.value - textbook).max() < 5e-4
    assert solution.converged


def test_wind_pushes_up_from_the_column_left() -> None:
    model = grid_world(map="...\n...\nS.G", slip=0.0, wind=(1, 2, 0))
    assert where(model, (2, 0), RIGHT) == [((1, 1), 1.0)]
    assert where(model, (2, 1), RIGHT) == [((0, 2), 1.0)]
    assert where(model, (2, 1), LEFT) == [((0, 0), 1.0)]
    assert where(model, (0, 0), UP) == [((0, 0), 1.0)]


def test_gusts_vary_the_wind_where_it_blows_and_nowhere_else() -> None:
    model = Grid("...G/..../..../S...", wind=(0, 1, 2, 0), gust=2 / 3)
    blown = dict(where(model, (3, 1), RIGHT))
    assert blown == {(3, 2): pytest.approx(1 / 3), (2, 2): pytest.approx(1 / 3), (1, 2): pytest.approx(1 / 3)}
    assert dict(where(model, (3, 2), LEFT)).keys() == {(2, 1), (1, 1), (0, 1)}
    assert dict(where(model, (3, 0), UP)) == {(2, 0): pytest.approx(1)}
    assert Grid("..G/S..", gust=0.5).n_events == 1


def test_a_slip_turns_to_the_sides_or_to_any_other_move() -> None:
    open_field = "G..../...../..S../...../....."
    sides = dict(where(Grid(open_field, slip=0.4), (2, 2), UP))
    assert sides == {(1, 2): pytest.approx(0.6), (2, 1): pytest.approx(0.2), (2, 3): pytest.approx(0.2)}
    others = dict(where(Grid(open_field, slip=0.3, slip_to="others"), (2, 2), UP))
    assert others == {(1, 2): pytest.approx(0.7)} | dict.fromkeys(
        [(2, 1), (2, 3), (3, 2)], pytest.approx(0.1)
    )
    kings = Grid(open_field, moves=(*KINGS, "stay"), slip=0.4)
    turned = dict(where(kings, (2, 2), kings.action_names.index("up-left")))
    assert turned == {(1, 1): pytest.approx(0.6), (1, 2): pytest.approx(0.2), (2, 1): pytest.approx(0.2)}
    assert dict(where(kings, (2, 2), kings.action_names.index("stay"))) == {(2, 2): pytest.approx(1)}


def test_a_cliff_sends_back_and_a_pit_ends() -> None:
    model = Grid("SCG/.H./...", step_reward=-1, goal_reward=5, pit_reward=-7, cliff_reward=-100)
    start, below = 0, model.position.tolist().index([1, 0])
    assert model_row(model, start, RIGHT) == [(1.0, start, -100.0, False)]
    assert model_row(model, below, RIGHT) == [(1.0, model.position.tolist().index([1, 1]), -8.0, True)]
    assert model_row(model, start, LEFT) == [(1.0, start, -1.0, False)]


@pytest.mark.parametrize(
    "model",
    [
        frozen_lake(),
        frozen_lake(slip=1.0),
        frozen_lake(slip=0.0),
        Grid("S..G", slip=1 / 3, slip_to="others"),
        Grid("S..G/....", moves=KINGS, slip=0.1, wind=(0, 1, 1, 0), gust=0.7),
    ],
)
def test_events_are_those_of_the_inverse_distribution(model: Any) -> None:
    cumulative = np.cumsum(model.chance)
    edges = np.concatenate([cumulative, np.nextafter(cumulative, 0), np.nextafter(cumulative, 2)])
    u = np.concatenate([np.random.default_rng(0).random(500), edges[edges < 1], [0.0, 1 - 2**-53]])
    states, actions = model.initial(np.zeros(len(u), dtype=np.int64)), np.zeros(len(u), dtype=np.int64)
    expected = inverse_cdf(model.event_probs(states, actions), u)
    assert (model.sample_event(states, actions, u) == expected).all()
    starts = model.start_event(u)
    assert starts.min() >= 0
    assert starts.max() < model.n_starts


def test_observations_show_the_same_cell_three_ways() -> None:
    index, hot, whole = (
        frozen_lake(map="SFH/#CG", observation=kind, allow_unreachable=True)
        for kind in ("index", "one-hot", "grid")
    )
    states = index.all_states()
    assert index.observe(states).tolist() == [0, 1, 2, 3, 4]
    assert (hot.observe(states) == np.eye(5, dtype=np.float32)).all()
    seen = whole.observe(states)
    assert seen[0].tolist() == [[6, 1, 4], [0, 5, 3]]
    assert seen[3].tolist() == [[2, 1, 4], [0, 6, 3]]
    for model in (index, hot, whole):
        batch = model.observe(states)
        assert batch.dtype == model.observation_space.dtype
        assert all(row in model.observation_space for row in batch)


@pytest.mark.parametrize("observation", ["index", "one-hot", "grid"])
def test_torch_walks_the_same_way(observation: str) -> None:
    model = Grid("S.H./.SC./...G".replace(".S", ".."), slip=0.5, observation=observation)
    moved = on_device(model, torch.device("cpu"))
    rng = np.random.default_rng(0)
    u, actions = rng.random(64), rng.integers(4, size=64)
    ours, theirs = model.initial(model.start_event(u)), moved.initial(moved.start_event(torch.tensor(u)))
    for _ in range(10):
        event = model.sample_event(ours, actions, u)
        torch_event = moved.sample_event(theirs, torch.tensor(actions), torch.tensor(u))
        here = model.transition(ours, actions, event)
        there = moved.transition(theirs, torch.tensor(actions), torch_event)
        ours, theirs = here.state, there.state
        assert here.reward.tolist() == there.reward.tolist()
        assert here.terminated.tolist() == there.terminated.tolist()
        seen = moved.observe(theirs).numpy()
        assert (model.observe(ours) == seen).all()
        assert model.observe(ours).dtype == seen.dtype
        u = rng.random(64)


def test_a_goal_out_of_reach_may_be_allowed() -> None:
    assert solve(enumerate_model(grid_world(map="S#G", allow_unreachable=True))).initial.value == -np.inf
    assert frozen_lake(map="SHG", allow_unreachable=True).n_actions == 4


def test_named_maps_and_text() -> None:
    lava = grid_world(map="lava", slip=0.0, step_reward=0.0)
    assert lava.text(lava.initial(np.array([0]))).splitlines()[0] == "@...H..."
    assert solve(enumerate_model(lava)).initial.value == pytest.approx(1)


def test_walls_stop_and_starts_share() -> None:
    model = grid_world(map="S#G/S..", slip=0.0)
    assert model.start_probs().tolist() == [0.5, 0.5]
    assert where(model, (0, 0), RIGHT) == [((0, 0), 1.0)]
    mdp = enumerate_model(model)
    assert mdp.initial.tolist() == [0.5, 0, 0.5, 0, 0]
    assert mdp.state_names == ("(0,0)", "(0,2)", "(1,0)", "(1,1)", "(1,2)")


def test_random_lakes_are_repeatable_and_passable() -> None:
    first, again, other = (frozen_lake(size=7, map_seed=s).rows for s in (3, 3, 4))
    assert first == again != other
    assert solve(enumerate_model(frozen_lake(size=7, map_seed=3, slip=0.0))).initial.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"map": ""}, "empty"),
        ({"map": "S.\nG"}, "row 1 .* has 1 cells"),
        ({"map": "S?G"}, r"row 0, column 1 .* '\?'.* allowed"),
        ({"map": "..G"}, "no start"),
        ({"map": "S.."}, "no goal"),
        ({"map": "S#G"}, "no goal .* reached"),
        ({"map": "SHG"}, "no goal .* reached"),
        ({"slip": 1.5}, "slip must be a finite number from 0 to 1, not 1.5"),
        ({"map": ["S.", 3]}, "row 1 of the map must be text"),
        ({"map": "SSCG"}, r"cliffs \(C\) needs one start \(S\) .* not 2"),
        ({"slip": "much"}, "slip must be a finite number from 0 to 1"),
        ({"discount": 1.1}, "discount must be a finite number from 0 to 1, not 1.1"),
        ({"step_reward": float("nan")}, "step_reward must be a finite number, not nan"),
        ({"observation": "smell"}, "observation must be one of index, one-hot, grid, not 'smell'"),
        ({"allow_unreachable": 1}, "allow_unreachable must be True or False"),
        ({"wind": (0, 0.5, 0, 0)}, "wind needs one whole number >= 0"),
        ({"wind": 1}, r"wind must be a list, as in \[1, 2\], not 1"),
        ({"wind": "0,1"}, "wind must be a list"),
        ({"map": 3}, "map must be text, as in S..G/.#.H, or rows of text, not 3"),
        ({"wind": (1, 2)}, "wind needs one whole number >= 0 for each of the 4 columns"),
    ],
)
def test_bad_maps_and_options(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        grid_world(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "size must be a whole number from 2 to 2000, not 1"),
        ({"size": 0}, "size must be a whole number from 2 to 2000, not 0"),
        ({"size": 4.0}, "size must be a whole number"),
        ({"map_seed": -1}, "map_seed must be a whole number >= 0"),
        ({"map": "SG", "size": 4}, "only one of map and size"),
        ({"map": "SG", "map_seed": 1}, "only one of map and map_seed"),
    ],
)
def test_bad_lakes(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        frozen_lake(**options)
