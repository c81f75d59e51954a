"""What the configurations of all agents share."""

from dataclasses import dataclass

from rlkit.settings import ConfigError, whole

from ..nn import NetworkConfig
from .errors import StepsError
from .optimization import OPTIMIZERS, SCHEDULES

MAX_NUM_ENVS = 2**20
MAX_SEED = 2**62  # environment i of a vector gets the seed plus i, which must stay an int64


def whole_seed(value: object) -> int:
    """`value` if it can be a seed; ConfigError if not."""
    return whole("seed", value, least=0, most=MAX_SEED)


def whole_steps(value: object) -> int:
    """`value` if it can be a number of steps to take; StepsError if not."""
    try:
        return whole("steps", value, least=1)
    except ConfigError as error:
        raise StepsError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class AgentConfig(NetworkConfig):
    """Fields that every agent has, with those of its networks."""

    num_envs: int = 8
    gamma: float = 0.99
    optimizer: str = "adam"
    adam_eps: float = 1e-8
    learning_rate: float = 1e-3
    schedule: str = "constant"  # of the learning rate over the training
    max_grad_norm: float = 0.5
    l1: float = 0.0  # penalties on the weights
    l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "num_envs")
        if self.num_envs > MAX_NUM_ENVS:
            raise ConfigError(f"num_envs must be at most {MAX_NUM_ENVS}, got {self.num_envs}")
        self._within(0, 1, "gamma")
        self._one_of(OPTIMIZERS, "optimizer")
        self._one_of(SCHEDULES, "schedule")
        self._positive("adam_eps", "learning_rate", "max_grad_norm")
        self._at_least(0, "l1", "l2")
