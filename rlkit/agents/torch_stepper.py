"""The stepper for vector environments whose observations are tensors: nothing leaves their device.

Returns and lengths of episodes are gathered on the device too, and read when somebody asks for them.
"""

from collections import deque
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from ..nn import Encoder
from .environments import AnyVectorEnv
from .stepper import Array, Info, Step, Stepper

MOST_UNREAD = 1024  # steps


class TorchStepper(Stepper):
    """As `Stepper`, for environments with a `device`, whose final observations come as a whole batch."""

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        obs, info = self.env.reset(seed=seed)
        self._masked = "action_mask" in info
        nobody = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._ended = nobody
        self._returns = torch.zeros(self.num_envs, device=self.device)
        self._lengths = torch.zeros(self.num_envs, dtype=torch.int64, device=self.device)
        self._unread: list[tuple[Tensor, Tensor, Tensor]] = []
        self._stand(self._encoder.pack(obs), self._mask(info), ~nobody)

    def step(self, action: Tensor) -> Step:
        """Take one action [B, ...], discrete ones counted from 0, in every environment."""
        start = getattr(self.env.single_action_space, "start", 0)
        taken = action if not np.any(start) else action + torch.as_tensor(start, device=self.device)
        obs, reward, terminated, truncated, info = self.env.step(taken)
        next_obs, next_mask = self._encoder.pack(obs), self._mask(info)
        done, discount, valid = terminated | truncated, 1 - terminated.float(), ~self._ended
        now, mask, reset = next_obs, next_mask, self._ended
        match self.mode:
            case AutoresetMode.NEXT_STEP:
                self._ended = done
            case AutoresetMode.SAME_STEP if "final_obs" in info:
                next_obs, next_mask = self._encoder.pack(info["final_obs"]), self._mask(info["final_info"])
                reset = done
            case AutoresetMode.DISABLED if done.any():
                fresh, info = self.env.reset(options={"reset_mask": done})
                now, mask, reset = self._encoder.pack(fresh), self._mask(info), done
        self._count(reward, done, valid)
        self._stand(now, mask, reset)
        return Step(next_obs, next_mask, reward, discount, done, valid)

    @property
    def finished(self) -> deque[tuple[float, int]]:
        """(return, length) of the last 100 episodes."""
        self._read()
        return self._finished

    @property
    def episodes(self) -> int:
        """How many episodes have ended."""
        self._read()
        return self._episodes

    def _mask(self, info: Info) -> Any:
        return info["action_mask"] if self._masked else None

    def _count(self, reward: Any, done: Any, valid: Any) -> None:
        self._returns = self._returns + reward * valid
        self._lengths = self._lengths + valid
        self._unread.append((done, self._returns, self._lengths))
        if len(self._unread) == MOST_UNREAD:
            self._read()
        self._returns, self._lengths = self._returns * ~done, self._lengths * ~done

    def _read(self) -> None:
        """Fetch what has ended since the last time."""
        if not self._unread:
            return
        done, returns, lengths = (torch.stack(column) for column in zip(*self._unread, strict=True))
        self._unread.clear()
        self._finished.extend(zip(returns[done].tolist(), lengths[done].tolist(), strict=True))
        self._episodes += int(done.sum())

    def _own(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def stepper_for(env: AnyVectorEnv, encoder: Encoder, *, seed: int, device: torch.device) -> Stepper:
    """The stepper that fits the environment: tensors have a device."""
    kind = Stepper if getattr(env.unwrapped, "device", None) is None else TorchStepper
    return kind(env, encoder, seed=seed, device=device)
