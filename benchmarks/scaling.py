"""How the cost of learning grows, and where the time goes: python -m benchmarks.scaling [PART ...].

`growth` is environment steps a second of PPO, 8,192 steps a rollout, 4 epochs of 4 minibatches: against the
number of environments, the width of the network and the length of sequences, beside a floor of floating-point
operations; and the memory of DQN against the size of its replay, beside the bytes that have to be kept. It
draws docs/scaling.svg. `overhead` is where the time of `rlkit train` goes, and `startup` how long it takes to
show a first step. One thread where two are not named; of repeated measurements the best, since the machine
may be doing other work.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.live import Live

from benchmarks.agents import CARTPOLE, GRID, ITERATION, ROUND, floor_rate, per_second, run
from rlkit.agents import AGENTS
from rlkit.agents.ppo import PPOLearner
from rlkit.nn.policy import Policy
from rlkit.report.terminal import Terminal
from rlkit.report.terminal.live import TrainingView
from rlkit.run import train as training

PICTURE = Path(__file__).parents[1] / "docs" / "scaling.svg"
ENVS = (1, 4, 16, 64, 256, 1024, 4096)
WIDTHS = (16, 32, 64, 128, 256, 512)
LENGTHS = (8, 16, 32, 64, 128, 256, 512)
REPLAYS = (10_000, 50_000, 100_000, 200_000)
PIXELS = "rlkit/DoorKey5x5-v0"

Curve = list[tuple[int, float]]


def ppo_rate(env_id: str, repeats: int, **settings: Any) -> tuple[float, float]:
    """Steps a second of rounds that follow a first iteration, the best of them; and the floor."""
    config = AGENTS["ppo"].Config().replace({"epochs": 4, "minibatches": 4, **settings})
    agent = AGENTS["ppo"](env_id, config=config)
    agent.train(ITERATION)
    rate = max(per_second(lambda: agent.train(ROUND)) for _ in range(repeats))
    return rate, floor_rate(agent)


def curves(repeats: int) -> dict[str, dict[str, Curve]]:
    """Title of a panel -> name of a curve -> (what grows, measured)."""
    panels: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(list))

    def measure(panel: str, curve: str, x: int, env_id: str, *, floor: bool, **settings: Any) -> None:
        rate, limit = ppo_rate(env_id, repeats, **settings)
        panels[panel][curve].append((x, rate))
        if floor:
            panels[panel]["floor"].append((x, limit))
        print(f"{panel}: {curve}, {x}: {rate:,.0f} of {limit:,.0f}", flush=True)

    for n in ENVS:
        for env_id in (CARTPOLE, GRID):
            own = {"num_envs": n, "rollout_steps": ITERATION // n, "hidden": (64, 64)}
            measure("environments", env_id, n, env_id, floor=env_id == CARTPOLE, **own)
    for width in WIDTHS:
        for threads, curve in ((1, CARTPOLE), (2, "on two threads")):
            own = {"num_envs": 64, "rollout_steps": 128, "hidden": (width, width), "threads": threads}
            measure("width of both layers", curve, width, CARTPOLE, floor=threads == 1, **own)
    for length in LENGTHS:
        for backbone in ("mlp", "gru", "lstm", "attention"):
            own = {"num_envs": ITERATION // length, "rollout_steps": length, "backbone": backbone}
            measure("length of sequences", backbone, length, CARTPOLE, floor=False, **own)
    for size in REPLAYS:
        for curve, x in zip(("DQN", "floor"), replay_bytes(size), strict=True):
            panels["transitions in the replay"][curve].append((size, x / 1e6))
        print(size, *(f"{curve[-1][1]:.0f} MB" for curve in panels["transitions in the replay"].values()))
    return panels


def replay_bytes(size: int) -> tuple[int, int]:
    """Bytes that a process grows by while a replay of pictures fills, and those of what has to be kept."""
    script = f"""
import resource
from pathlib import Path
from rlkit.agents import DQN
def filled(size):
    agent = DQN({PIXELS!r}, env_kwargs={{"observation": "pixels"}}, num_envs=16, hidden=(16,),
                replay_size=size, learning_starts=10**9)
    return agent.train(size)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
