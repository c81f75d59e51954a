"""Runs of tasks over seeds, and their statistics."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from rlkit.agents import Agent, default_steps
from rlkit.evaluate import grade
from rlkit.registry import find
from rlkit.run.tasks import Task

SEEDS = range(5)
EPISODES = 100
DIGITS = 6  # of a score behind the point; what is beyond them is rounding

Run = dict[str, Any]  # score, steps, and the processor's seconds that training took


def _percent(agent: Agent, objective: str | None = None) -> float:
    graded = grade(agent)
    reached = (graded.score if objective is None else graded.objectives[objective]).percent_of_optimum
    assert reached is not None
    return reached


SCORES: Mapping[str, Callable[[Agent], float]] = {
    # percent of the optimum that the agent optimises for, computed from its greedy policy
    "discounted": lambda agent: _percent(agent, "discounted"),
    # percent of the optimum that the environment is graded by, with memory where states look alike
    "percent": _percent,
    # mean return of greedy episodes with seeds apart from training
    "return": lambda agent: agent.evaluate(EPISODES).mean_return,
    # the same by the policy as it samples
    "sampled return": lambda agent: agent.evaluate(EPISODES, stochastic=True).mean_return,
}


def gamma(task: Task) -> float:
    """The discount that the agent of a task learns with."""
    discount: float = find("agent", task.agent).configure(task.env_id, task.options).gamma
    return discount


def run(task: Task, seed: int) -> Run:
    """Train and score the agent of a task, with one torch thread."""
    import torch

    torch.set_num_threads(1)
    algorithm = find("agent", task.agent)
    config = algorithm.configure(task.env_id, task.options)
    steps = task.steps or default_steps(task.agent, task.env_id)
    start = time.process_time()
    agent = algorithm(task.env_id, config=config, seed=seed).train(steps)
    seconds = time.process_time() - start
    return {"score": SCORES[task.score](agent), "steps": steps, "seconds": seconds}


def key(task: Task, seed: int) -> str:
    """What tells a run from others."""
    return f"{task.key} seed={seed}"


def runs(wanted: Iterable[tuple[Task, int]], *, jobs: int) -> Iterator[tuple[str, Run]]:
    """The runs of tasks with seeds, `jobs` processes at once, each with its key as it ends."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(run, task, seed): key(task, seed) for task, seed in wanted}
        for future in as_completed(futures):
            yield futures[future], future.result()


@dataclass(frozen=True)
class Summary:
    """What the runs of a task reached."""

    scores: tuple[float, ...]  # by seed
    steps: int
    seconds: float  # the median

    @property
    def median(self) -> float:
        """The middle score."""
        return statistics.median(self.scores)

    @property
    def worst(self) -> float:
        """The lowest score."""
        return min(self.scores)


def summary(found: Sequence[Run]) -> Summary:
    """The statistics of runs of one task."""
    return Summary(
        scores=tuple(round(run["score"], DIGITS) for run in found),
        steps=found[0]["steps"],
        seconds=statistics.median(run["seconds"] for run in found),
    )


def summaries(tasks: Iterable[Task], records: Mapping[str, Run]) -> Iterator[tuple[Task, Summary]]:
    """The tasks that have a run on record."""
    for task in tasks:
        if found := [records[key(task, seed)] for seed in SEEDS if key(task, seed) in records]:
            yield task, summary(found)
