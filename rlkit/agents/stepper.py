"""One protocol over every vector environment: a clean stream of transitions, whatever its autoreset mode.

Gymnasium's vector environments start a new episode in three ways. NEXT_STEP ignores the action after an
episode's end and returns the reset observation instead. SAME_STEP returns the reset observation at once and
the final one in its info. DISABLED waits to be told which environments to reset. The stepper hides this:
agents see for every step the true successor, the discount, and whether the step was one at all, in tensors
on their own device.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from ..nn import Encoder
from .errors import NonFiniteError, UnsupportedError

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
Info: TypeAlias = Mapping[str, Any]
LAST = 100  # episodes whose returns are kept
OWN = ("ended", "returns", "lengths")  # what a stepper remembers of episodes, for its checkpoint


class Step(NamedTuple):
    """One step of B environments; observations are packed."""

    next_obs: Tensor  # [B, ...] the true successor: the final observation where an episode ended
    next_mask: Tensor | None  # [B, A] bool, legal actions in next_obs
    reward: Tensor  # [B] float32
    discount: Tensor  # [B] 0 where a terminal state was reached, else 1; a time limit leaves it 1
    done: Tensor  # [B] bool, the episode ended, by a terminal state or by a time limit
    valid: Tensor  # [B] bool, false where the environment only started a new episode: not a transition


class Stepper:
    """Steps a vector environment; `obs`, `mask` and `reset` say where it stands now.

    `obs` [B, ...] are the packed observations to act on, `mask` [B, A] the legal actions or None,
    `reset` [B] true where `obs` is the first of an episode, all on `device`.
    """

    obs: Tensor
    mask: Tensor | None
    reset: Tensor
    _ended: Any  # [B] where the next step only starts a new episode
    _returns: Any  # [B] of the present episodes
    _lengths: Any  # [B]

    def __init__(
        self, env: VectorEnv[Any, Any, Any], encoder: Encoder, *, seed: int, device: torch.device
    ) -> None:
        self.env = env
        self.num_envs = env.num_envs
        self.device = device
        self.mode = autoreset_mode(env)
        self.mask_width = mask_width(env.single_action_space)
        self._encoder = encoder
        self._check_finite = np.issubdtype(encoder.dtype, np.floating)
        self._finished: deque[tuple[float, int]] = deque(maxlen=LAST)
        self._episodes = 0
        self.restart(seed)

    @property
    def finished(self) -> deque[tuple[float, int]]:
        """(return, length) of the last 100 episodes."""
        return self._finished

    @property
    def episodes(self) -> int:
        """How many episodes have ended."""
        return self._episodes

    def can_be_captured(self, steps: int) -> bool:
        """Whether so many steps can be replayed from a CUDA graph (captured.py): not those of arrays."""
        return False

    def most_limits(self, steps: int) -> int | None:
        """How many episodes the time limit can end in so many steps; None if they cannot be captured."""
        return None

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        obs, info = self.env.reset(seed=seed)
        self._masked = "action_mask" in info
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._stand(self._pack(obs), self._mask(info), np.ones(self.num_envs, dtype=np.bool_))

    def step(self, action: Tensor) -> Step:
        """Take one action [B, ...], discrete ones counted from 0, in every environment."""
        given = as_given(action, self.env.single_action_space)
        obs, rewards, terminated, truncated, info = self.env.step(given)
        next_obs, next_mask = self._pack(obs), self._mask(info)
        reward = np.asarray(rewards, dtype=np.float32)
        if not np.isfinite(reward.sum()) and not np.isfinite(reward).all():
            raise NonFiniteError(
                f"reward of environment {np.flatnonzero(~np.isfinite(reward))[0]} is not finite"
            )
        done = np.logical_or(terminated, truncated)
        discount = 1 - np.asarray(terminated, dtype=np.float32)
        valid = ~self._ended
        now, mask, reset = next_obs, next_mask, self._ended

        if self.mode is AutoresetMode.NEXT_STEP:
            self._ended = done
        elif done.any():
            if self.mode is AutoresetMode.SAME_STEP:
                next_obs, next_mask = self._final(next_obs, next_mask, done, info)
            else:
                now, mask = self._reset(next_obs, next_mask, done)
            reset = done
        self._count(reward, done, valid)
        self._stand(now, mask, reset)
        seen, legal = self.obs, self.mask
        if next_obs is not now:
            seen, legal = self._tensor(next_obs), None if next_mask is None else self._tensor(next_mask)
        return Step(seen, legal, *map(self._tensor, (reward, discount, done, valid)))

    def _stand(self, obs: Any, mask: Any, reset: Any) -> None:
        self.obs, self.reset = self._tensor(obs), self._tensor(reset)
        self.mask = None if mask is None else self._tensor(mask)

    def _tensor(self, array: Array) -> Tensor:
        """On the agent's device; on the CPU they share memory."""
        return torch.from_numpy(array).to(self.device)

    def _final(
        self, obs: Array, mask: BoolArray | None, done: BoolArray, info: Info
    ) -> tuple[Array, BoolArray | None]:
        """SAME_STEP: `obs` and `mask` with those of the ended episodes put in place of the new ones."""
        if "final_obs" not in info:
            raise UnsupportedError(
                f"{self.env} is in SAME_STEP mode but its info lacks 'final_obs' where an episode ended"
            )
        final = info["final_obs"]
        obs = obs.copy()
        if isinstance(final, np.ndarray) and final.dtype == object:
            for i in np.flatnonzero(done):
                obs[i] = self._encoder.pack_one(final[i])
            self._check(obs)
        else:
            obs[done] = self._pack(final)[done]
        if mask is not None:
            final_mask = self._mask(info.get("final_info", {}))
            mask = mask.copy()
            mask[done] = True if final_mask is None else final_mask[done]
        return obs, mask

    def _reset(self, obs: Array, mask: BoolArray | None, done: BoolArray) -> tuple[Array, BoolArray | None]:
        """DISABLED: start new episodes where `done`, and return where all environments now stand."""
        fresh, info = self.env.reset(options={"reset_mask": done.copy()})
        obs = obs.copy()
        obs[done] = self._pack(fresh)[done]
        fresh_mask = self._mask(info)
        if mask is not None and fresh_mask is not None:
            mask = np.where(done[:, None], fresh_mask, mask)
        return obs, mask

    def _pack(self, obs: Any) -> Array:
        packed: Array = self._encoder.pack(obs)
        self._check(packed)
        return packed

    def _check(self, packed: Array) -> None:
        if self._check_finite and not np.isfinite(packed.sum()):
            bad = np.argwhere(~np.isfinite(packed))
            if len(bad):
                raise NonFiniteError(
                    f"observation of environment {bad[0][0]} is not finite at entry {bad[0][1:].tolist()}"
                )

    def _mask(self, info: Info) -> BoolArray | None:
        """Legal actions [B, A] from an info; where it has none, all are legal."""
        if not self._masked:
            return None
        if "action_mask" not in info:
            return np.ones((self.num_envs, self.mask_width), dtype=np.bool_)
        mask = np.array(info["action_mask"], dtype=np.bool_)
        if mask.shape != (self.num_envs, self.mask_width):
            raise UnsupportedError(
                f"action_mask must have shape {(self.num_envs, self.mask_width)}, got {mask.shape}"
            )
        if "_action_mask" in info:
            mask[~np.asarray(info["_action_mask"])] = True
        return mask

    def _count(self, reward: Array, done: BoolArray, valid: BoolArray) -> None:
        """Keep the running return and length of every episode."""
        self._returns += np.where(valid, reward, 0)
        self._lengths += valid
        if done.any():
            for i in np.flatnonzero(done):
                self._finished.append((float(self._returns[i]), int(self._lengths[i])))
            self._episodes += int(done.sum())
            self._returns[done] = 0
            self._lengths[done] = 0

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(arrays, JSON) of everything, and the environment's own state if it offers `get_state`."""
        arrays = {
            name: np.asarray(x.cpu().numpy() if isinstance(x, Tensor) else x)
            for name, x in self._held().items()
        }
        get_state = getattr(self.env.unwrapped, "get_state", None)
        if get_state is not None:
            arrays |= {f"env/{name}": np.asarray(value) for name, value in get_state().items()}
        return arrays, {"finished": list(self.finished), "episodes": self.episodes}

    def _held(self) -> dict[str, Any]:
        """What changes with a step, beside the environment."""
        held = {name: getattr(self, f"_{name}") for name in OWN} | {"obs": self.obs, "reset": self.reset}
        return held if self.mask is None else held | {"mask": self.mask}

    def set_state(self, arrays: dict[str, Array], meta: dict[str, Any], *, seed: int) -> None:
        """Go back to a saved state; an environment that cannot starts new episodes, seeded with `seed`."""
        self._finished.extend((float(value), int(length)) for value, length in meta["finished"])
        self._episodes = int(meta["episodes"])
        own = {name.removeprefix("env/"): value for name, value in arrays.items() if name.startswith("env/")}
        set_state = getattr(self.env.unwrapped, "set_state", None)
        if set_state is None or not own:
            self.restart(seed)
            return
        set_state(own)
        for name in OWN:
            setattr(self, f"_{name}", self._own(arrays[name]))
        self._stand(arrays["obs"], arrays.get("mask"), arrays["reset"])

    def _own(self, array: Array) -> Any:
        """A saved array in the form that this stepper counts in."""
        return array


