"""What the agents reach: python -m benchmarks.learning [--task ID ...] [--agent NAME ...].

Five seeds of every task with the settings that the agents come with (rlkit/agents/presets.py) and what the
table below adds. Each run is kept in benchmarks/learning.json, and docs/results.md and the results in the
pages of docs/algorithms are written anew from all of them; without a run to do the command only writes these.
One torch thread a run.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from rlkit.agents import AGENTS, Agent, default_steps
from rlkit.evaluate import grade

SEEDS = range(5)
RECORDS = Path(__file__).with_suffix(".json")
DOCS = Path(__file__).parents[1] / "docs"
PAGES = {  # the agents of each page in docs/algorithms
    "a2c": ("a2c", "reinforce"),
    "dqn": ("dqn", "rainbow"),
    "ppo": ("ppo",),
    "pqn": ("pqn",),
    "sac": ("sac",),
}

DISCRETE = tuple(sorted(AGENTS))
BACKBONES = ("mlp", "gru", "attention")
# Percent of the optimum with memory that the best policy without it reaches (docs/environments).
MEMORYLESS = {"TMaze": 69.45, "RepeatPrevious": 0.0, "SignalFilter": 66.88, "FindTheThree": 0.0}
# What one reading says of the level changes back and forth within tenths: the network must be able to.
SHARP = {
    "hidden": (128, 128, 128),
    "init": "kaiming",
    "normalize_obs": True,
    "learning_rate": 5e-3,
    "entropy_coef": 0.1,
}

MEMORYLESS_ROOM = 0.922  # the best return known without memory in MemoryS9 (docs/environments)


@dataclass(frozen=True)
class Task:
    """One row of a table: an agent on an environment; `score` names a function below."""

    env_id: str
    agent: str
    score: str
    goal: float
    settings: dict[str, Any] = field(default_factory=dict)
    steps: int | None = None

    @property
    def key(self) -> str:
        """What tells the runs of this row from others."""
        return " ".join([self.env_id, self.agent, *(f"{k}={v}" for k, v in self.settings.items())])


def discounted(agent: Agent) -> float:
    """Percent of the optimum that the agent optimises for, computed from its greedy policy."""
    percent = grade(agent).objectives["discounted"].percent_of_optimum
    assert percent is not None
    return percent


def returns(agent: Agent) -> float:
    """Mean return of 100 greedy episodes with seeds apart from training."""
    return agent.evaluate(100).mean_return


def sampled(agent: Agent) -> float:
    """Mean return of 100 episodes with seeds apart from training, by the policy as it samples."""
    return agent.evaluate(100, stochastic=True).mean_return


def percent(agent: Agent) -> float:
    """Percent of the optimum with memory, for the greedy policy."""
    reached = grade(agent).score.percent_of_optimum
    assert reached is not None
    return reached


SCORES = {"discounted": discounted, "returns": returns, "sampled": sampled, "percent": percent}


def on_memory(name: str, backbone: str) -> Task:
    """The row of a backbone on a task that needs memory."""
    goal, settings, steps = 95.0, {"backbone": backbone}, None
    if backbone == "mlp":
        goal = MEMORYLESS[name]
    if (name, backbone) == ("SignalFilter", "mlp"):
        settings, steps = settings | SHARP, 1_920_000
    return Task(f"rlkit/{name}-v0", "ppo", "percent", goal, settings, steps)


TABLES: dict[str, tuple[Task, ...]] = {
    "Small tables: percent of the discounted optimum, exact": tuple(
        Task(env_id, agent, "discounted", 99.0)
        for env_id in ("rlkit/Exam-v0", "rlkit/FrozenLake-v0", "rlkit/CliffWalking-v0", "rlkit/Taxi-v0")
        for agent in DISCRETE
    ),
    "Classic control: mean return": (
        Task("CartPole-v1", "ppo", "returns", 495.0),
        Task("CartPole-v1", "pqn", "returns", 495.0),
        Task("CartPole-v1", "dqn", "returns", 475.0),
        Task("Acrobot-v1", "ppo", "returns", -80.0),
        Task("MountainCar-v0", "ppo", "returns", -110.0),
        Task("Pendulum-v1", "sac", "returns", -170.0),
    ),
    "Memory: percent of the optimum with memory; for mlp the goal is what is possible without": tuple(
        on_memory(name, backbone) for name in MEMORYLESS for backbone in BACKBONES
    ),
    "Rooms: mean return": (
        Task("rlkit/FourRooms-v0", "ppo", "returns", 0.9 * 0.8546),
        Task("rlkit/DoorKey8x8-v0", "ppo", "returns", 0.9 * 0.9764),
    ),
    "MiniGrid's own rooms: mean return of the policy as it samples, as rl-baselines3-zoo has it": (
        Task("minigrid:MiniGrid-FourRooms-v0", "ppo", "sampled", 0.573),
        Task("minigrid:MiniGrid-DoorKey-8x8-v0", "ppo", "sampled", 0.9 * 0.9764),
        *(
            Task(
                "minigrid:MiniGrid-MemoryS9-v0",
                "ppo",
                "sampled",
                MEMORYLESS_ROOM if backbone == "mlp" else 0.95 * 0.9842,
                {"backbone": backbone},
            )
            for backbone in BACKBONES
        ),
    ),
}


def run(task: Task, seed: int) -> dict[str, Any]:
    """One run: its score, the steps taken and the processor's seconds that training took."""
    torch.set_num_threads(1)
    algorithm = AGENTS[task.agent]
    config = algorithm.configure(task.env_id, task.settings)
    steps = task.steps or default_steps(task.agent, task.env_id)
    start = time.process_time()
    agent = algorithm(task.env_id, config=config, seed=seed).train(steps)
    seconds = time.process_time() - start
    return {"score": SCORES[task.score](agent), "steps": steps, "seconds": seconds}


