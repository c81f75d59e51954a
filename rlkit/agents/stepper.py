"""One protocol over every vector environment: a clean stream of transitions, whatever its autoreset mode.

Gymnasium's vector environments start a new episode in three ways. NEXT_STEP ignores the action after an
episode's end and returns the reset observation instead. SAME_STEP returns the reset observation at once and
the final one in its info. DISABLED waits to be told which environments to reset. The stepper hides this:
agents see for every step the true successor, the discount, and whether the step was one at all.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from ..nn import Encoder
from .errors import NonFiniteError, UnsupportedError

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float32]
Info: TypeAlias = Mapping[str, Any]


class Step(NamedTuple):
    """One step of B environments; observations are packed."""

    next_obs: Array  # [B, ...] the true successor: the final observation where an episode ended
    next_mask: BoolArray | None  # [B, A] legal actions in next_obs
    reward: FloatArray  # [B]
    discount: FloatArray  # [B] 0 where a terminal state was reached, else 1; a time limit leaves it 1
    done: BoolArray  # [B] the episode ended, by a terminal state or by a time limit
    valid: BoolArray  # [B] false where the environment only started a new episode: not a transition


class Stepper:
    """Steps a vector environment; `obs`, `mask` and `reset` say where it stands now.

    `obs` [B, ...] are the packed observations to act on, `mask` [B, A] the legal actions or None,
    `reset` [B] true where `obs` is the first of an episode, `finished` the (return, length) of the last
    100 episodes and `episodes` the number of all.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], encoder: Encoder, *, seed: int) -> None:
        if not isinstance(env.single_action_space, spaces.Discrete):
            raise UnsupportedError(f"action space {env.single_action_space} is not supported; use Discrete")
        self.env = env
        self.num_envs = env.num_envs
        self.n_actions = int(env.single_action_space.n)
        self.mode = autoreset_mode(env)
        self._encoder = encoder
        self._first_action = int(env.single_action_space.start)
        self._check_finite = np.issubdtype(encoder.dtype, np.floating)
        self.finished: deque[tuple[float, int]] = deque(maxlen=100)
        self.episodes = 0
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        obs, info = self.env.reset(seed=seed)
        self.obs = self._pack(obs)
        self._masked = "action_mask" in info
        self.mask = self._mask(info)
        self.reset = np.ones(self.num_envs, dtype=np.bool_)
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    def step(self, action: Array) -> Step:
        """Take one action [B], counted from 0, in every environment."""
        obs, rewards, terminated, truncated, info = self.env.step(action + self._first_action)
        packed = self._pack(obs)
        reward = np.asarray(rewards, dtype=np.float32)
        if not np.isfinite(reward.sum()) and not np.isfinite(reward).all():
            raise NonFiniteError(
                f"reward of environment {np.flatnonzero(~np.isfinite(reward))[0]} is not finite"
            )
        done = np.logical_or(terminated, truncated)
        discount = 1 - np.asarray(terminated, dtype=np.float32)
        valid = ~self._ended
        next_obs, next_mask = packed, self._mask(info)
        self.obs, self.mask, self.reset = next_obs, next_mask, self._ended

        if self.mode is AutoresetMode.NEXT_STEP:
            self._ended = done
        elif done.any():
            if self.mode is AutoresetMode.SAME_STEP:
                next_obs, next_mask = self._final(packed, next_mask, done, info)
            else:
                self.obs, self.mask = self._reset(packed, next_mask, done)
            self.reset = done
        self._count(reward, done, valid)
        return Step(next_obs, next_mask, reward, discount, done, valid)

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
        packed = self._encoder.pack(obs)
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
            return np.ones((self.num_envs, self.n_actions), dtype=np.bool_)
        mask = np.array(info["action_mask"], dtype=np.bool_)
        if mask.shape != (self.num_envs, self.n_actions):
            raise UnsupportedError(
                f"action_mask must have shape {(self.num_envs, self.n_actions)}, got {mask.shape}"
            )
        if "_action_mask" in info:
            mask[~np.asarray(info["_action_mask"])] = True
        return mask

    def _count(self, reward: FloatArray, done: BoolArray, valid: BoolArray) -> None:
        """Keep the running return and length of every episode."""
        self._returns += np.where(valid, reward, 0)
        self._lengths += valid
        if done.any():
            for i in np.flatnonzero(done):
                self.finished.append((float(self._returns[i]), int(self._lengths[i])))
            self.episodes += int(done.sum())
            self._returns[done] = 0
            self._lengths[done] = 0

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(arrays, JSON) of everything, and the environment's own state if it offers `get_state`."""
        arrays = {"obs": self.obs, "reset": self.reset, "ended": self._ended}
        arrays |= {"returns": self._returns, "lengths": self._lengths}
        if self.mask is not None:
            arrays["mask"] = self.mask
        get_state = getattr(self.env.unwrapped, "get_state", None)
        if get_state is not None:
            arrays |= {f"env/{name}": np.asarray(value) for name, value in get_state().items()}
        return arrays, {"finished": list(self.finished), "episodes": self.episodes}

    def set_state(self, arrays: dict[str, Array], meta: dict[str, Any], *, seed: int) -> None:
        """Go back to a saved state; an environment that cannot starts new episodes, seeded with `seed`."""
        self.finished.extend((float(value), int(length)) for value, length in meta["finished"])
        self.episodes = int(meta["episodes"])
        own = {name.removeprefix("env/"): value for name, value in arrays.items() if name.startswith("env/")}
        set_state = getattr(self.env.unwrapped, "set_state", None)
        if set_state is None or not own:
            self.restart(seed)
            return
        set_state(own)
        self.obs, self.reset, self._ended = arrays["obs"], arrays["reset"], arrays["ended"]
        self._returns, self._lengths = arrays["returns"], arrays["lengths"]
        self.mask = arrays.get("mask")


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
