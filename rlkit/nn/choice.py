"""The network that a configuration asks for."""

from copy import deepcopy

import torch
from torch import Generator, Tensor

from rlkit import registry
from rlkit.errors import ConfigError, blamed

from .backbones import Backbone, State
from .cnn import grid_of
from .config import NetworkConfig
from .encoders import Encoder


def resolve(backbone: str, encoder: Encoder) -> tuple[str, str]:
    """The kind of network that `backbone` means for these observations, and a sentence that says why.

    "auto" is cnn where there is a grid or a picture, else mlp. UnsupportedSpaceError for observations that
    the backbone cannot read, as a cnn those without a grid.
    """
    if backbone != "auto":
        registry.find("backbone", backbone).check_space(encoder)
        return backbone, f"{backbone}: as configured"
    grid = next((grid for grid in map(grid_of, encoder.leaves) if grid is not None), None)
    if grid is None:
        return "mlp", "mlp: the observation holds no grid"
    return "cnn", f"cnn: the observation holds a grid of {'x'.join(map(str, grid.shape))}"


def build(encoder: Encoder, config: NetworkConfig, *, generator: Generator) -> Backbone:
    """The network of `config`, from packed observations [B, *shape] or [T, B, *shape] to features.

    UnsupportedSpaceError for observations that its backbone cannot read, ConfigError for a backbone of a
    user's own that breaks its contract.
    """
    kind, _ = resolve(config.backbone, encoder)
    chosen = registry.find("backbone", kind)
    network: Backbone = chosen.build(encoder, config, generator=generator)
    if chosen.__module__.partition(".")[0] != "rlkit":
        _try(kind, network, encoder)
    if config.compiler != "none":
        network.compile(backend=config.compiler)
    return network


@torch.no_grad()
def _try(kind: str, network: Backbone, encoder: Encoder) -> None:
    """Let a backbone read two environments, for one step and for three; ConfigError says what it breaks."""
    space, device = deepcopy(encoder.space), next((x.device for x in encoder.buffers()), torch.device("cpu"))
    space.seed(0)
    obs = torch.from_numpy(encoder.pack_all([space.sample()])).to(device)
    with blamed(ConfigError, f"backbone {kind!r} fails"), torch.random.fork_rng([]):
        network.to(device).eval()
        for lead in ((2,), (3, 2)):
            reset, state = torch.zeros(lead, dtype=torch.bool, device=device), network.initial_state(2)
            features, after = network(obs.expand(*lead, *encoder.shape), state, reset)
            right = torch.empty(*lead, network.n_features), tuple(torch.empty(2, *x.shape[1:]) for x in state)
            for found in ((features, state), (features, after)):
                if _shapes(*found) != _shapes(*right):
                    what = (
                        f"features and state of 2 environments are {_shapes(*found)}, not {_shapes(*right)}"
                    )
                    raise ConfigError(f"backbone {kind!r}: {what}")
        network.train()


def _shapes(features: Tensor, state: State) -> str:
    return f"{features.dtype} {[*features.shape]} and {type(state).__name__} {[[*x.shape] for x in state]}"
