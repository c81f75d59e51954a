"""What the configurations of all agents share."""

from dataclasses import dataclass

from rlkit.errors import ConfigError
from rlkit.nn.optimization import SCHEDULES, DescentConfig, scheduled
from rlkit.settings import Settings

from ..nn import NetworkConfig

MAX_NUM_ENVS = 2**20
MAX_THREADS = 2**10


@dataclass(frozen=True, kw_only=True)
class AgentConfig(Settings):
    """Fields that every agent has."""

    num_envs: int = 8  # environments that are stepped side by side
    gamma: float = 0.99  # the discount
    learning_rate: float = 1e-3  # at the start of the training
    schedule: str = "constant"  # of the learning rate over the training: constant, linear or cosine
    evaluate_every: int = 0  # steps between two evaluations, of which the best parameters are kept; 0: never
    evaluate_episodes: int = 20  # episodes of such an evaluation
    patience: int = 0  # evaluations without improvement after which training ends; 0: never

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "num_envs", "evaluate_episodes")
        if self.num_envs > MAX_NUM_ENVS:
            raise ConfigError(f"num_envs must be at most {MAX_NUM_ENVS}, got {self.num_envs}")
        self._within(0, 1, "gamma")
        self._one_of(SCHEDULES, "schedule")
        self._positive("learning_rate")
        self._at_least(0, "evaluate_every", "patience")
        if self.patience and not self.evaluate_every:
            raise ConfigError("patience counts evaluations: set evaluate_every too")

    def rate(self, progress: float) -> float:
        """The learning rate after the part `progress` of the training."""
        return scheduled(self.learning_rate, self.schedule, progress)


@dataclass(frozen=True, kw_only=True)
class NeuralConfig(DescentConfig, AgentConfig, NetworkConfig):
    """Fields of every agent with networks, and those of the networks."""

    normalize_obs: bool = False  # numbers observed to mean 0 and variance 1, by running statistics
    normalize_reward: bool = False  # rewards divided by the running standard deviation of the return
    monitor: bool = False  # of gradients: norms and dead units of every layer, with warnings
    threads: int = 1  # of the CPU; more are faster where layers have hundreds of units, or convolutions

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(1, MAX_THREADS, "threads")


@dataclass(frozen=True, kw_only=True)
class EpsilonConfig(AgentConfig):
    """How an agent that acts on action values explores."""

    epsilon_start: float = 1.0  # chance of a random legal action at first
    epsilon_end: float = 0.05  # and in the end
    epsilon_fraction: float = 0.3  # part of the training over which it falls linearly

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(0, 1, "epsilon_start", "epsilon_end", "epsilon_fraction")

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

    rollout_steps: int = 128  # steps of each environment before an update
    schedule: str = "linear"
    capture: bool = True  # on a GPU, replay iterations from a CUDA graph where the environment allows it

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "rollout_steps")


@dataclass(frozen=True, kw_only=True)
class OffPolicyConfig(NeuralConfig):
    """Steps are environment steps, counted over all environments."""

    replay_size: int = 100_000  # transitions that are kept
    batch_size: int = 128  # transitions in an update
    learning_starts: int = 1_000  # steps into an empty replay before the first update
    train_every: int = 64  # steps between two rounds of updates
    updates_per_step: float = 0.25  # updates for each environment step
    sequence: int = 32  # rows of a sequence that a network with memory learns from
    burn_in: int = 0  # rows before them

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "replay_size", "batch_size", "train_every", "sequence")
        self._at_least(0, "learning_starts", "burn_in")
        self._positive("updates_per_step")
        if self.replay_size < self.num_envs:
            raise ConfigError(
                f"replay_size must be at least num_envs ({self.num_envs}), got {self.replay_size}"
            )
