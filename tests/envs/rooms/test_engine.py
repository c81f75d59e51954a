"""Moves, slips, hands and pools of levels; the same numbers in numpy and in torch."""

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import rlkit  # noqa: F401
from rlkit.core import enumerate_model
from rlkit.core.model import leaves
from rlkit.envs.adapters.gym import time_limit
from rlkit.envs.adapters.torch import on_device
from rlkit.envs.rooms import Level, RoomError, codes, tasks
from rlkit.envs.suite import FAMILIES


def level(*rows: Any, heading: int = 0) -> Any:
    """A level from signs: # wall, @ agent, k key, L locked door, G goal, b box, t target, ~ lava."""
    signs = {
        "#": codes.WALL_CODE,
        "k": codes.code(codes.KEY, codes.YELLOW),
        "K": codes.code(codes.KEY, codes.RED),
        "L": codes.code(codes.LOCKED, codes.YELLOW),
        "G": codes.GOAL_CODE,
        "~": codes.LAVA_CODE,
        "b": codes.code(codes.BOX, codes.YELLOW),
        "o": codes.code(codes.BALL, codes.BLUE),
        "t": codes.code(codes.FLOOR, codes.GREEN),
    }
    grid = np.array([[signs.get(sign, codes.EMPTY) for sign in row] for row in rows], dtype=np.uint8)
    (at,) = np.argwhere(np.array([list(row) for row in rows]) == "@")
    return Level(grid, (int(at[0]), int(at[1])), heading)


def first(model: Any) -> Any:
    return model.initial(np.zeros(1, dtype=np.int64))


def do(model: Any, state: Any, *names: Any) -> Any:
    """The state and what the last action did."""
    for name in names:
        step = model.transition(state, np.array([model.action_names.index(name)]), np.array([0]))
        state = step.state
    return state, step


def test_compass_moves_turn_even_where_the_way_is_blocked() -> None:
    model = tasks.door_key(move="compass").with_levels([level("#####", "#@L.#", "#k.G#", "#####")])
    state = first(model)
    assert model.action_names == ("east", "south", "west", "north", "pickup", "drop", "toggle")
    state, _ = do(model, state, "south")
    assert (int(state.cell[0]), int(state.heading[0])) == (6, 1)
    state, _ = do(model, state, "pickup", "east", "toggle", "east", "east", "south")
    assert int(state.carrying[0]) == codes.code(codes.KEY, codes.YELLOW)
    assert do(model, state, "north")[1].terminated.tolist() == [False]


def test_only_the_right_key_unlocks() -> None:
    model = tasks.door_key().with_levels([level("#####", "#@KL#", "#..G#", "#####")])
    state, _ = do(model, first(model), "pickup", "forward", "toggle", "forward")
    assert int(state.cell[0]) == 7
    right = tasks.door_key().with_levels([level("#####", "#@kL#", "#..G#", "#####")])
    state, step = do(right, first(right), "pickup", "forward", "toggle", "forward", "right", "forward")
    assert step.terminated.tolist() == [True]
    assert step.reward.tolist() == [1.0]


def test_one_hand_holds_one_thing() -> None:
    model = tasks.door_key().with_levels([level("######", "#@kK.#", "#...G#", "######")])
    state, _ = do(model, first(model), "pickup", "forward", "pickup")
    assert int(state.carrying[0]) == codes.code(codes.KEY, codes.YELLOW)
    state, _ = do(model, state, "drop")
    assert int(state.carrying[0]) == codes.code(codes.KEY, codes.YELLOW)
    state, _ = do(model, state, "left", "left", "drop")
    assert int(state.carrying[0]) == codes.EMPTY
    assert int(state.grid[0, 7]) == codes.code(codes.KEY, codes.YELLOW)


def test_states_given_are_left_as_they_are() -> None:
    model = tasks.key_corridor(levels=4)
    state = model.initial(np.arange(4))
    before = [leaf.copy() for leaf in leaves(state)]
    for action in range(model.n_actions):
        model.transition(state, np.full(4, action), np.zeros(4, dtype=np.int64))
        model.observe(state)
    assert all(np.array_equal(a, b) for a, b in zip(before, leaves(state), strict=True))


