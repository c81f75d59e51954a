"""Neural network parts: observation encoders, backbones that carry state, and policy distributions."""

from .attention import Attention as Attention
from .backbones import Backbone as Backbone, State as State
from .choice import build as build, resolve as resolve
from .cnn import CNN as CNN, Grid as Grid, grid_of as grid_of
from .config import NetworkConfig as NetworkConfig
from .distributions import (
    Categorical as Categorical,
    Discrete as Discrete,
    Distribution as Distribution,
    EpsilonGreedy as EpsilonGreedy,
    Gaussian as Gaussian,
    Head as Head,
    MultiCategorical as MultiCategorical,
    SquashedGaussian as SquashedGaussian,
    distribution as distribution,
    entropy as entropy,
    mask_logits as mask_logits,
)
from .encoders import (
    Encoder as Encoder,
    NonFiniteObservation as NonFiniteObservation,
    ObservationError as ObservationError,
    UnsupportedSpaceError as UnsupportedSpaceError,
)
from .init import linear as linear
from .layers import ACTIVATIONS as ACTIVATIONS
from .mlp import MLP as MLP
from .network import Memory as Memory
from .readers import GridReader as GridReader, reader_of as reader_of
from .recurrent import Recurrent as Recurrent