def mask_width(space: spaces.Space[Any]) -> int:
    """How many entries a mask over a space's actions has: the parts of MultiDiscrete lie side by side."""
    match space:
        case spaces.Discrete():
            return int(space.n)
        case spaces.MultiDiscrete():
            return int(space.nvec.sum())
    return 0


def as_given(action: Tensor, space: spaces.Space[Any]) -> Array:
    """Actions [B, ...] as an environment takes them: discrete ones counted from the space's start, those of
    a Box, whose bounds are -1 and 1 to an agent, in the units of the space and clipped to it.
    """
    taken: Array = action.cpu().numpy()
    if isinstance(space, spaces.Box):
        bounded = space.bounded_below & space.bounded_above
        low, high = np.where(bounded, space.low, -1), np.where(bounded, space.high, 1)
        inside: Array = (low + (taken + 1) / 2 * (high - low)).clip(space.low, space.high)
        return inside.astype(space.dtype)
    counted: Array = taken + getattr(space, "start", 0)
    return counted


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """The environment's autoreset mode; UnsupportedError if its metadata does not say."""
    mode = env.metadata.get("autoreset_mode")
    try:
        return AutoresetMode(mode)
    except ValueError:
        modes = ", ".join(str(m.name) for m in AutoresetMode)
        raise UnsupportedError(
            f"metadata['autoreset_mode'] of {env} must be one of {modes}, got {mode!r}"
        ) from None
