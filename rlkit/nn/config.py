"""How a network is built."""

from dataclasses import dataclass
from itertools import pairwise

from rlkit.errors import ConfigError
from rlkit.settings import Settings

from .init import INITS
from .layers import ACTIVATIONS, NORMS

BACKBONES = ("auto", "mlp", "cnn", "rnn", "gru", "lstm", "attention")
COMPILERS = ("none", "inductor", "aot_eager")
MAX_LAYERS = 256


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(Settings):
    """Fields of every backbone; docs/algorithms/backbones.md says what each does."""

    backbone: str = "auto"  # auto, mlp, cnn, rnn, gru, lstm or attention
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
        super().__post_init__()
        self._one_of(BACKBONES, "backbone")
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
        if self.backbone == "attention":
            if not self.hidden:
                raise ConfigError("attention is as wide as the last layer of hidden, which has none")
            if self.hidden[-1] % self.heads:
                raise ConfigError(
                    f"heads must divide the last width of hidden ({self.hidden[-1]}), got {self.heads}"
                )

    @property
    def least_weights(self) -> int:
        """So many weights there are at least, as far as that is known before a network is built."""
        memories = {"rnn": 1, "gru": 1, "lstm": 1, "attention": self.blocks}.get(self.backbone, 0)
        return sum(n * m for n, m in pairwise((*self.hidden, *self.hidden[-1:] * memories)))
