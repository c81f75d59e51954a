"""What the agents reach: python -m benchmarks.learning [--task ID ...] [--agent NAME ...].

Five seeds of every task of rlkit/run/tasks.toml. Each run is kept in benchmarks/learning.json, and
docs/results.md and the results in the pages of docs/algorithms are written anew from all of them; without a
run to do the command only writes these.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from rlkit.run.benchmark import SEEDS, Run, Summary, gamma, key, runs, summaries
from rlkit.run.tasks import TABLES, Task

RECORDS = Path(__file__).with_suffix(".json")
DOCS = Path(__file__).parents[1] / "docs"
PAGES = {  # the agents of each page in docs/algorithms
    "a2c": ("a2c", "reinforce"),
    "dqn": ("dqn", "rainbow"),
    "ppo": ("ppo",),
    "pqn": ("pqn",),
    "sac": ("sac",),
}
TASKS = [task for tasks in TABLES.values() for task in tasks]
HEAD = """# Results

What the agents reach with the settings they come with (`rlkit/agents/presets.toml`), over seeds 0 to 4, by
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


def table(tasks: Iterable[Task], records: Mapping[str, Run]) -> list[str]:
    """The lines of a table of those tasks that have a run on record."""
    lines = [f"| {' | '.join(row(task, reached))} |" for task, reached in summaries(tasks, records)]
    return lines and [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *lines]


def row(task: Task, reached: Summary) -> tuple[str, ...]:
    """The cells of a task."""
    goal, *shown = (f"{x:.4g}" for x in (task.goal, reached.median, reached.worst))
    return (
        task.env_id,
        " ".join([task.agent, *(f"{k}={v}".removeprefix("backbone=") for k, v in task.options.items())]),
        f"{gamma(task):g}",
        f"{reached.steps:,}",
        goal,
        *(score if float(score) >= float(goal) else f"**{score}**" for score in shown),
        ", ".join(f"{score:.4g}" for score in reached.scores),
        f"{reached.seconds:.3g}",
    )


def write(records: Mapping[str, Run]) -> None:
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
        own = (task for task in TASKS if task.agent in agents)
        lines = ["## Results\n", RESULTS, "", *table(own, records), "", sources]
        path.write_text(before + "\n".join(lines) + after)


def main(tasks: list[Task], jobs: int, *, missing: bool = False) -> None:
    records = json.loads(RECORDS.read_text()) if RECORDS.exists() else {}
    pairs = ((task, seed) for task in tasks for seed in SEEDS)
    wanted = [(task, seed) for task, seed in pairs if not (missing and key(task, seed) in records)]
    for name, found in runs(wanted, jobs=jobs):
        records[name] = found
        print(f"{name}: {found['score']:.5g} in {found['seconds']:.3g} s", flush=True)
        RECORDS.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
    write(records)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", nargs="*", default=[], help="environment ids; without, none is run")
    parser.add_argument("--agent", nargs="*", help="only these agents")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--missing", action="store_true", help="leave out runs that are on record")
    given = parser.parse_args()
    chosen = [t for t in TASKS if t.env_id in given.task and t.agent in (given.agent or [t.agent])]
    main(chosen, given.jobs, missing=given.missing)
