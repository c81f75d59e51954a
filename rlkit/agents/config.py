"""What the configurations of all agents share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rlkit.errors import ConfigError
from rlkit.nn.optimization import SCHEDULES, DescentConfig, scheduled
from rlkit.settings import Settings, option

from ..nn import NetworkConfig

MAX_NUM_ENVS = 2**20
MAX_THREADS = 2**10


SMALL = {"learning_rate": 1e-2, "hidden": (32,)}  # for problems of a few states
OFTEN = {**SMALL, "batch_size": 32, "learning_starts": 64, "train_every": 16, "updates_per_step": 0.125}


@dataclass(frozen=True, kw_only=True)
class AgentConfig(Settings):
    """Options that every agent has.

    With `probe_options` it learns the probes of check-agent, in `probe_times` the steps that each takes.
    """

    probe_options: ClassVar[Mapping[str, object]] = {}
    probe_times: ClassVar[int] = 1

    num_envs: int = option(8, "Environments stepped side by side", least=1)
    gamma: float = option(0.99, "Discount", least=0, most=1, search=(0.9, 0.999))
    learning_rate: float = option(1e-3, "Learning rate at the start", positive=True, search=(1e-5, 1e-2))
    schedule: str = option("constant", "How the learning rate falls over the training", choices=SCHEDULES)
    evaluate_every: int = option(
        0, "Steps between two evaluations, the best of which decides the final policy; 0: never", least=0
    )
    evaluate_episodes: int = option(20, "Episodes of such an evaluation", least=1)
    patience: int = option(
        0, "Evaluations without improvement after which training stops early; 0: never", least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_envs > MAX_NUM_ENVS:
            raise ConfigError(f"num_envs must be at most {MAX_NUM_ENVS}, got {self.num_envs}")
        if self.patience and not self.evaluate_every:
            raise ConfigError("patience counts evaluations: set evaluate_every too")

    def rate(self, progress: float) -> float:
        """The learning rate after the part `progress` of the training."""
        return scheduled(self.learning_rate, self.schedule, progress)


@dataclass(frozen=True, kw_only=True)
class NeuralConfig(DescentConfig, AgentConfig, NetworkConfig):
    """Fields of every agent with networks, and those of the networks."""

    normalize_obs: bool = option(False, "Normalise observed numbers by running statistics")
    normalize_reward: bool = option(False, "Divide rewards by the running standard deviation of the return")
    monitor: bool = option(False, "Watch the gradients of every layer, and warn")
    threads: int = option(
        1, "CPU threads; more are faster for wide layers and convolutions", least=1, most=MAX_THREADS
    )


@dataclass(frozen=True, kw_only=True)
class EpsilonConfig(AgentConfig):
    """How an agent that acts on action values explores."""

    epsilon_start: float = option(1.0, "Chance of a random legal action at the start", least=0, most=1)
    epsilon_end: float = option(
        0.05, "Chance of a random legal action at the end", least=0, most=1, search=(0.01, 0.2)
    )
    epsilon_fraction: float = option(
        0.3, "Part of the training over which epsilon falls linearly", least=0, most=1, search=(0.1, 0.8)
    )

    def epsilon(self, progress: float) -> float:
        """The chance of a random action after the part `progress` of the training."""
        part = min(1.0, progress / self.epsilon_fraction) if self.epsilon_fraction else 1.0
        return self.epsilon_start + part * (self.epsilon_end - self.epsilon_start)

    @property
    def last_epsilon(self) -> float:
        """The chance at the end of the training."""
        return self.epsilon_end


@dataclass(frozen=True, kw_only=True)
class OnPolicyConfig(NeuralConfig):
    """A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over."""

    rollout_steps: int = option(
        128, "Steps of each environment before an update", least=1, search=(8, 16, 32, 64, 128, 256, 512)
    )
    schedule: str = "linear"
    capture: bool = option(
        True, "On a GPU, replay iterations from a CUDA graph where the environment allows it"
    )


@dataclass(frozen=True, kw_only=True)
class OffPolicyConfig(NeuralConfig):
    """Steps are environment steps, counted over all environments."""

    replay_size: int = option(100_000, "Transitions kept in the replay memory", least=1)
    batch_size: int = option(128, "Transitions in an update", least=1, search=(32, 64, 128, 256, 512))
    learning_starts: int = option(1_000, "Steps into an empty replay before the first update", least=0)
    train_every: int = option(64, "Steps between two rounds of updates", least=1)
    updates_per_step: float = option(
        0.25, "Updates for each environment step", positive=True, search=(0.03, 1.0)
    )
    sequence: int = option(32, "Rows of a sequence that a network with memory learns from", least=1)
    burn_in: int = option(0, "Rows before them that bring the network's state up to date", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.replay_size < self.num_envs:
            raise ConfigError(
                f"replay_size must be at least num_envs ({self.num_envs}), got {self.replay_size}"
            )