filled(2_000)
before = resident()
replay = filled({size}).replay
kept = sum(x[0].nbytes for x in (replay.obs, replay.action, replay.reward, replay.discount))
print(resident() - before, kept * {size})
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    grown, kept = map(int, out.stdout.split())
    return grown, kept


def growth(repeats: int) -> list[str]:
    """Draw the curves, and the lines of their tables."""
    panels = curves(repeats)
    draw(panels)
    lines = []
    for panel, own in panels.items():
        xs = [x for x, _ in next(iter(own.values()))]
        lines += ["", f"| {panel} | {' | '.join(f'{x:,}' for x in xs)} |", "|---" * (len(xs) + 1) + "|"]
        for name, curve in own.items():
            lines.append(f"| {name} | {' | '.join(short(y) for _, y in curve)} |")
    return lines


def short(y: float) -> str:
    """Three digits."""
    return f"{y / 1e6:.3g} M" if y >= 1e6 else f"{y / 1e3:.3g} k" if y >= 1e3 else f"{y:.3g}"


def draw(panels: dict[str, dict[str, Curve]]) -> None:
    """One panel beside the other, both axes logarithmic."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, (panel, own) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for name, curve in own.items():
            style = {"color": "0.5", "linestyle": "--"} if name == "floor" else {"marker": "o"}
            axes.plot(*zip(*curve, strict=True), label=name, **style)
        axes.set_xscale("log", base=10 if "replay" in panel else 2)
        axes.set_yscale("log")
        axes.set_xlabel(panel)
        axes.set_ylabel("MB" if "replay" in panel else "environment steps a second")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig(PICTURE, metadata={"Date": None})


class Clock:
    """Seconds spent in functions, without those spent in others that are watched as well."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._nested = threading.local()  # the view draws in a thread of its own

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        outer, self._nested.seconds = getattr(self._nested, "seconds", 0.0), 0.0
        begin = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - begin
            self.spent[name] += seconds - self._nested.seconds
            self._nested.seconds = outer + seconds

    def watch(self, stack: ExitStack, owner: Any, attribute: str, name: str) -> None:
        """Count the calls of a function under a name, until the stack is closed."""
        inner = getattr(owner, attribute)

        def timed(*args: Any, **options: Any) -> Any:
            with self.part(name):
                return inner(*args, **options)

        stack.enter_context(patch.object(owner, attribute, timed))


def overhead(repeats: int) -> list[str]:
    """The parts of a training run with its folder and its view on the terminal."""
    from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

    names = ("environment", "policy", "learning", "log, view, checkpoints", "everything else")
    shares: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        clock = Clock()
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            clock.watch(stack, CartPoleVectorEnv, "step", names[0])
            clock.watch(stack, Policy, "scores", names[1])
            clock.watch(stack, PPOLearner, "batch", names[2])
            clock.watch(stack, PPOLearner, "update", names[2])
            clock.watch(stack, training._Recorder, "__call__", names[3])
            clock.watch(stack, training, "_write_config", names[3])
            clock.watch(stack, training.checkpoint, "save", names[3])
            clock.watch(stack, Live, "refresh", names[3])
            console = Terminal(file=stack.enter_context(Path("/dev/null").open("w")), force_terminal=True)
            view = stack.enter_context(TrainingView(console, title="ppo", steps=100_000))
            with clock.part(names[4]):
                training.train(CARTPOLE, steps=100_000, out=Path(folder) / "run", on_progress=view)
        total = sum(clock.spent.values())
        for name in names:
            shares[name].append(clock.spent[name] / total)
    lines = ["| part | share of the time |", "|---|---|"]
    return lines + [f"| {name} | {statistics.median(found):.1%} |" for name, found in shares.items()]


def startup(repeats: int) -> list[str]:
    """Seconds from the command to the first line that shows a step."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "cli.py", "train", "exam", "--out", f"{folder}/run"]
            begin = time.perf_counter()
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ) as process:
                assert process.stdout is not None
                next(line for line in process.stdout if line.startswith("step"))
                found.append(time.perf_counter() - begin)
                process.communicate()
    return [f"first step after {statistics.median(found):.2f} s ({min(found):.2f} to {max(found):.2f})"]


if __name__ == "__main__":
    run({"growth": growth, "overhead": overhead, "startup": startup}, __doc__)
