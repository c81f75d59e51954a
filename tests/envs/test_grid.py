"""Grid worlds against Gymnasium's tables, the textbook's values, and hand-made maps."""

import gymnasium as gym
import numpy as np
import pytest

import rlkit
from rlkit.core import enumerate_model
from rlkit.envs import frozen_lake, grid_world
from rlkit.envs.knobs import KnobError
from rlkit.solvers import solve

LEFT, DOWN, RIGHT, UP = range(4)


def outcomes(table_row) -> dict[tuple[int, float, bool], float]:
    merged: dict[tuple[int, float, bool], float] = {}
    for probability, successor, reward, terminated in table_row:
        key = (successor, float(reward), bool(terminated))
        merged[key] = merged.get(key, 0.0) + probability
    return merged


def model_row(model, state: int, action: int) -> list[tuple[float, int, float, bool]]:
    """A row in the form of Gymnasium's tables, read off the description event by event."""
    states = type(model.all_states())(np.array([state]))
    actions = np.array([action])
    probs = model.event_probs(states, actions)[0]
    rows = []
    for event in np.flatnonzero(probs):
        step = model.transition(states, actions, np.array([event]))
        rows.append((probs[event], int(step.state.cell[0]), step.reward[0], bool(step.terminated[0])))
    return rows


def where(model, position: tuple[int, int], action: int) -> list[tuple[tuple[int, int], float]]:
    """Positions that an action leads to, and their probabilities."""
    cell = model.position.tolist().index(list(position))
    merged: dict[tuple[int, int], float] = {}
    for probability, successor, _, _ in model_row(model, cell, action):
        at = tuple(model.position[successor].tolist())
        merged[at] = merged.get(at, 0.0) + probability
    return list(merged.items())


@pytest.mark.parametrize("slippery", [True, False])
@pytest.mark.parametrize(("name", "size"), [("4x4", 4), ("8x8", 8)])
def test_frozen_lake_is_gymnasiums_entry_by_entry(name, size, slippery):
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
def test_exact_models_of_both_lakes_agree(name):
    ours = enumerate_model(frozen_lake(size=int(name[0])))
    theirs = rlkit.exact("FrozenLake-v1", map_name=name)
    assert (ours.terminal == theirs.terminal).all()
    assert np.allclose(ours.matrix.toarray(), theirs.matrix.toarray(), rtol=0, atol=1e-15)
    assert np.allclose(ours.reward, theirs.reward, rtol=0, atol=1e-15)
    assert (ours.initial == theirs.initial).all()


def test_grid_world_has_the_textbook_values():
    """Russell and Norvig, figure 17.3."""
    solution = solve(rlkit.exact("rlkit/GridWorld-v0"))
    textbook = [0.812, 0.868, 0.918, 0.0, 0.762, 0.660, 0.0, 0.705, 0.655, 0.611, 0.388]
    assert np.abs(solution.value - textbook).max() < 5e-4
    assert solution.converged


def test_wind_pushes_up_from_the_column_left():
    model = grid_world(map="...\n...\nS.G", slip=0.0, wind=(1, 2, 0))
    assert where(model, (2, 0), RIGHT) == [((1, 1), 1.0)]
    assert where(model, (2, 1), RIGHT) == [((0, 2), 1.0)]
    assert where(model, (2, 1), LEFT) == [((0, 0), 1.0)]
    assert where(model, (0, 0), UP) == [((0, 0), 1.0)]


def test_walls_stop_and_starts_share():
    model = grid_world(map="S#G/S..", slip=0.0)
    assert model.start_probs().tolist() == [0.5, 0.5]
    assert where(model, (0, 0), RIGHT) == [((0, 0), 1.0)]
    mdp = enumerate_model(model)
    assert mdp.initial.tolist() == [0.5, 0, 0.5, 0, 0]
    assert mdp.state_names == ("(0,0)", "(0,2)", "(1,0)", "(1,1)", "(1,2)")


def test_random_lakes_are_repeatable_and_passable():
    first, again, other = (frozen_lake(size=7, map_seed=s).rows for s in (3, 3, 4))
    assert first == again != other
    assert solve(enumerate_model(frozen_lake(size=7, map_seed=3, slip=0.0))).initial.value == pytest.approx(1)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"map": ""}, "empty"),
        ({"map": "S.\nG"}, "row 1 .* has 1 cells"),
        ({"map": "S?G"}, r"row 0, column 1 .* '\?'.* allowed"),
        ({"map": "..G"}, "no start"),
        ({"map": "S.."}, "no goal"),
        ({"map": "S#G"}, "no goal .* reached"),
        ({"map": "SHG"}, "no goal .* reached"),
        ({"slip": 1.5}, "slip must be a finite number from 0 to 1, not 1.5"),
        ({"wind": (1, 2)}, "wind needs one whole number >= 0 for each of the 4 columns"),
    ],
)
def test_bad_maps_and_knobs(knobs, message):
    with pytest.raises(KnobError, match=message):
        grid_world(**knobs)


def test_lake_too_small():
    with pytest.raises(KnobError, match="size must be a whole number from 2 to 2000"):
        frozen_lake(size=1)
