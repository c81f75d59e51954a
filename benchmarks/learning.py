"""What the agents reach with their default settings: python -m benchmarks.learning [--out FILE].

Five seeds each; where the environment has an exact model the score is computed from the policy, elsewhere
it is the mean of 100 greedy episodes with seeds apart from those of training. One torch thread.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path

import torch

from rlkit.agents import default_steps
from rlkit.evaluate import grade
from rlkit.train import train

SEEDS = range(5)
TASKS = (
    ("rlkit/Exam-v0", "ppo"),
    ("rlkit/Exam-v0", "dqn"),
    ("FrozenLake-v1", "ppo"),
    ("FrozenLake-v1", "dqn"),
    ("CartPole-v1", "ppo"),
    ("CartPole-v1", "dqn"),
)


def run(env_id: str, agent: str, seed: int) -> tuple[float, float]:
    """The score of one run, and the seconds that training took."""
    start = time.perf_counter()
    trained = train(env_id, agent=agent, steps=default_steps(agent, env_id), seed=seed)
    seconds = time.perf_counter() - start
    if env_id == "CartPole-v1":
        return trained.evaluate(100).mean_return, seconds
    exact = grade(trained).exact
    return (exact.percent_of_optimum if env_id == "rlkit/Exam-v0" else exact.value), seconds


def main(out: Path | None) -> None:
    what = {
        "rlkit/Exam-v0": "% of optimum, unlimited, exact",
        "FrozenLake-v1": "success within 100 steps, exact (optimum 0.7442, best stationary 0.7402)",
        "CartPole-v1": "mean return of 100 episodes (limit 500)",
    }
    lines = [
        f"Python {platform.python_version()}, torch {torch.__version__}, one thread.",
        "",
        "| task | agent | steps | score | median | worst | seeds 0 to 4 | seconds, median |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for env_id, agent in TASKS:
        runs = [run(env_id, agent, seed) for seed in SEEDS]
        scores, seconds = zip(*runs, strict=True)
        cells = [env_id, agent, f"{default_steps(agent, env_id):,}", what[env_id]]
        cells += [f"{statistics.median(scores):.4g}", f"{min(scores):.4g}"]
        cells += [", ".join(f"{x:.4g}" for x in scores), f"{statistics.median(seconds):.3g}"]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if out is not None:
        out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the table here as well")
    main(parser.parse_args().out)
