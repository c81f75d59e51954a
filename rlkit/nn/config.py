"""How a network is built."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from rlkit import registry
from rlkit.errors import ConfigError
from rlkit.settings import Settings, option

from .init import INITS
from .layers import ACTIVATIONS, NORMS

COMPILERS = ("none", "inductor", "aot_eager")
MAX_LAYERS = 256


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """Fields of every backbone; docs/algorithms/backbones.md says what each does."""

    backbone: str = option(
        "auto", f"Backbone: auto, {', '.join(registry.names('backbone'))}, or module:Class of your own"
    )
    hidden: tuple[int, ...] = option((64, 64), "Widths of the fully connected layers; empty for none")
    activation: str = option("tanh", "Activation", choices=tuple(ACTIVATIONS))
    norm: str = option("none", "Normalisation of the fully connected layers", choices=tuple(NORMS))
    skip: bool = option(False, "Use residual connections")
    dropout: float = option(0.0, "Probability that dropout zeroes a unit", search=(0.0, 0.3))
    init: str = option("orthogonal", "Initialisation of the weights", choices=tuple(INITS))
    channels: tuple[int, ...] = option(
        (16, 32), "Channels of the convolutions over small grids; empty for none"
    )
    context: int = option(32, "Past steps that attention sees", least=1)
    heads: int = option(2, "Heads of attention", least=1)
    blocks: int = option(1, "Blocks of attention", least=1)
    compiler: str = option("none", "Backend of torch.compile; aot_eager only rewrites", choices=COMPILERS)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone", _name(self.backbone))
        super().__post_init__()
        for name in ("hidden", "channels"):
            widths = getattr(self, name)
            if len(widths) > MAX_LAYERS:
                raise ConfigError(f"{name} must be at most {MAX_LAYERS} layers, got {len(widths)}")
            if min(widths, default=1) < 1:
                raise ConfigError(f"{name} must be layer widths >= 1, got {widths}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if self.blocks > MAX_LAYERS:
            raise ConfigError(f"blocks must be at most {MAX_LAYERS}, got {self.blocks}")
        self.backbone_class.check(self)

    def replace(self, overrides: Mapping[str, object], *, agent: str = "") -> Self:
        """As that of all settings; a backbone may be a class."""
        named = {key: _name(value) if key == "backbone" else value for key, value in overrides.items()}
        return super().replace(named, agent=agent)

    @property
    def backbone_class(self) -> Any:
        """The class that `backbone` names, mlp for auto; ConfigError if there is none."""
        try:
            return registry.find("backbone", "mlp" if self.backbone == "auto" else self.backbone)
        except registry.RegistryError as error:
            raise ConfigError(str(error)) from error

    @property
    def least_weights(self) -> int:
        """So many weights there are at least, as far as that is known before a network is built."""
        least: int = self.backbone_class.least_weights(self)
        return least


def _name(backbone: Any) -> Any:
    """A class by its name; ConfigError if it could not be found again by that."""
    if not isinstance(backbone, type):
        return backbone
    name = registry.name_of("backbone", backbone)
    with suppress(registry.RegistryError):
        if registry.locate("backbone", name) is backbone:
            return name
    raise ConfigError(f"backbone {name} must stand at the top level of its module, or be registered")
