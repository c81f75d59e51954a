"""The network that a configuration asks for."""

from torch import Generator

from rlkit import registry

from .backbones import Backbone
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

    UnsupportedSpaceError for observations that its backbone cannot read.
    """
    kind, _ = resolve(config.backbone, encoder)
    network: Backbone = registry.find("backbone", kind).build(encoder, config, generator=generator)
    if config.compiler != "none":
        network.compile(backend=config.compiler)
    return network
