"""Steps a second of every environment, beside its peers: python -m benchmarks.envs [--out FILE] [ID ...].

One core, random legal actions, episodes beginning anew counted in the time and not in the steps. `vector` is
the batched interface at 1,024 environments in NEXT_STEP mode, `scalar` the single one from `gymnasium.make`,
with Gymnasium's wrappers; a peer is the original environment, made the same way, in turn with ours in the
same run. Figures are medians of five rounds. `bytes` is what one environment of a batch holds. With
`--device cuda` the torch interface is measured on a GPU instead, at growing batches.
Peers come with `pip install -e .[dev]`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import rlkit  # noqa: F401  registers the ids
from rlkit.core.model import leaves
from rlkit.envs.suite import ENTRIES

ROUNDS, SECONDS, BATCH = 5, 0.2, 1024
PEERS = {
    "rlkit/FrozenLake-v0": "FrozenLake-v1",
    "rlkit/FrozenLake8x8-v0": "FrozenLake8x8-v1",
    "rlkit/CliffWalking-v0": "CliffWalking-v1",
    "rlkit/CliffWalkingSlippery-v0": "CliffWalkingSlippery-v1",
    "rlkit/Taxi-v0": "Taxi-v4",
    "rlkit/Blackjack-v0": "Blackjack-v1",
    "rlkit/Empty8x8-v0": "MiniGrid-Empty-8x8-v0",
    "rlkit/FourRooms-v0": "MiniGrid-FourRooms-v0",
    "rlkit/DoorKey5x5-v0": "MiniGrid-DoorKey-5x5-v0",
    "rlkit/DoorKey8x8-v0": "MiniGrid-DoorKey-8x8-v0",
    "rlkit/MultiRoomN2S4-v0": "MiniGrid-MultiRoom-N2-S4-v0",
    "rlkit/MultiRoomN4S5-v0": "MiniGrid-MultiRoom-N4-S5-v0",
    "rlkit/MultiRoomN6-v0": "MiniGrid-MultiRoom-N6-v0",
    "rlkit/MemoryS7-v0": "MiniGrid-MemoryS7-v0",
    "rlkit/MemoryS9-v0": "MiniGrid-MemoryS9-v0",
    "rlkit/LavaGap-v0": "MiniGrid-LavaGapS7-v0",
    "rlkit/LavaCrossing-v0": "MiniGrid-LavaCrossingS9N1-v0",
    "rlkit/DynamicObstacles-v0": "MiniGrid-Dynamic-Obstacles-8x8-v0",
}
SIZES = (1024, 16_384, 262_144)  # of a batch on a GPU


def vector_rate(env: Any, seconds: float = SECONDS) -> float:
    """Steps a second of a batch."""
    size = env.num_envs
    rng = np.random.default_rng(0)
    drawn = rng.random((64, size, getattr(env.single_action_space, "n", 1)))
    env.action_space.seed(0)
    some = [env.action_space.sample() for _ in range(64)]
    info = env.reset(seed=0)[1]
    spent, steps, turn = 0.0, 0, 0
    over = np.zeros(size, dtype=np.bool_)
    while spent < seconds:
        mask = info.get("action_mask")
        action = some[turn % 64] if mask is None else (drawn[turn % 64] * mask).argmax(axis=1)
        begin = time.perf_counter()
        _, _, terminated, truncated, info = env.step(action)
        spent += time.perf_counter() - begin
        steps += size - np.count_nonzero(over)
        over, turn = terminated | truncated, turn + 1
    return steps / spent


def scalar_rate(env: gym.Env[Any, Any], seconds: float = SECONDS) -> float:
    """Steps a second of one environment, resets counted in the time."""
    rng = np.random.default_rng(0)
    env.action_space.seed(0)
    some = [env.action_space.sample() for _ in range(1000)]
    info = env.reset(seed=0)[1]
    spent, steps = 0.0, 0
    masked = hasattr(env.unwrapped, "model") and env.unwrapped.model.masked
    while spent < seconds:
        if masked:
            action = int((rng.random(len(info["action_mask"])) * info["action_mask"]).argmax())
        else:
            action = some[steps % 1000]
        begin = time.perf_counter()
        _, _, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            info = env.reset()[1]
        spent += time.perf_counter() - begin
        steps += 1
    return steps / spent


def torch_rate(id: str, size: int, device: str, seconds: float = 2.0) -> float:
    """Steps a second of the torch interface; on a GPU the clock is read when its queue is empty."""
    import torch

    from rlkit.envs import make_torch

    env = make_torch(id, size, device)
    env.reset(seed=0)
    actions = torch.randint(env.single_action_space.n, (64, size), device=device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for turn in range(20):
        env.step(actions[turn % 64])
    wait()
    begin, steps, over = time.perf_counter(), 0, torch.zeros((), dtype=torch.int64, device=device)
    while time.perf_counter() - begin < seconds:
        for turn in range(64):
            _, _, terminated, truncated, _ = env.step(actions[turn])
            over += (terminated | truncated).sum()
        wait()
        steps += 64 * size
    return (steps - int(over)) / (time.perf_counter() - begin)


def size_of(env: Any) -> int:
    """Bytes that one environment of a batch holds: its state and its counters."""
    simulation = env.unwrapped._simulation
    return sum(x.nbytes for x in leaves(simulation.state)) // env.num_envs + 4 * 8 + 1


def row(id: str) -> str:
    """One line of the table."""
    batch = gym.make_vec(id, num_envs=BATCH, vectorization_mode="vector_entry_point")
    single = gym.make(id)
    peer = None
    if id in PEERS:
        if "MiniGrid" in PEERS[id]:
            import minigrid  # noqa: F401  registers the ids
        peer = gym.make(PEERS[id])
    vector_rate(batch, 1.0)  # after this a batch of a small model is stepped by a compiled loop
    rounds = [
        (vector_rate(batch), scalar_rate(single), scalar_rate(peer) if peer else None) for _ in range(ROUNDS)
    ]
    vector, scalar = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    cells = [f"`{id.removeprefix('rlkit/')}`", f"{vector / 1e6:.2f} M", f"{scalar / 1e3:.0f} k"]
    if peer:
        theirs = statistics.median(r[2] for r in rounds)
        ratios = [statistics.median(r[i] / r[2] for r in rounds) for i in (0, 1)]
        cells += [f"`{PEERS[id]}` {theirs / 1e3:.1f} k", f"{ratios[1]:.1f}×", f"{ratios[0]:,.0f}×"]
    else:
        cells += ["", "", ""]
    return "| " + " | ".join([*cells, f"{size_of(batch):,}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ids", nargs="*", help="environments (default: all)")
    parser.add_argument("--out", type=Path, help="write the table here as well")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the torch interface on a GPU")
    options = parser.parse_args()
    ids = options.ids or [entry.id for entry in ENTRIES if not entry.needs]
    if options.device == "cpu":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        head = "| id | vector | scalar | peer, scalar | scalar / peer | vector / peer | bytes |"
        lines = [f"{platform.machine()}, one core, {BATCH} environments", "", head, "|---" * 7 + "|"]
        print(*lines, sep="\n", flush=True)
        for id in ids:
            lines.append(row(id))
            print(lines[-1], flush=True)
    else:
        import torch

        name = torch.cuda.get_device_name() if options.device == "cuda" else options.device
        lines = [name, "", "| id |" + "".join(f" {n:,} |" for n in SIZES), "|---" * (1 + len(SIZES)) + "|"]
        print(*lines, sep="\n", flush=True)
        for id in ids:
            rates = [torch_rate(id, n, options.device) for n in SIZES]
            lines.append(f"| `{id}` |" + "".join(f" {rate / 1e6:.1f} M |" for rate in rates))
            print(lines[-1], flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
