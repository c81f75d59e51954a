"""How a network is built."""

from dataclasses import dataclass

from rlkit.settings import ConfigError, Settings

from .init import ACTIVATIONS


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """Fields of every backbone."""

    hidden: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigError(f"hidden must be one or more layer widths >= 1, got {self.hidden}")
        self._one_of(ACTIVATIONS, "activation")
