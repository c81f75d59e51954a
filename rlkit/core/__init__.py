"""The MDP, the description it comes from, and ways to write either down."""

from rlkit.core.build import from_successors, from_triplets
from rlkit.core.enumerate import enumerate_model, enumerate_states
from rlkit.core.errors import ModelError, ModelWarning, NoExactModel
from rlkit.core.export import to_arrays, to_gymnasium, to_pairs
from rlkit.core.matrices import from_arrays
from rlkit.core.mdp import MDP
from rlkit.core.model import Model, Step
from rlkit.core.outcomes import from_gymnasium, from_outcomes
from rlkit.core.pomdp import POMDP, enumerate_pomdp
from rlkit.core.sensor import SensorPOMDP, from_sensor
from rlkit.core.table import HiddenTableModel, TableModel

__all__ = [
    "MDP",
    "POMDP",
    "HiddenTableModel",
    "Model",
    "ModelError",
    "ModelWarning",
    "NoExactModel",
    "SensorPOMDP",
    "Step",
    "TableModel",
    "enumerate_model",
    "enumerate_pomdp",
    "enumerate_states",
    "from_arrays",
    "from_gymnasium",
    "from_outcomes",
    "from_sensor",
    "from_successors",
    "from_triplets",
    "to_arrays",
    "to_gymnasium",
    "to_pairs",
]
