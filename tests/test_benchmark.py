"""Tasks, their runs and the statistics of these."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rlkit.registry import find
from rlkit.run import benchmark
from rlkit.run.tasks import TABLES, Task

RECORDS = json.loads((Path(__file__).parents[1] / "benchmarks" / "learning.json").read_text())
TASKS = [task for tasks in TABLES.values() for task in tasks]


def test_statistics_by_hand() -> None:
    scores = [3.0, 99.99999999999999, 2.0, 4.0, 1.0]
    found = [{"score": score, "steps": 10, "seconds": 2 * score} for score in scores]
    reached = benchmark.summary(found)
    assert reached.scores == (3.0, 100.0, 2.0, 4.0, 1.0), "in the order of the seeds, without rounding errors"
    assert (reached.median, reached.worst, reached.seconds, reached.steps) == (3.0, 1.0, 6.0, 10)


def test_every_record_is_of_a_task() -> None:
    keys = [benchmark.key(task, seed) for task in TASKS for seed in benchmark.SEEDS]
    assert len(keys) == len(set(keys))
    assert set(RECORDS) <= set(keys)


def test_summaries_leave_out_what_was_not_run() -> None:
    task = Task("rlkit/Exam-v0", "ppo", "discounted", 99.0)
    one = {benchmark.key(task, 3): {"score": 1.0, "steps": 2, "seconds": 3.0}}
    ((found, reached),) = benchmark.summaries(TASKS, one)
    assert found == task
    assert reached.scores == (1.0,)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.key)
def test_tasks_name_what_there_is(task: Task) -> None:
    assert task.env_id.partition(":")[0] == "minigrid" or task.env_id in gym.registry
    assert find("agent", task.agent).name == task.agent
    assert task.score in benchmark.SCORES


@pytest.mark.parametrize("score", benchmark.SCORES)
def test_a_run_is_scored(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)  # other tests keep theirs
    options = {"hidden": (8,), "num_envs": 4, "rollout_steps": 16}
    task = Task("rlkit/Exam-v0", "ppo", score, 99.0, options, steps=64)
    first, again = benchmark.run(task, 1), benchmark.run(task, 1)
    assert first["score"] == again["score"]
    assert first["steps"] == 64
    assert first["score"] != benchmark.run(task, 2)["score"], "another seed, another agent"
