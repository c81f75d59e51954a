"""One protocol over every vector environment: a clean stream of transitions, whatever its autoreset mode.

Gymnasium's vector environments start a new episode in three ways. NEXT_STEP ignores the action after an
episode's end and returns the reset observation instead. SAME_STEP returns the reset observation at once and
the final one in its info. DISABLED waits to be told which environments to reset. The stepper hides this:
agents see for every step the true successor, the discount, and whether the step was one at all, in tensors
on their own device.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, ref

import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers.vector import ArrayConversion
from numpy.typing import NDArray
from torch import Tensor

from rlkit.envs.adapters.vector import ModelVectorEnv
from rlkit.envs.foreign import name_of, seed_of
from rlkit.errors import FAILURES, EnvironmentFault, NonFiniteError, RlkitError, UnsupportedError, blame
from rlkit.nn import Encoder, ObservationError
from rlkit.nn.actions import MaskError, as_given, legal_actions, mask_width

from .faults import autoreset_mode, overwritten, reset_overwrites

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
Info: TypeAlias = Mapping[str, Any]
T = TypeVar("T")
LAST = 100  # episodes whose returns are kept
OWN = ("ended", "returns", "lengths")  # what a stepper remembers of episodes, for its checkpoint

_steppers: "WeakKeyDictionary[VectorEnv[Any, Any, Any], ref[Stepper]]" = WeakKeyDictionary()


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
        self._finished: deque[tuple[float, int]] = deque(maxlen=LAST)
        self._episodes = 0
        base, same_step = env.unwrapped, self.mode is AutoresetMode.SAME_STEP
        if same_step and isinstance(base, AsyncVectorEnv):
            kinds = {getattr(make, "__code__", make): make for make in base.env_fns}
            if any(reset_overwrites(make, encoder) for make in kinds.values()):
                raise overwritten(env)
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

    @property
    def stands(self) -> bool:
        """Whether the environment is where the last step or reset left it.

        It is not after an error, or once another stepper was made for it.
        """
        last = _steppers.get(self.env.unwrapped)
        return self._whole and last is not None and last() is self

    def claim(self) -> None:
        """Be the one that steps the environment from now on."""
        _steppers[self.env.unwrapped] = ref(self)

    def _asked(self, what: str, answer: Callable[[], T]) -> T:
        """What the environment answers; what goes wrong in it becomes one error that names it."""
        self._whole = False
        try:
            found = answer()
        except ObservationError as error:
            where = "" if error.row is None else f", in environment {error.row}"
            kind = NonFiniteError if isinstance(error, NonFiniteError) else EnvironmentFault
            raise kind(f"{name_of(self.env)}: {error}{where}") from None
        except MaskError as error:
            raise EnvironmentFault(f"{name_of(self.env)}: {error}") from None
        except RlkitError:
            raise
        except FAILURES as error:
            raise EnvironmentFault(self._blamed(what, error)) from error
        self._whole = True
        return found

    def _blamed(self, what: str, error: BaseException) -> str:
        """What went wrong in the environment, or with an observation that it gave Gymnasium."""
        base, name = self.env.unwrapped, name_of(self.env)
        if isinstance(base, SyncVectorEnv) and not isinstance(error, AssertionError):
            for i, obs in enumerate(base._env_obs):
                try:
                    if obs is not None:
                        self._encoder.pack_one(obs)
                except ObservationError as found:
                    return f"{what} of {name} failed: {found}, in environment {i}"
        return f"{what} of {name} failed: {blame(error)}"

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        self.claim()
        self._asked("reset", lambda: self._restarted(seed_of(seed, self.env)))

    def _restarted(self, seed: int) -> None:
        obs, info = self.env.reset(seed=seed)
        tensor = self._encoder.first_tensor(obs)
        if tensor is not None:  # those of other libraries are read as numpy arrays
            self.env = ArrayConversion(self.env, torch, np, env_device=tensor.device)
            obs, info = self.env.reset(seed=seed)
        self._masked = self.mask_width > 0 and "action_mask" in info
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._stand(self._pack(obs), self._mask(info), np.ones(self.num_envs, dtype=np.bool_))

    def step(self, action: Tensor) -> Step:
        """Take one action [B, ...], discrete ones counted from 0, in every environment."""
        given = self._given(action)
        return self._asked("step", lambda: self._stepped(*self.env.step(given)))

    def _given(self, action: Tensor) -> Any:
        return as_given(action, self.env.single_action_space)

    def _stepped(self, obs: Any, rewards: Any, terminated: Any, truncated: Any, info: Info) -> Step:
        reward = np.asarray(rewards, dtype=np.float32)
        terminated, truncated = np.asarray(terminated, np.bool_), np.asarray(truncated, np.bool_)
        if not reward.shape == terminated.shape == truncated.shape == self._ended.shape:
            parts = {"reward": reward, "terminated": terminated, "truncated": truncated}
            name = next(name for name, part in parts.items() if part.shape != self._ended.shape)
            raise EnvironmentFault(
                f"{name} of {name_of(self.env)} must have shape {self._ended.shape}, got {parts[name].shape}"
            )
        if not math.isfinite(reward.sum()) and not np.isfinite(reward).all():
            i = np.flatnonzero(~np.isfinite(reward))[0]
            raise NonFiniteError(f"{name_of(self.env)}: reward {reward[i]} is not finite, in environment {i}")
        done = terminated | truncated
        next_obs = self._pack(obs)
        if self.mode is AutoresetMode.SAME_STEP:  # the masks are those of new episodes
            next_mask = self._mask(info)
        else:
            next_mask = self._mask(info, ~done, terminated, truncated)
        discount = 1 - np.asarray(terminated, dtype=np.float32)
        valid = ~self._ended
        now, mask, reset = next_obs, next_mask, self._ended

        if self.mode is AutoresetMode.NEXT_STEP:
            self._ended = done
        elif done.any():
            if self.mode is AutoresetMode.SAME_STEP:
                next_obs, next_mask = self._final(obs, next_obs, next_mask, terminated, truncated, info)
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
        self,
        shown: Any,
        obs: Array,
        mask: BoolArray | None,
        terminated: BoolArray,
        truncated: BoolArray,
        info: Info,
    ) -> tuple[Array, BoolArray | None]:
        """SAME_STEP: `obs`, `shown` in packed form, and `mask` with those of ended episodes put in."""
        if "final_obs" not in info:
            raise UnsupportedError(
                f"{self.env} is in SAME_STEP mode but its info lacks 'final_obs' where an episode ended"
            )
        final, done = info["final_obs"], terminated | truncated
        obs = obs.copy()
        one_by_one = isinstance(final, np.ndarray) and final.dtype == object
        ended = np.flatnonzero(done)
        self._check_kept(final[ended[0]] if one_by_one else final, shown, ended[0])
        if one_by_one:
            try:
                obs[done] = self._encoder.pack_all(final[done].tolist())
            except ObservationError as error:
                error.row = None if error.row is None else int(ended[error.row])
                raise
        else:
            obs[done] = self._pack(final)[done]
        if mask is not None:
            final_mask = self._mask(info.get("final_info", {}), np.zeros_like(done), terminated, truncated)
            mask = mask.copy()
            mask[done] = True if final_mask is None else final_mask[done]
        return obs, mask

    def _reset(self, obs: Array, mask: BoolArray | None, done: BoolArray) -> tuple[Array, BoolArray | None]:
        """DISABLED: start new episodes where `done`, and return where all environments now stand."""
        fresh, info = self.env.reset(options={"reset_mask": done.copy()})
        obs = obs.copy()
        obs[done] = self._pack(fresh)[done]
        fresh_mask = self._mask(info, done)
        if mask is not None and fresh_mask is not None:
            mask = np.where(done[:, None], fresh_mask, mask)
        return obs, mask

    def _check_kept(self, final: Any, shown: Any, i: int) -> None:
        """UnsupportedError if the final observation of environment i was overwritten by the one after it."""
        base = self.env.unwrapped
        fresh = base._env_obs[i] if isinstance(base, SyncVectorEnv) else shown
        if self._encoder.aliased(final, fresh):
            raise overwritten(self.env)

    def _pack(self, obs: Any) -> Array:
        packed: Array = self._encoder.pack(obs)
        if len(packed) != self.num_envs:
            raise EnvironmentFault(
                f"{name_of(self.env)} returned {len(packed)} observations for {self.num_envs} environments"
            )
        return packed

    def _mask(
        self,
        info: Info,
        needed: BoolArray | None = None,
        terminated: BoolArray | None = None,
        truncated: BoolArray | None = None,
    ) -> BoolArray | None:
        """Legal actions [B, A] from an info, which has them where `needed` [B] says so, or everywhere."""
        if not self._masked:
            if self.mask_width > 0 and "action_mask" in info:
                raise EnvironmentFault(
                    f"{name_of(self.env)} gives an action_mask in step but gave none in reset; "
                    "give it in the info of both"
                )
            return None
        present = info.get("_action_mask", np.full(self.num_envs, "action_mask" in info))
        missing = ~np.asarray(present, dtype=np.bool_)
        if needed is not None:
            missing &= needed
        if missing.any():
            raise EnvironmentFault(
                f"{name_of(self.env)} gives an action_mask at first but none in the info of environment "
                f"{missing.argmax()} now; give it in every reset and step"
            )
        if "action_mask" not in info:
            return np.ones((self.num_envs, self.mask_width), dtype=np.bool_)
        return legal_actions(
            info["action_mask"],
            self.env.single_action_space,
            batch=self.num_envs,
            present=present,
            terminated=terminated,
            truncated=truncated,
        )

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

    def state_dict(self) -> dict[str, Any]:
        """What changes with a step, where it lies, and what changes in the environment if it is rlkit's."""
        own = {name: getattr(self, f"_{name}") for name in OWN} | {"obs": self.obs, "reset": self.reset}
        own |= {} if self.mask is None else {"mask": self.mask}
        base = self.env.unwrapped
        return own | ({"env": base.state_dict()} if isinstance(base, ModelVectorEnv) else {})

    def load_state_dict(self, saved: Mapping[str, Any]) -> bool:
        """Go back to a saved state; False, and nothing changes, if the environment cannot."""
        base = self.env.unwrapped
        if not isinstance(base, ModelVectorEnv) or "env" not in saved:
            return False
        own = {name: self._own(x) for name, x in saved.items() if name != "env"}
        base.load_state_dict(saved["env"])
        for name in OWN:
            setattr(self, f"_{name}", own[name])
        self._stand(own["obs"], own.get("mask"), own["reset"])
        return True

    def recount(self, finished: Iterable[tuple[float, int]], episodes: int) -> None:
        """Continue the counts of `finished` and `episodes`."""
        self._finished.extend((float(value), int(length)) for value, length in finished)
        self._episodes = episodes

    def _own(self, array: Any) -> Any:
        """A saved array or tensor in the form that this stepper counts in."""
        return array.numpy(force=True) if isinstance(array, Tensor) else array
