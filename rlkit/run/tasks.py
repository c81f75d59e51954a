"""What agents are measured on, the tasks of tasks.toml."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rlkit.registry import names

Score = Literal["discounted", "percent", "return", "sampled return"]  # see benchmark.SCORES


@dataclass(frozen=True)
class Task:
    """An agent on an environment, with options and steps where they are not the agent's own for it."""

    env_id: str
    agent: str
    score: Score
    goal: float
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None

    @property
    def key(self) -> str:
        """What tells the runs of this task from others."""
        return " ".join([self.env_id, self.agent, *(f"{k}={v}" for k, v in self.options.items())])


def _tasks(table: dict[str, Any]) -> Iterator[Task]:
    for known in table["task"]:
        own = {k: tuple(v) if isinstance(v, list) else v for k, v in known.pop("options", {}).items()}
        agents = [known.pop("agent")] if "agent" in known else sorted(names("agent"))
        for agent in agents:
            yield Task(agent=agent, score=table["score"], options=own, **known)


TABLES: dict[str, tuple[Task, ...]] = {
    table["title"]: tuple(_tasks(table))
    for table in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["table"]
}
