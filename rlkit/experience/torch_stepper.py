"""The stepper for vector environments whose observations are tensors: nothing leaves their device.

Returns and lengths of episodes are gathered on the device too, and read when somebody asks for them.
"""

from collections import deque
from typing import Any

import torch
from gymnasium.vector import AutoresetMode, VectorWrapper
from gymnasium.wrappers.vector import ArrayConversion
from torch import Tensor

from rlkit.envs.adapters.torch import TorchVectorEnv
from rlkit.nn import Encoder

from .environments import AnyVectorEnv
from .stepper import LAST, Info, Step, Stepper

MOST_UNREAD = 1024  # steps


class TorchStepper(Stepper):
    """As `Stepper`, for rlkit's own in torch, whose final observations come as a whole batch.

    `unread` holds for every step since the last reading where episodes ended and what they were until then.
    """

    def __init__(self, env: AnyVectorEnv, encoder: Encoder, *, seed: int, device: torch.device) -> None:
        self.unread: list[tuple[Tensor, Tensor, Tensor]] = []
        super().__init__(env, encoder, seed=seed, device=device)

    def can_be_captured(self, steps: int) -> bool:
        """Whether so many steps look at nothing on the device, so that they can be replayed (captured.py)."""
        bare = self.env is self.env.unwrapped
        fits = self.mode is AutoresetMode.SAME_STEP and steps < MOST_UNREAD
        return self.device.type == "cuda" and bare and fits

    def most_limits(self, steps: int) -> int | None:
        """How many episodes the time limit can end in so many steps; None if they cannot be captured."""
        if not self.can_be_captured(steps):
            return None
        limit = self.env.unwrapped.max_episode_steps  # type: ignore[attr-defined]
        return 0 if limit is None else self.num_envs * -(-steps // limit)

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        self.read()
        super().restart(seed)

    def _restarted(self, seed: int) -> None:
        obs, info = self.env.reset(seed=seed)
        self._start = torch.as_tensor(getattr(self.env.single_action_space, "start", 0), device=self.device)
        self._masked = "action_mask" in info
        nobody = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._ended = nobody
        self._returns = torch.zeros(self.num_envs, device=self.device)
        self._lengths = torch.zeros(self.num_envs, dtype=torch.int64, device=self.device)
        self._stand(self._encoder.pack(obs), self._legal(info), ~nobody)

    def _given(self, action: Tensor) -> Tensor:
        return action + self._start

    def _stepped(self, obs: Any, reward: Any, terminated: Any, truncated: Any, info: Info) -> Step:
        next_obs, next_mask = self._encoder.pack(obs), self._legal(info)
        done, discount, valid = terminated | truncated, 1 - terminated.float(), ~self._ended
        now, mask, reset = next_obs, next_mask, self._ended
        match self.mode:
            case AutoresetMode.NEXT_STEP:
                self._ended = done
            case AutoresetMode.SAME_STEP if "final_obs" in info:
                next_obs, next_mask = self._encoder.pack(info["final_obs"]), self._legal(info["final_info"])
                reset = done
            case AutoresetMode.DISABLED if done.any():
                fresh, info = self.env.reset(options={"reset_mask": done})
                now, mask, reset = self._encoder.pack(fresh), self._legal(info), done
        self._count(reward, done, valid)
        self._stand(now, mask, reset)
        return Step(next_obs, next_mask, reward, discount, done, valid)

    @property
    def finished(self) -> deque[tuple[float, int]]:
        """(return, length) of the last 100 episodes."""
        self.read()
        return self._finished

    @property
    def episodes(self) -> int:
        """How many episodes have ended."""
        self.read()
        return self._episodes

    def _legal(self, info: Info) -> Any:
        return info["action_mask"] if self._masked else None

    def _count(self, reward: Any, done: Any, valid: Any) -> None:
        self._returns = self._returns + reward * valid
        self._lengths = self._lengths + valid
        self.unread.append((done, self._returns, self._lengths))
        if len(self.unread) == MOST_UNREAD:
            self.read()
        self._returns, self._lengths = self._returns * ~done, self._lengths * ~done

    def replayed(self, unread: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Take note of steps that were replayed: what `unread` was when they were captured."""
        self.unread = list(unread)

    def read(self) -> None:
        """Fetch what has ended since the last time."""
        if not self.unread:
            return
        done, returns, lengths = (torch.stack(column).flatten() for column in zip(*self.unread, strict=True))
        self.unread = []
        ended = done.nonzero().squeeze(-1)
        last = ended[-LAST:]
        self._finished.extend(zip(returns[last].tolist(), lengths[last].tolist(), strict=True))
        self._episodes += len(ended)

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, device=self.device)

    _own = _tensor


def stepper_for(env: AnyVectorEnv, encoder: Encoder, *, seed: int, device: torch.device) -> Stepper:
    """The stepper that fits the environment: rlkit's own in torch stay on their device."""
    return (TorchStepper if in_torch(env) else Stepper)(env, encoder, seed=seed, device=device)


def in_torch(env: AnyVectorEnv) -> bool:
    """Whether an environment is one of rlkit's in torch, and no wrapper makes other arrays of its tensors."""
    own = isinstance(env.unwrapped, TorchVectorEnv)
    while own and isinstance(env, VectorWrapper):
        own, env = not isinstance(env, ArrayConversion), env.env
    return own
