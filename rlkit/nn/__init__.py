"""Neural network parts: observation encoders, backbones that carry state, and policy distributions."""

from .attention import Attention
from .backbones import Backbone, State
from .choice import build, resolve
from .cnn import CNN, Grid, grid_of
from .config import NetworkConfig
from .distributions import (
    Categorical,
    Discrete,
    Distribution,
    EpsilonGreedy,
    Gaussian,
    Head,
    MultiCategorical,
    SquashedGaussian,
    distribution,
    entropy,
    mask_logits,
)
from .encoders import Encoder, NonFiniteObservation, ObservationError, UnsupportedSpaceError
from .init import linear
from .layers import ACTIVATIONS
from .mlp import MLP
from .network import Memory
from .readers import GridReader, reader_of
from .recurrent import Recurrent

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "MLP",
    "Attention",
    "Backbone",
    "Categorical",
    "Discrete",
    "Distribution",
    "Encoder",
    "EpsilonGreedy",
    "Gaussian",
    "Grid",
    "GridReader",
    "Head",
    "Memory",
    "MultiCategorical",
    "NetworkConfig",
    "NonFiniteObservation",
    "ObservationError",
    "Recurrent",
    "SquashedGaussian",
    "State",
    "UnsupportedSpaceError",
    "build",
    "distribution",
    "entropy",
    "grid_of",
    "linear",
    "mask_logits",
    "reader_of",
    "resolve",
]
