"""Any MDP as an environment: an object, or a file that holds one."""

import os

from ...core import MDP, POMDP, HiddenTableModel, TableModel
from ..options import OptionError


def table(*, mdp: MDP | POMDP | str | os.PathLike[str]) -> TableModel:
    """Observe the number of the state of an MDP, or of an observation of a POMDP; take that of an action.

    `mdp` is an `MDP`, a `POMDP`, or a model file that `core.files.read_model` reads. Raises `OptionError` for
    others, and `ModelError` for a file that holds no model.
    """
    if isinstance(mdp, str | os.PathLike):
        from ...core.files import read_model

        mdp = read_model(mdp)
    if isinstance(mdp, POMDP):
        return HiddenTableModel(mdp)
    if isinstance(mdp, MDP):
        return TableModel(mdp)
    raise OptionError(f"mdp must be an MDP, a POMDP or a model file, not {mdp!r}")
