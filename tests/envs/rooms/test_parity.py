"""Step for step the same as MiniGrid: image, direction, reward, termination and truncation."""

from __future__ import annotations

import dataclasses
from functools import cache, reduce
from typing import Any

import numpy as np
import pytest
from minigrid.wrappers import FullyObsWrapper
from minigrid_worlds import PAIRS, Record, level_of, play
from shortest import plan

from rlkit.core.model import concatenate
from rlkit.envs.rooms import Rooms, RoomState, codes

SEEDS, STEPS = 20, 80


@cache
def played(name: str) -> list[Record]:
    env = PAIRS[name][1]()
    return [play(env, seed=seed, steps=STEPS) for seed in range(SEEDS)]


def differences(model: Rooms, records: list[Record]) -> list[str]:
    """What differs when our model, on their levels, takes their actions."""
    states = [model.with_levels([r.level]).initial(np.zeros(1, dtype=np.int64)) for r in records]
    state: Any = reduce(concatenate, states)
    if hasattr(state, "balls"):
        state = dataclasses.replace(state, balls=np.array([r.balls[0] for r in records]))
    model = model.with_levels([records[0].level])
    found = unlike(model, state, records, 0)
    for t in range(max(len(r.taken) for r in records)):
        open_ = np.array([t < len(r.taken) for r in records])
        action = np.array([r.taken[t] if on else 0 for r, on in zip(records, open_, strict=True)])
        event = [
            event_of(model, r, t) if on else model.n_events - 1 for r, on in zip(records, open_, strict=True)
        ]
        step = model.transition(state, action, np.array(event))
        state = step.state
        found += unlike(model, state, records, t + 1)
        paid = model.decayed(step.reward, np.full(len(records), t + 1))
        for i in np.flatnonzero(open_):
            if paid[i] != pytest.approx(records[i].paid[t], abs=1e-12):
                found.append(f"reward {paid[i]} for {records[i].paid[t]}")
            if (bool(step.terminated[i]), t + 1 >= model.max_episode_steps) != records[i].ends[t]:
                found.append("end")
    return found


def unlike(model: Rooms, state: RoomState, records: list[Record], t: int) -> list[str]:
    ours, found = model.observe(state), []
    for i, record in enumerate(records):
        if t < len(record.seen):
            image = ours["image"][i] if isinstance(ours, dict) else ours[i]
            if not np.array_equal(image, record.seen[t]["image"]):
                found.append("image")
            if isinstance(ours, dict) and ours["direction"][i] != record.seen[t]["direction"]:
                found.append("direction")
    return found


def event_of(model: Any, record: Record, t: int) -> int:
    """The event in which every ball goes where theirs went."""
    event = 0
    for old, new in zip(record.balls[t], record.balls[t + 1], strict=True):
        event = event * 9 + model.around.tolist().index(new - old)
    return event


@pytest.mark.parametrize("name", PAIRS)
def test_same_episodes(name: Any) -> None:
    assert differences(PAIRS[name][0](levels=1, observation="partial"), played(name)) == []


UNPLANNED = (  # without a goal, with chance, or slow to search
    *("Playground", "Dynamic-Obstacles-6x6", "Dynamic-Obstacles-16x16"),
    *("KeyCorridor-S6R3", "LockedRoom"),
)


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in UNPLANNED])
def test_success_is_success_there(name: Any) -> None:
    ours, theirs = PAIRS[name]
    env, model, records = theirs(), ours(levels=1, observation="partial"), []
    for seed in range(2):
        env.reset(seed=seed)
        actions = plan(model.with_levels([level_of(env)]))
        records.append(play(env, seed=seed, steps=len(actions), plan=actions))
    assert all(r.paid[-1] > 0 for r in records)
    assert differences(model, records) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "wrapper"),
    [
        ({"view_size": 3}, {"agent_view_size": 3}, None),
        ({"view_size": 5}, {"agent_view_size": 5}, None),
        ({"view_size": 9}, {"agent_view_size": 9}, None),
        ({"see_through": True}, {"see_through_walls": True}, None),
        ({"observation": "grid"}, {}, FullyObsWrapper),
    ],
)
def test_same_views(ours: Any, theirs: Any, wrapper: Any) -> None:
    make, make_theirs = PAIRS["DoorKey-8x8"]
    env = make_theirs(**theirs) if wrapper is None else wrapper(make_theirs())
    records = [play(env, seed=seed, steps=STEPS) for seed in range(5)]
    assert differences(make(levels=1, **{"observation": "partial", **ours}), records) == []


def no_occlusion(model: Any) -> None:
    model.settings = dataclasses.replace(model.settings, see_through=True)


def no_pickup(model: Any) -> None:
    model.rules.effect[256 * 3 : 256 * 4] = 0


def firm_boxes(model: Any) -> None:
    case = 256 * 5 + np.array([codes.code(codes.BOX, colour) for colour in codes.COLOURS])
    model.rules.effect[case] = 0
    model.rules.after[case] = case - 256 * 5


def doors_stay_open(model: Any) -> None:
    for colour in codes.COLOURS:
        case = 256 * 5 + codes.code(codes.OPEN, colour)
        model.rules.after[case] = codes.code(codes.OPEN, colour)


def any_key(model: Any) -> None:
    model.rules.needs[256 * 5 : 256 * 6] = 0


def undecayed(model: Any) -> None:
    model.reward_decay = 0.0


def safe_lava(model: Any) -> None:
    model.rules.ends[:] = model.rules.pays > 0


def takeable(model: Any) -> None:
    case = 256 * 3 + np.array([codes.code(kind, codes.GREEN) for kind in (codes.KEY, codes.BALL)])
    model.rules.effect[case], model.rules.needs[case] = 2, codes.EMPTY


def harmless_crash(model: Any) -> None:
    model.rules.walks[:] = False


def later(model: Any) -> None:
    model.max_episode_steps += 1


@pytest.mark.parametrize(
    ("name", "breaking", "sign"),
    [
        ("MultiRoom-N6", no_occlusion, "image"),
        ("KeyCorridor-S3R3", no_pickup, "image"),
        ("Playground", firm_boxes, "image"),
        ("RedBlueDoors-6x6", doors_stay_open, "image"),
        ("DoorKey-5x5", any_key, "image"),
        ("Empty-Random-6x6", undecayed, "reward"),
        ("MultiRoom-N2-S4", later, "end"),
        ("LavaGap-S7", safe_lava, "end"),
        ("Memory-S7", takeable, "image"),
        ("Dynamic-Obstacles-6x6", harmless_crash, "reward"),
    ],
)
def test_a_broken_rule_shows(name: str, breaking: Any, sign: str) -> None:
    model = PAIRS[name][0](levels=1, observation="partial")
    breaking(model)
    assert any(sign in what for what in differences(model, played(name)))