@pytest.mark.parametrize("move", ["turn", "compass"])
def test_slips_are_other_moves_each_as_likely(move: str) -> None:
    model, moves = tasks.door_key(move=move, slip=0.3), {"turn": 3, "compass": 4}[move]
    state = model.initial(np.zeros(model.n_actions, dtype=np.int64))
    action = np.arange(model.n_actions)
    probs = model.event_probs(state, action)
    sharp = tasks.door_key(move=move)
    for a in range(model.n_actions):
        became = [
            next(
                b
                for b in range(model.n_actions)
                if _same(model, sharp, a, b, event) and (b < moves or a == b)
            )
            for event in np.flatnonzero(probs[a])
        ]
        chances = dict(zip(became, probs[a][probs[a] > 0], strict=True))
        others = {b: 0.3 / (moves - 1) for b in range(moves) if b != a}
        assert chances == pytest.approx({a: 0.7} | others if a < moves else {a: 1.0})


def _same(model: Any, sharp: Any, a: Any, b: Any, event: Any) -> Any:
    """Whether a slipped action does everywhere what another action does without slip."""
    state = model.initial(np.arange(model.n_starts))
    n = model.n_starts
    x = model.transition(state, np.full(n, a), np.full(n, event)).state
    y = sharp.transition(state, np.full(n, b), np.zeros(n, dtype=np.int64)).state
    return all(np.array_equal(p, q) for p, q in zip(leaves(x), leaves(y), strict=True))


def test_equal_levels_are_one_start() -> None:
    model = tasks.empty(levels=50)
    assert model.n_starts == 1
    model = tasks.lava_gap(levels=400)
    assert model.n_starts == 15
    assert model.start_probs().sum() == pytest.approx(1)
    assert np.ptp(model.start_probs()) > 0
    assert tasks.four_rooms(levels=1).n_starts == 1


def test_levels_of_ones_own() -> None:
    model = tasks.crossing().with_levels([level("####", "#@~#", "#.G#", "####")])
    _, step = do(model, first(model), "forward")
    assert (step.reward.tolist(), step.terminated.tolist()) == ([0.0], [True])
    assert model.observation_space["image"].shape == (7, 7, 16)


@pytest.mark.parametrize(
    ("levels", "what"),
    [
        ([], "at least one"),
        ([level("####", "#@.#", "####"), level("####", "#@.#", "#..#", "####")], "one size"),
        ([Level(level("####", "#@.#", "####").grid, (0, 1), 0)], "outermost"),
    ],
)
def test_levels_that_cannot_be_played(levels: Any, what: str) -> None:
    with pytest.raises(RoomError, match=what):
        tasks.empty().with_levels(levels)


def test_step_reward_and_decay() -> None:
    model = tasks.empty(step_reward=-0.25, reward_decay=0.5)
    _, step = do(model, first(model), "forward")
    assert step.reward.tolist() == [-0.25]
    assert model.decayed(np.array([1.0]), np.array([128])).tolist() == [0.75]


def test_time_limits_follow_the_options() -> None:
    """A limit of its own for each size, in every interface, and no reward ever below what it decays to."""
    assert all(entry.max_episode_steps is None for entry in FAMILIES["rooms"])
    assert time_limit(gym.make("rlkit/Empty8x8-v0")) == 256
    assert time_limit(gym.make("rlkit/Empty8x8-v0", max_episode_steps=7)) == 7
    env = gym.make("rlkit/Empty8x8-v0", size=5)
    batch = gym.make_vec("rlkit/Empty8x8-v0", 2, vectorization_mode="vector_entry_point", size=5)
    assert time_limit(env) == batch.unwrapped.max_episode_steps == 100
    env.reset(seed=0)
    batch.reset(seed=0)
    for t in range(100):
        truncated = env.step(0)[3]
        assert truncated == (t == 99)
        assert (batch.step(np.zeros(2, dtype=np.int64))[3] == truncated).all()


def test_nothing_is_left_of_a_reward_after_the_limit() -> None:
    mdp = enumerate_model(tasks.empty(size=5))
    assert mdp.reward_scale(100) == pytest.approx(0.1)
    assert mdp.reward_scale(1000) == 0


