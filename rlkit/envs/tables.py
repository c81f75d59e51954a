"""Any MDP as an environment: an object, or a file that holds one."""

from __future__ import annotations

import os

from ..core import MDP, TableModel
from .knobs import KnobError


def table(*, mdp: MDP | str | os.PathLike[str]) -> TableModel:
    """Observe the number of the state of an MDP, take the number of an action.

    `mdp` is an `MDP`, or a model file that `core.files.read_model` reads. Raises `KnobError` for others,
    and `ModelError` for a file that holds no model.
    """
    if isinstance(mdp, MDP):
        return TableModel(mdp)
    if not isinstance(mdp, str | os.PathLike):
        raise KnobError(f"mdp must be an MDP or a model file, not {mdp!r}")
    from ..core.files import read_model

    return TableModel(read_model(mdp))
