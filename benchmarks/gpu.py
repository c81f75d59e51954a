"""Environments, training and solver sweeps on a GPU: python -m benchmarks.gpu [--out FILE].

It takes two minutes, and needs torch, numpy, gymnasium, array-api-compat, scipy and safetensors. Every rate
stands beside a floor measured on the same device in the same run: how fast memory is copied, and how fast
float32 matrices are multiplied. `--device cpu --envs 256` tries it where there is no GPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import models
from rlkit.agents import AGENTS, Agent
from rlkit.core.model import leaves
from rlkit.envs import make_torch
from rlkit.solvers.backends.gpu import backup_on

GRID, ROOMS = "rlkit/GridWorld-v0", "rlkit/FourRooms-v0"
ENVIRONMENTS = (GRID, ROOMS, "rlkit/ConnectFour-v0")
TRAINING = (
    (GRID, "mlp", 16),
    (GRID, "mlp", 1),
    (ROOMS, "cnn", 1),
    (ROOMS, "gru", 1),
    (ROOMS, "attention", 4),
)
ROWS = 32  # of a rollout


class Device:
    """What is measured on, and its floors."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wait: Callable[[], None] = torch.cuda.synchronize if name == "cuda" else lambda: None
        self.title = torch.cuda.get_device_name() if name == "cuda" else name
        side, length = (8192, 1 << 28) if name == "cuda" else (1024, 1 << 24)
        a, x = torch.rand(side, side, device=name), torch.rand(length, device=name)
        y = torch.empty_like(x)
        self.flops = 2 * side**3 * self.rate(lambda: a @ a, 1.0)
        self.bandwidth = 2 * x.nbytes * self.rate(lambda: y.copy_(x), 1.0)

    def rate(self, run: Callable[[], object], seconds: float, *, at_once: int = 4) -> float:
        """How many times a second; the clock is read when the device's queue is empty."""
        run()
        self.wait()
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            for _ in range(at_once):
                run()
            self.wait()
            count += at_once
        return count / (time.perf_counter() - begin)


def environment(device: Device, env_id: str, num_envs: int) -> tuple[str, ...]:
    """Random legal steps; the bytes of a step are the state read and written, and what is returned."""
    env: Any = make_torch(env_id, num_envs, device.name)
    obs, info = env.reset(seed=0)
    drawn = torch.rand(64, num_envs, env.single_action_space.n, device=device.name)
    turn = 0

    def step() -> None:
        nonlocal info, turn
        scores = drawn[turn % 64]
        mask = info.get("action_mask")
        *_, info = env.step((scores if mask is None else scores * mask).argmax(1))
        turn += 1

    rate = num_envs * device.rate(step, 2.0, at_once=16)
    seen = obs.values() if isinstance(obs, dict) else (obs,)
    held = sum(x.nbytes for x in leaves(env._simulation.state))
    moved = (2 * held + sum(x.nbytes for x in seen)) / num_envs + 14  # an action, a reward, two flags
    return (
        f"`{env_id}`",
        f"{num_envs:,}",
        f"{rate / 1e6:.2f} M",
        f"{moved:.0f}",
        f"{rate * moved / device.bandwidth:.1%}",
    )


def training(device: Device, name: str, env_id: str, backbone: str, num_envs: int) -> tuple[str, ...]:
    """Whole iterations, rollout and update, replayed and launched step by step.

    The operations are those of passes through the actor.
    """
    size = num_envs * ROWS

    def learning(*, capture: bool) -> tuple[Agent, float]:
        settings = {"num_envs": num_envs, "rollout_steps": ROWS, "backbone": backbone, "capture": capture}
        agent = AGENTS[name](env_id, config=AGENTS[name].Config().replace(settings), device=device.name)
        agent.train(size).train(size)  # runs, then captures
        return agent, size * device.rate(lambda: agent.train(size), 2.0, at_once=1)

    _, apart = learning(capture=False)
    agent, rate = learning(capture=True)
    config = agent.config
    obs, reset = agent.stepper.obs[:1], agent.stepper.reset[:1]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        agent.policy.scores(obs, agent.policy.initial_state(1), reset)
    passes = 2 + 3 * int(getattr(config, "epochs", 1))  # acting, values, and forwards and back in each epoch
    work = rate * passes * counter.get_total_flops()
    return (
        name,
        f"`{env_id}`",
        backbone,
        f"{num_envs:,}",
        f"{rate / 1e6:.2f} M",
        f"{rate / apart:.1f}",
        f"{work / device.flops:.1%}",
    )


def sweep(device: Device, title: str, mdp: Any) -> tuple[str, ...]:
    """Bellman backups of every state; the bytes are the model, and the values before and after."""
    backup = backup_on(device.name, mdp, 0.99)
    v = torch.zeros(mdp.n_states, dtype=torch.float64, device=device.name)
    rate = device.rate(lambda: backup(v), 2.0)
    own = (mdp.state_ptr, mdp.choice_ptr, mdp.successor, mdp.probability, mdp.reward)
    moved = sum(array.nbytes for array in own) + 2 * v.nbytes
    return title, f"{mdp.n_transitions:,}", f"{1e3 / rate:.2f}", f"{rate * moved / device.bandwidth:.1%}"


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ("---",) * len(columns), *rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--envs", type=int, default=1 << 20, help="to step; training has a 64th of them")
    options = parser.parse_args()
    device, n = Device(options.device), options.envs
    cuda = f", CUDA {torch.version.cuda}" if torch.version.cuda else ""
    text = [
        f"{device.title}, torch {torch.__version__}{cuda}: memory is copied at "
        f"{device.bandwidth / 1e9:,.0f} GB/s, float32 matrices are multiplied at "
        f"{device.flops / 1e12:.2f} TFLOP/s."
    ]
    print(text[0], flush=True)
    parts: list[tuple[tuple[str, ...], list[Callable[[], tuple[str, ...]]]]] = [
        (
            ("environment", "batch", "steps/s", "bytes a step", "of copying"),
            [lambda e=e, k=k: environment(device, e, k) for e in ENVIRONMENTS for k in (n // 64, n)],
        ),
        (
            ("agent", "environment", "backbone", "batch", "steps/s", "capture", "of multiplying"),
            [
                lambda a=a, e=e, b=b, k=k: training(device, a, e, b, max(n // 64 // k, 4))
                for e, b, k in TRAINING
                for a in ("ppo", "pqn")
            ],
        ),
        (
            ("model", "transitions", "ms a sweep", "of copying"),
            [
                lambda: sweep(device, "maze 1000x1000", models.maze(1000)),
                lambda: sweep(device, "maze 2500x2500", models.maze(2500)),
                lambda: sweep(device, "random 1e6", models.random_sparse(1_000_000)),
            ],
        ),
    ]
    for columns, makers in parts:
        rows = []
        for make in makers:
            rows.append(make())
            print(*rows[-1], sep="  ", flush=True)
        text += ["", table(columns, rows)]
    if options.out is not None:
        options.out.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
