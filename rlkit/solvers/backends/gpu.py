"""The Bellman operator in torch, for models that lie on a GPU."""

from importlib.util import find_spec
from shutil import which

import numpy as np
import numpy.typing as npt
import torch

from rlkit.core.mdp import MDP
from rlkit.solvers.backends.backups import Backed, Backup

LEAST_FILLED = 0.25  # of slices: in others than the usual models a kernel would mostly read zeros


def backup_on(device: str, mdp: MDP, gamma: float) -> Backup:
    """The operator on a device; on a GPU it is one kernel where that can be compiled and suits the model."""
    if device != "cpu" and find_spec("triton") is not None and any(map(which, ("cc", "gcc", "clang"))):
        from rlkit.solvers.backends.sliced import SlicedBackup, filled

        if filled(mdp) >= LEAST_FILLED:
            return SlicedBackup(mdp, gamma, device)
    return DeviceBackup(mdp, gamma, device)


class DeviceBackup:
    """One backup of every state of a model, on any torch device, in float64."""

    def __init__(self, mdp: MDP, gamma: float, device: str) -> None:
        self.gamma, self.transitions = gamma, mdp.n_transitions

        def there(array: npt.NDArray[np.generic]) -> torch.Tensor:
            return torch.tensor(array, device=device)

        self.successor, self.probability = there(mdp.successor), there(mdp.probability)
        self.reward, self.terminal = there(mdp.reward), there(mdp.terminal)
        self.choice_ptr, self.state_ptr = there(mdp.choice_ptr), there(mdp.state_ptr)

    def __call__(self, v: torch.Tensor | npt.NDArray[np.float64]) -> Backed:
        """Back up every state."""
        v = torch.as_tensor(v, device=self.reward.device)
        weighted = self.probability * v.index_select(0, self.successor)
        q = torch.segment_reduce(weighted, "sum", offsets=self.choice_ptr).mul_(self.gamma).add_(self.reward)
        value = torch.segment_reduce(q, "max", offsets=self.state_ptr, initial=-torch.inf)
        value[self.terminal] = 0.0
        change = value - v
        return Backed(value, None, change.min().item(), change.max().item())