VARIANTS = [
    ("empty", {}),
    ("door_key", {"slip": 0.2}),
    ("key_corridor", {"observation": "one-hot"}),
    ("key_corridor", {"observation": "pixels", "view_size": 5}),
    ("locked_room", {"observation": "grid", "levels": 5}),
    ("door_key", {"observation": "grid-one-hot"}),
    ("memory", {"view_size": 9, "size": 13}),
    ("red_blue_doors", {"move": "compass"}),
    ("dynamic_obstacles", {}),
    ("dynamic_obstacles", {"size": 5, "balls": 3}),
    ("push_box", {"slip": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_numpy_and_torch_agree(name: Any, options: Any) -> None:
    model = getattr(tasks, name)(**options)
    twin = on_device(model, torch.device("cpu"))
    rng, batch = np.random.default_rng(0), 64
    u = rng.random(batch)
    state = model.initial(model.start_event(u))
    other = twin.initial(twin.start_event(torch.tensor(u)))
    for t in range(40):
        action, u = rng.integers(model.n_actions, size=batch), rng.random(batch)
        a, v = torch.tensor(action), torch.tensor(u)
        event, same = model.sample_event(state, action, u), twin.sample_event(other, a, v)
        assert np.array_equal(event, same.numpy())
        if t < 2:
            assert np.array_equal(model.event_probs(state, action), twin.event_probs(other, a).numpy())
        step, twin_step = model.transition(state, action, event), twin.transition(other, a, same)
        state, other = step.state, twin_step.state
        pairs = [*zip(leaves(state), leaves(other), strict=True)]
        pairs += [(step.reward, twin_step.reward), (step.terminated, twin_step.terminated)]
        seen, seen_there = model.observe(state), twin.observe(other)
        if not isinstance(seen, dict):
            seen, seen_there = {"": seen}, {"": seen_there}
        pairs += [(seen[key], seen_there[key]) for key in seen]
        for x, y in pairs:
            assert np.array_equal(x, y.numpy())
            assert x.dtype == y.numpy().dtype


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_observations_lie_in_their_space(name: Any, options: Any) -> None:
    model = getattr(tasks, name)(**options)
    state = model.initial(np.zeros(1, dtype=np.int64))
    seen = model.observe(state)
    one = {k: v[0] for k, v in seen.items()} if isinstance(seen, dict) else seen[0]
    assert model.observation_space.contains(one)


def test_states_are_small() -> None:
    state = tasks.key_corridor().initial(np.zeros(1, dtype=np.int64))
    assert [leaf.dtype.name for leaf in leaves(state)] == ["uint8", "int64", "int64", "uint8"]
    assert dataclasses.is_dataclass(state)


KINDS = ("empty", "wall", "open", "closed", "locked", "key", "ball", "box", "goal", "lava")
AS_MINIGRID = {  # kind: type and state of the numbers
    **{"empty": (1, 0), "wall": (2, 0), "open": (4, 0), "closed": (4, 1), "locked": (4, 2), "key": (5, 0)},
    **{"ball": (6, 0), "box": (7, 0), "goal": (8, 0), "lava": (9, 0)},
}


def test_indicators_say_what_the_numbers_say() -> None:
    numbers, ones = (tasks.key_corridor(observation=kind) for kind in ("partial", "one-hot"))
    state = numbers.initial(np.arange(60))
    seen, image = numbers.observe(state)["image"], ones.observe(state)["image"]
    assert image.shape == (60, 7, 7, 16)
    blind = seen[..., 0] == 0
    assert (image[blind] == 0).all()
    assert (image[~blind][:, :10].sum(-1) == 1).all()
    for (type, colour, opening), found in zip(seen[~blind], image[~blind], strict=True):
        kind = KINDS[int(found[:10].argmax())]
        assert AS_MINIGRID[kind] == (type, opening)
        assert found[10:].tolist() == [int(kind != "empty" and c == colour) for c in range(6)]


def test_the_whole_map_as_indicators_shows_the_agent() -> None:
    model = tasks.door_key(observation="grid-one-hot")
    state = model.initial(np.arange(20))
    image = model.observe(state)
    row, column = np.divmod(state.cell, 8)
    agent = image[..., 16:]
    assert (agent.sum((1, 2, 3)) == 1).all()
    assert (agent[np.arange(20), column, row, state.heading] == 1).all()
