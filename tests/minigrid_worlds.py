"""MiniGrid's environments beside ours: the same levels, and what theirs does step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.envs import (
    CrossingEnv,
    DoorKeyEnv,
    DynamicObstaclesEnv,
    EmptyEnv,
    FourRoomsEnv,
    KeyCorridorEnv,
    LavaGapEnv,
    LockedRoomEnv,
    MemoryEnv,
    MultiRoomEnv,
    PlaygroundEnv,
    RedBlueDoorEnv,
    UnlockEnv,
)

from rlkit.envs.rooms import Level, codes, tasks

PAIRS: dict[str, tuple[Any, Any]] = {  # ours, with one level, and theirs
    "Empty-8x8": (lambda **k: tasks.empty(**k), lambda **k: EmptyEnv(**k)),
    "Empty-Random-6x6": (
        lambda **k: tasks.empty(size=6, random_start=True, **k),
        lambda **k: EmptyEnv(size=6, agent_start_pos=None, **k),
    ),
    "FourRooms": (lambda **k: tasks.four_rooms(**k), lambda **k: FourRoomsEnv(**k)),
    "DoorKey-5x5": (lambda **k: tasks.door_key(size=5, **k), lambda **k: DoorKeyEnv(size=5, **k)),
    "DoorKey-8x8": (lambda **k: tasks.door_key(size=8, **k), lambda **k: DoorKeyEnv(size=8, **k)),
    "MultiRoom-N2-S4": (
        lambda **k: tasks.multi_room(rooms=2, size=4, **k),
        lambda **k: MultiRoomEnv(2, 2, 4, **k),
    ),
    "MultiRoom-N6": (lambda **k: tasks.multi_room(rooms=6, **k), lambda **k: MultiRoomEnv(6, 6, **k)),
    "LavaCrossing-S9N2": (
        lambda **k: tasks.crossing(crossings=2, **k),
        lambda **k: CrossingEnv(num_crossings=2, **k),
    ),
    "SimpleCrossing-S11N5": (
        lambda **k: tasks.crossing(size=11, crossings=5, obstacle="wall", **k),
        lambda **k: CrossingEnv(size=11, num_crossings=5, obstacle_type="wall", **k),
    ),
    "LavaGap-S7": (lambda **k: tasks.lava_gap(**k), lambda **k: LavaGapEnv(size=7, **k)),
    "Memory-S7": (lambda **k: tasks.memory(**k), lambda **k: MemoryEnv(size=7, **k)),
    "Memory-S13Random": (
        lambda **k: tasks.memory(size=13, random_length=True, **k),
        lambda **k: MemoryEnv(size=13, random_length=True, **k),
    ),
    "Unlock": (lambda **k: tasks.unlock(**k), lambda **k: UnlockEnv(**k)),
    "KeyCorridor-S3R3": (
        lambda **k: tasks.key_corridor(**k),
        lambda **k: KeyCorridorEnv(room_size=3, **k),
    ),
    "KeyCorridor-S6R3": (lambda **k: tasks.key_corridor(size=6, **k), lambda **k: KeyCorridorEnv(**k)),
    "LockedRoom": (lambda **k: tasks.locked_room(**k), lambda **k: LockedRoomEnv(**k)),
    "Playground": (
        lambda **k: tasks.door_key(size=5, **k),
        lambda **k: PlaygroundEnv(max_steps=250, **k),
    ),
    "RedBlueDoors-6x6": (
        lambda **k: tasks.red_blue_doors(size=6, **k),
        lambda **k: RedBlueDoorEnv(size=6, **k),
    ),
    "Dynamic-Obstacles-6x6": (
        lambda **k: tasks.dynamic_obstacles(size=6, balls=3, **k),
        lambda **k: DynamicObstaclesEnv(size=6, n_obstacles=3, **k),
    ),
    "Dynamic-Obstacles-16x16": (
        lambda **k: tasks.dynamic_obstacles(size=16, balls=8, **k),
        lambda **k: DynamicObstaclesEnv(size=16, n_obstacles=8, **k),
    ),
}

KIND = {name: OBJECT_TO_IDX[name] for name in ("wall", "floor", "key", "ball", "box", "goal", "lava")}
DOOR = {(True, False): codes.OPEN, (False, False): codes.CLOSED, (False, True): codes.LOCKED}


def code_of(thing: Any) -> int:
    """Our code of a thing of theirs."""
    if thing is None:
        return codes.EMPTY
    kind = DOOR[thing.is_open, thing.is_locked] if thing.type == "door" else KIND[thing.type]
    return codes.code(kind, COLOR_TO_IDX[thing.color])


def level_of(env: Any) -> Level:
    """Our level of their environment as it stands."""
    grid = np.array([code_of(thing) for thing in env.grid.grid], dtype=np.uint8)
    grid = grid.reshape(env.height, env.width)
    if isinstance(env, MemoryEnv):
        for (x, y), kind in ((env.success_pos, codes.PRIZE), (env.failure_pos, codes.TRAP)):
            grid[y, x] = codes.code(kind)
    x, y = (int(place) for place in env.agent_pos)
    return Level(grid, (y, x), int(env.agent_dir))


def balls_of(env: Any) -> list[int]:
    """Cells of the obstacles, in the order in which they move."""
    balls = getattr(env, "obstacles", [])
    return [int(ball.cur_pos[1]) * env.width + int(ball.cur_pos[0]) for ball in balls]


@dataclass
class Record:
    """What happened in one of their episodes; entry 0 of `seen` and `balls` is from before the first step."""

    level: Level
    balls: list[list[int]]
    seen: list[dict[str, Any]]
    taken: list[int] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)
    ends: list[tuple[bool, bool]] = field(default_factory=list)  # terminated, truncated


def play(env: Any, *, seed: int, steps: int, plan: Sequence[int] = ()) -> Record:
    """An episode of theirs, or its first steps: those of a plan, then random ones."""
    rng, inside = np.random.default_rng(seed), env.unwrapped
    seen, _ = env.reset(seed=seed)
    record = Record(level_of(inside), [balls_of(inside)], [seen])
    for t in range(steps):
        action = plan[t] if t < len(plan) else eager(inside, rng, int(env.action_space.n))
        seen, reward, terminated, truncated, _ = env.step(action)
        record.taken.append(action)
        record.balls.append(balls_of(inside))
        record.seen.append(seen)
        record.paid.append(float(reward))
        record.ends.append((terminated, truncated))
        if terminated or truncated:
            break
    return record


def eager(env: Any, rng: np.random.Generator, n_actions: int) -> int:
    """A random action, often one that makes something happen, seldom one that is a crash."""
    ahead = env.grid.get(*env.front_pos)
    something = ahead is not None and ahead.type not in ("wall", "goal")
    if something and n_actions > 3 and rng.random() < 0.6:
        return int(rng.choice([2, 3, 5]))
    if rng.random() < 0.4 and (n_actions > 3 or ahead is None or ahead.type == "goal"):
        return 2
    return int(rng.integers(n_actions if n_actions > 3 or rng.random() < 0.02 else 2))