HEAD = """# Results

What the agents reach with the settings they come with (`rlkit/agents/presets.py`), over seeds 0 to 4, by
greedy policies, where nothing else is said, on seeds apart from training. Reproduce the rows of a task with

```sh
python -m benchmarks.learning --task rlkit/Exam-v0
```

{versions}, one thread a run; seconds are of training alone, on two cores that did other work
as well and at times stood still, so that they are upper bounds. The settings
were chosen on some of the same seeds; a row of fewer than five is not finished. The
discounted optimum is that for the gamma of the row. Bold is below the goal.
"""
RESULTS = """Five seeds each, and what is measured depends on the task: see [results](../results.md)."""
COLUMNS = ("task", "agent", "gamma", "steps", "goal", "median", "worst", "seeds 0 to 4", "seconds")


def table(tasks: Iterable[Task], records: dict[str, dict[str, Any]]) -> list[str]:
    """The lines of a table of those tasks that have a run on record."""
    lines = []
    for task in tasks:
        runs = [records[key] for seed in SEEDS if (key := f"{task.key} seed={seed}") in records]
        if runs:
            lines.append(f"| {' | '.join(row(task, runs))} |")
    return lines and [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *lines]


def write(records: dict[str, dict[str, Any]]) -> None:
    """The page of all results, and the part of each algorithm's page on its own."""
    text = [HEAD.format(versions=f"Python {platform.python_version()}, torch {torch.__version__}")]
    for title, tasks in TABLES.items():
        if lines := table(tasks, records):
            text += [f"## {title}", "", *lines, ""]
    (DOCS / "results.md").write_text("\n".join(text))

    for name, agents in PAGES.items():
        path = DOCS / "algorithms" / f"{name}.md"
        before, _, rest = path.read_text().partition("## Results\n")
        _, sources, after = rest.partition("## Sources\n")
        assert sources, f"{path} needs the headings Results and Sources"
        own = (task for tasks in TABLES.values() for task in tasks if task.agent in agents)
        lines = ["## Results\n", RESULTS, "", *table(own, records), "", sources]
        path.write_text(before + "\n".join(lines) + after)


def row(task: Task, runs: list[dict[str, Any]]) -> tuple[str, ...]:
    """The cells of a task."""
    scores = [round(run["score"], 6) for run in runs]
    goal, *summary = (f"{x:.4g}" for x in (task.goal, statistics.median(scores), min(scores)))
    return (
        task.env_id,
        " ".join([task.agent, *(f"{k}={v}".removeprefix("backbone=") for k, v in task.settings.items())]),
        f"{AGENTS[task.agent].configure(task.env_id, task.settings).gamma:g}",
        f"{runs[0]['steps']:,}",
        goal,
        *(shown if float(shown) >= float(goal) else f"**{shown}**" for shown in summary),
        ", ".join(f"{score:.4g}" for score in scores),
        f"{statistics.median(run['seconds'] for run in runs):.3g}",
    )


def main(tasks: list[Task], jobs: int, *, missing: bool = False) -> None:
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    runs = {f"{task.key} seed={seed}": (task, seed) for task in tasks for seed in SEEDS}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        wanted = (key for key in runs if not (missing and key in records))
        futures = {pool.submit(run, *runs[key]): key for key in wanted}
        for future in as_completed(futures):
            key = futures[future]
            found = records[key] = future.result()
            print(f"{key}: {found['score']:.5g} in {found['seconds']:.3g} s", flush=True)
            RECORDS.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
    write(records)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", nargs="*", help="environment ids; without, none is run")
    parser.add_argument("--agent", nargs="*", help="only these agents")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--missing", action="store_true", help="leave out runs that are on record")
    given = parser.parse_args()
    chosen = [
        task
        for tasks in TABLES.values()
        for task in tasks
        if task.env_id in (given.task or []) and task.agent in (given.agent or [task.agent])
    ]
    main(chosen, given.jobs, missing=given.missing)
