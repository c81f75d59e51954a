"""The torch interface: a batch of episodes whose tensors never leave their device."""

import copy
from dataclasses import is_dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from gymnasium.error import InvalidAction
from gymnasium.spaces import MultiDiscrete

from ...core.errors import ModelError
from ...core.model import Holder, Model, leaves
from ...errors import FAILURES, RlkitError
from ..wrappers.base import Wrapper
from .gym import Info
from .simulation import Simulation
from .vector import ModelVectorEnv

H = TypeVar("H", bound=Holder)


class TorchVectorEnv(ModelVectorEnv):
    """A batch of episodes as torch tensors on a device; the same seed gives the same episodes as in numpy.

    As `ModelVectorEnv`, with these differences: rewards are float32, masks bool, and `final_obs` is the whole
    batch as it was before the new episodes, of which `_final_obs` [B] says where it counts. Observations may
    be the state itself: clone what you mean to change. On a GPU nothing makes the host wait: there, actions
    are not checked, and `final_obs` is in every info of SAME_STEP. In DISABLED mode an episode that is over
    is stepped all the same on a GPU. Raises `ModelError` naming the method that does not run in torch.
    """

    def __init__(self, model: Model[Any], *, device: str | torch.device = "cuda", **options: Any) -> None:
        self.device = torch.device(device)
        super().__init__(model, **options)
        try_in_torch(self.model, self.device)

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


def try_in_torch(model: Model[Any], device: torch.device) -> None:
    """Call each method that steps a model once; raises `ModelError` naming one that gives no tensors."""
    while isinstance(model, Wrapper):
        model = model.inner
    event, u = (
        torch.zeros(1, dtype=torch.int64, device=device),
        torch.zeros(1, dtype=torch.float64, device=device),
    )
    own = {name for name in ("start_event", "sample_event", "sample") if not _is_default(model, name)}
    if model.n_starts > 1 and "start_event" not in own and not _is_default(model, "start_probs"):
        _tensors(model, "start_probs")
    if model.n_starts > 1:
        _tensors(model, "start_event", u)
    state = _tensors(model, "initial", event)
    _tensors(model, "observe", state)
    _tensors(model, "legal", state)
    if model.n_events > 1 and not own & {"sample_event", "sample"}:
        _tensors(model, "event_probs", state, event)
    _tensors(model, "transition", state, event, event)
    for name in own - {"start_event"}:
        _tensors(model, name, state, event, u)


def _is_default(model: Model[Any], name: str) -> bool:
    """Whether a model leaves a method as `Model` has it."""
    return getattr(type(model), name) is getattr(Model, name)


def _tensors(model: Model[Any], name: str, *arguments: Any) -> Any:
    """What a method of a model returns for tensors, if that is tensors; raises `ModelError` naming it."""
    what = f"{type(model).__name__}.{name}"
    hint = "make constant arrays in __init__, as attributes, and others with the namespace of the arguments"
    try:
        given = getattr(model, name)(*arguments)
    except RlkitError:
        raise
    except FAILURES as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(f"{what} fails in torch ({said}): {hint}") from error
    for part in _parts(given):
        if not isinstance(part, torch.Tensor):
            raise ModelError(f"{what} must give tensors in torch, not {type(part).__name__}: {hint}")
    return given


def _parts(given: Any) -> list[Any]:
    """The arrays within what a method returns."""
    if is_dataclass(given):
        return leaves(given)
    if isinstance(given, dict):
        return [part for value in given.values() for part in _parts(value)]
    if isinstance(given, tuple):
        return [part for value in given for part in _parts(value)]
    return [given]
