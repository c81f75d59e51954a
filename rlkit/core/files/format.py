"""What a format of model files is."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rlkit.core.mdp import MDP
from rlkit.core.pomdp import POMDP


class Format(NamedTuple):
    """How models are read from files of one suffix and written to them; either may be gzipped."""

    read: Callable[..., MDP | POMDP]  # from a path, with the format's own options by name
    write: Callable[[MDP, Path], None] | None = None
    exact: bool = False  # whether every field of an MDP is read back as it was written
