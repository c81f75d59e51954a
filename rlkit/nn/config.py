"""How a network is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rlkit import registry
from rlkit.errors import ConfigError
from rlkit.settings import Settings

from .init import INITS
from .layers import ACTIVATIONS, NORMS

COMPILERS = ("none", "inductor", "aot_eager")
MAX_LAYERS = 256


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """Fields of every backbone; docs/algorithms/backbones.md says what each does."""

    backbone: str = "auto"  # auto, mlp, cnn, rnn, gru, lstm, attention, or module:Class of your own
    hidden: tuple[int, ...] = (64, 64)  # widths of the fully connected layers; may be none
    activation: str = "tanh"  # tanh, relu, leaky_relu, prelu, gelu, selu, sigmoid or maxout
    norm: str = "none"  # none, layer or batch
    skip: bool = False  # layers add what they read to what they give
    dropout: float = 0.0  # the probability that a number is dropped
    init: str = "orthogonal"  # orthogonal, xavier, kaiming or zero
    channels: tuple[int, ...] = (16, 32)  # of the convolutions over small grids; may be none
    context: int = 32  # steps before the present one that attention sees
    heads: int = 2  # of attention
    blocks: int = 1  # of attention, one on top of the other
    compiler: str = "none"  # of torch.compile: none, inductor, or aot_eager, which only rewrites

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone", _name(self.backbone))
        super().__post_init__()
        if ":" not in self.backbone:
            self._one_of(("auto", *registry.names("backbone")), "backbone")
        for name in ("hidden", "channels"):
            widths = getattr(self, name)
            if len(widths) > MAX_LAYERS:
                raise ConfigError(f"{name} must be at most {MAX_LAYERS} layers, got {len(widths)}")
            if min(widths, default=1) < 1:
                raise ConfigError(f"{name} must be layer widths >= 1, got {widths}")
        self._one_of(ACTIVATIONS, "activation")
        self._one_of(NORMS, "norm")
        self._one_of(INITS, "init")
        self._one_of(COMPILERS, "compiler")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        self._at_least(1, "context", "heads", "blocks")
        if self.blocks > MAX_LAYERS:
            raise ConfigError(f"blocks must be at most {MAX_LAYERS}, got {self.blocks}")
        self.backbone_class.check(self)

    def replace(self, overrides: Mapping[str, object], *, agent: str = "") -> Self:
        """As that of all settings; a backbone may be a class."""
        named = {key: _name(value) if key == "backbone" else value for key, value in overrides.items()}
        return super().replace(named, agent=agent)

    @property
    def backbone_class(self) -> Any:
        """The class that `backbone` names, mlp for auto; ConfigError if that is none with `build`."""
        try:
            found = registry.find("backbone", "mlp" if self.backbone == "auto" else self.backbone)
        except registry.RegistryError as error:
            raise ConfigError(str(error)) from error
        if not isinstance(found, type) or not hasattr(found, "build"):
            raise ConfigError(f"backbone {self.backbone!r} must be a subclass of rlkit.nn.Backbone")
        return found

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
    try:
        found = registry.find("backbone", name)
    except registry.RegistryError:
        found = None
    if found is not backbone:
        raise ConfigError(f"backbone {name} must stand at the top level of its module, or be registered")
    return name
