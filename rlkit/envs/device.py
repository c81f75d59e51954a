"""The torch face: a batch of episodes whose tensors never leave their device."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium.error import InvalidAction
from gymnasium.spaces import MultiDiscrete

from ..core.model import Holder, Model
from .faces import Info
from .simulation import Simulation
from .vector import ModelVectorEnv

H = TypeVar("H", bound=Holder)


class TorchVectorEnv(ModelVectorEnv):
    """A batch of episodes as torch tensors on a device; the same seed lives the same episodes as in numpy.

    As `ModelVectorEnv`, with these differences: rewards are float32, masks bool, and `final_obs` is the whole
    batch as it was before the new episodes, of which `_final_obs` [B] says where it counts. Observations may
    be the state itself: clone what you mean to change. On a GPU nothing makes the host wait: there, actions
    are not checked, and `final_obs` is in every info of SAME_STEP. In DISABLED mode an episode that is over
    just goes on on a GPU.
    """

    def __init__(self, model: Model[Any], *, device: str | torch.device = "cuda", **options: Any) -> None:
        self.device = torch.device(device)
        super().__init__(model, **options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, Info]:
        """Take one action in each environment; tensors [B]."""
        obs, reward, terminated, truncated, info = super().step(actions)
        return obs, reward.to(torch.float32), terminated, truncated, info

    def _simulate(self, model: Model[Any]) -> Simulation:
        return Simulation(
            on_device(model, self.device), self.num_envs, like=torch.empty(0, device=self.device)
        )

    def _flat(self, actions: Any) -> torch.Tensor:
        taken = torch.as_tensor(actions, device=self.device)
        space = self.single_action_space
        shape = (self.num_envs, *(space.shape or ()))
        if taken.shape != shape or taken.is_floating_point():
            raise InvalidAction(f"actions must be integers {shape}, not {taken.dtype} {tuple(taken.shape)}")
        if isinstance(space, MultiDiscrete):
            if self._simulation.waits:
                sizes = torch.as_tensor(space.nvec, device=self.device)
                if ((taken < 0) | (taken >= sizes)).any():
                    raise InvalidAction(f"actions must lie in {space}")
            number = taken[:, 0]
            for i, n in enumerate(space.nvec[1:].tolist(), start=1):
                number = number * n + taken[:, i]
            taken = number
        return taken.long()

    def _observations(self) -> Any:
        return self.model.observe(self._simulation.state)

    def _infos(self, told: torch.Tensor) -> Info:
        return {"action_mask": self.action_masks()} if self.model.masked else {}

    def _final(self) -> Info:
        return {
            "final_obs": self._observations(),
            "_final_obs": self._done,
            "final_info": self._infos(self._done),
            "_final_info": self._done,
        }


def on_device(holder: H, device: torch.device) -> H:
    """The same description with its arrays as tensors on a device."""
    moved = copy.copy(holder)
    for name, value in vars(holder).items():
        if isinstance(value, np.ndarray):
            setattr(moved, name, torch.tensor(value, device=device))
        elif isinstance(value, Holder):
            setattr(moved, name, on_device(value, device))
    return moved
