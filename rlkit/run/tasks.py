"""What agents are measured on: a task is an agent on an environment, with a score and a goal for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlkit.registry import names

Score = Literal["discounted", "percent", "return", "sampled return"]  # see benchmark.SCORES

SMALL_TABLES = ("rlkit/Exam-v0", "rlkit/FrozenLake-v0", "rlkit/CliffWalking-v0", "rlkit/Taxi-v0")
BACKBONES = ("mlp", "gru", "attention")
# Percent of the optimum with memory that the best policy without it reaches (docs/environments).
MEMORYLESS = {"TMaze": 69.45, "RepeatPrevious": 0.0, "SignalFilter": 66.88, "FindTheThree": 0.0}
MEMORYLESS_ROOM = 0.922  # the best return known without memory in MemoryS9 (docs/environments)
# What one reading says of the level changes back and forth within tenths: the network must be able to.
SHARP = {
    "hidden": (128, 128, 128),
    "init": "kaiming",
    "normalize_obs": True,
    "learning_rate": 5e-3,
    "entropy_coef": 0.1,
}


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


def _remember(name: str, backbone: str) -> Task:
    """A backbone on a task that needs memory."""
    goal = MEMORYLESS[name] if backbone == "mlp" else 95.0
    sharp = (name, backbone) == ("SignalFilter", "mlp")
    options = {"backbone": backbone, **(SHARP if sharp else {})}
    return Task(f"rlkit/{name}-v0", "ppo", "percent", goal, options, 1_920_000 if sharp else None)


def _remember_room(backbone: str) -> Task:
    goal = MEMORYLESS_ROOM if backbone == "mlp" else 0.95 * 0.9842
    return Task("minigrid:MiniGrid-MemoryS9-v0", "ppo", "sampled return", goal, {"backbone": backbone})


TABLES: dict[str, tuple[Task, ...]] = {
    "Small tables: percent of the discounted optimum, exact": tuple(
        Task(env_id, agent, "discounted", 99.0) for env_id in SMALL_TABLES for agent in sorted(names("agent"))
    ),
    "Classic control: mean return": (
        Task("CartPole-v1", "ppo", "return", 495.0),
        Task("CartPole-v1", "pqn", "return", 495.0),
        Task("CartPole-v1", "dqn", "return", 475.0),
        Task("Acrobot-v1", "ppo", "return", -80.0),
        Task("MountainCar-v0", "ppo", "return", -110.0),
        Task("Pendulum-v1", "sac", "return", -170.0),
    ),
    "Memory: percent of the optimum with memory; for mlp the goal is what is possible without": tuple(
        _remember(name, backbone) for name in MEMORYLESS for backbone in BACKBONES
    ),
    "Rooms: mean return": (
        Task("rlkit/FourRooms-v0", "ppo", "return", 0.9 * 0.8546),
        Task("rlkit/DoorKey8x8-v0", "ppo", "return", 0.9 * 0.9764),
    ),
    "MiniGrid's own rooms: mean return of the policy as it samples, as rl-baselines3-zoo has it": (
        Task("minigrid:MiniGrid-FourRooms-v0", "ppo", "sampled return", 0.573),
        Task("minigrid:MiniGrid-DoorKey-8x8-v0", "ppo", "sampled return", 0.9 * 0.9764),
        *map(_remember_room, BACKBONES),
    ),
}
