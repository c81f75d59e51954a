"""The MDP, the description it comes from, and ways to write either down."""

from rlkit.core.build import from_successors as from_successors, from_triplets as from_triplets
from rlkit.core.enumerate import enumerate_model as enumerate_model, enumerate_states as enumerate_states
from rlkit.core.errors import (
    ModelError as ModelError,
    ModelWarning as ModelWarning,
    NoExactModel as NoExactModel,
)
from rlkit.core.export import to_arrays as to_arrays, to_gymnasium as to_gymnasium, to_pairs as to_pairs
from rlkit.core.matrices import from_arrays as from_arrays
from rlkit.core.mdp import MDP as MDP
from rlkit.core.model import Model as Model, Step as Step
from rlkit.core.outcomes import from_gymnasium as from_gymnasium, from_outcomes as from_outcomes
from rlkit.core.pomdp import POMDP as POMDP, enumerate_pomdp as enumerate_pomdp
from rlkit.core.sensor import SensorPOMDP as SensorPOMDP, from_sensor as from_sensor
from rlkit.core.table import HiddenTableModel as HiddenTableModel, TableModel as TableModel
