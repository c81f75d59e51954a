"""Checkpoints of a run: the newest one is kept, written before the older one goes."""

import shutil
from pathlib import Path

from rlkit.agents import AGENTS, Agent, LoadError
from rlkit.agents.storage import META, read_meta

FOLDER = "checkpoints"


def save(run_dir: Path, agent: Agent) -> Path:
    """Write a checkpoint of the agent's present step and remove the older ones."""
    path = run_dir / FOLDER / f"step-{agent.steps:012d}"
    agent.save(path)
    for other in path.parent.glob("*step-*"):
        if other != path:
            shutil.rmtree(other)
    return path


def latest(run_dir: Path) -> Path:
    """The newest checkpoint of a run; LoadError if it has none."""
    paths = sorted((run_dir / FOLDER).glob("step-*"))
    if not paths:
        raise LoadError(f"{run_dir} holds no checkpoint (looked in {run_dir / FOLDER})")
    return paths[-1]


def load(path: str | Path, *, device: str = "auto") -> Agent:
    """The agent in a run folder, or in a folder that `Agent.save` wrote, whatever its algorithm."""
    path = Path(path)
    if not (path / META).exists():
        path = latest(path)
    name = read_meta(path)["agent"]
    if name not in AGENTS:
        raise LoadError(
            f"{path / META} is of an agent {name!r}; this version has {', '.join(sorted(AGENTS))}"
        )
    return AGENTS[name].load(path, device=device)
