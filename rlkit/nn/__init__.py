"""Neural network parts: observation encoders, backbones that carry state, and heads."""

from .backbones import MLP, Backbone, State
from .config import NetworkConfig
from .encoders import Encoder, UnsupportedSpaceError
from .heads import entropy, mask_logits
from .init import ACTIVATIONS, linear

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Backbone",
    "Encoder",
    "NetworkConfig",
    "State",
    "UnsupportedSpaceError",
    "entropy",
    "linear",
    "mask_logits",
]
