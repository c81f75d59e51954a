"""A batch of episodes of a model, as a `gymnasium.vector.VectorEnv`."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ...core.arrays import Array
from ...core.contract import check_attributes
from ...core.model import Model, take
from .episode import first
from .gym import Info, action_space, limited, unshared
from .legal_spaces import LegalMultiDiscrete, shown
from .simulation import Simulation


class ModelVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of episodes of any `Model`, as a `gymnasium.vector.VectorEnv`.

    Environment i of seed s has the same episodes as `ModelEnv` with seed s + i. A time limit
    truncates; what happens at an episode's end follows `autoreset_mode`, with `final_obs` and `final_info`
    as Gymnasium has them. Raises `InvalidAction` for an action that is not legal.
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}

    def __init__(
        self,
        model: Model[Any],
        *,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        check_attributes(model)
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, not {max_episode_steps}")
        self.num_envs = num_envs
        self._spec: EnvSpec | None = None
        limits = [limit for limit in (max_episode_steps, model.max_episode_steps) if limit is not None]
        self.max_episode_steps = min(limits, default=None)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.single_observation_space = model.observation_space
        self.single_action_space = action_space(model)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        if model.masked:
            self.action_space = LegalMultiDiscrete([model.n_actions] * num_envs)
        self._simulation = self._simulate(model)
        self.model = self._simulation.model
        self._nobody = self._simulation.array(np.zeros(num_envs, dtype=np.bool_))
        self._everybody = ~self._nobody
        self._done = self._nobody

    @property
    def spec(self) -> EnvSpec | None:
        """How it was registered, with the time limit of the model where the id has none."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = limited(spec, self.max_episode_steps)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Info | None = None
    ) -> tuple[Any, Info]:
        """Begin episodes everywhere, or where `options["reset_mask"]` holds; environment i gets seed + i."""
        mask = self._everybody
        if options is not None and "reset_mask" in options:
            mask = self._simulation.array(options["reset_mask"])
            if mask.dtype != self._simulation.xp.bool:
                raise TypeError(f"reset_mask must be an array of bool, not of {mask.dtype}")
            if tuple(mask.shape) != (self.num_envs,):
                raise ValueError(f"reset_mask has shape {tuple(mask.shape)}, expected ({self.num_envs},)")
            if not self._may(mask):
                raise ValueError("reset_mask is true nowhere")
        self._reseed(seed, mask)
        self._simulation.restart(mask)
        self._done = self._done & ~mask
        return self._observations(), self._infos(mask)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, Info]:
        """Take one action in each environment; rewards, terminations and truncations [B]."""
        simulation, mode, over = self._simulation, self.autoreset_mode, self._done
        taken = self._flat(actions)
        someone_over = over is not self._nobody and self._may(over)
        if someone_over and mode is AutoresetMode.DISABLED:
            i = int(simulation.xp.argmax(simulation.xp.astype(over, simulation.xp.int8)))
            raise ResetNeeded(f"environment {i} is over: reset it with a reset_mask")
        playing = ~over if someone_over else None
        reward, terminated = simulation.step(taken, playing)
        truncated = self._nobody | False  # a new one, which the caller may change
        if self.max_episode_steps is not None:
            truncated = simulation.elapsed >= self.max_episode_steps
            truncated = truncated if playing is None else truncated & playing
        self._done = terminated | truncated
        info: Info = {}
        if someone_over and mode is AutoresetMode.NEXT_STEP:
            simulation.restart(over)
        elif mode is AutoresetMode.SAME_STEP and self._may(self._done):
            info = self._final()
            simulation.restart(self._done)
            self._done = self._nobody
        return self._observations(), reward, terminated, truncated, info | self._infos(self._everybody)

    def action_masks(self) -> Array:
        """Which actions are legal now, [B, A] bool; all of them where an episode is over."""
        return shown(self.model.legal(self._simulation.state))

    def render(self) -> tuple[Any, ...] | None:
        """One frame or text for each environment."""
        if self.render_mode is None:
            return None
        from ..rendering import frames as render

        draw = render.text if self.render_mode == "ansi" else render.picture
        state = self._simulation.state
        return tuple(draw(self.model, take(state, slice(i, i + 1)), None) for i in range(self.num_envs))

    def state_dict(self) -> dict[str, Array]:
        """The arrays that change with a step, where they lie: everything needed to resume."""
        return {**self._simulation.state_dict(), "done": self._done}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue with these arrays in place of those of `state_dict`."""
        arrays = {name: self._simulation.array(x) for name, x in saved.items()}
        self._simulation.load_state_dict(arrays)
        self._done = arrays["done"]

    def _simulate(self, model: Model[Any]) -> Simulation:
        return Simulation(model, self.num_envs)

    def _may(self, mask: Array) -> bool:
        """Whether the mask may hold somewhere; on a GPU that is not looked at."""
        return not self._simulation.waits or bool(mask.any())

    def _flat(self, actions: Any) -> Array:
        """Actions as numbers, [B]; raises `InvalidAction` for a wrong shape or type."""
        taken = np.asarray(actions)
        space = self.single_action_space
        shape = (self.num_envs, *(space.shape or ()))
        if taken.shape != shape or not np.issubdtype(taken.dtype, np.integer):
            raise InvalidAction(f"actions must be integers {shape}, not {taken.dtype} {taken.shape}")
        if isinstance(space, spaces.MultiDiscrete):
            if ((taken < 0) | (taken >= space.nvec)).any():
                raise InvalidAction(f"actions must lie in {space}")
            taken = np.ravel_multi_index(tuple(taken.T), tuple(space.nvec))
        return taken.astype(np.int64, copy=False)

    def _reseed(self, seed: int | Sequence[int | None] | None, mask: Array) -> None:
        if self._simulation.state is None:
            fresh = self.np_random.integers(2**62, size=self.num_envs).tolist()
            self._simulation.reseed(fresh, self._everybody)
        if seed is None:
            return
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int | np.integer) else list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        negative = [s for s in seeds if s is not None and s < 0]
        if negative:
            raise gym.error.Error(f"seed must be at least 0, not {negative[0]}")
        given = self._simulation.array(np.array([s is not None for s in seeds]))
        self._simulation.reseed([0 if s is None else int(s) for s in seeds], mask & given)

    def _observations(self) -> Any:
        return unshared(self.model.observe(self._simulation.state), self._simulation.state)

    def _infos(self, told: Array) -> Info:
        """The mask of every environment, with a flag where Gymnasium's vectors have one, `told` [B]."""
        if not self.model.masked:
            return {}
        mask = self.action_masks().astype(np.int8)
        if isinstance(self.action_space, LegalMultiDiscrete):
            self.action_space.legal = mask.copy()
        return {"action_mask": mask, "_action_mask": told.copy()}

    def _final(self) -> Info:
        last, ended = self._observations(), self._done.copy()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended).tolist():
            final_obs[i] = first(last, i)
        return {
            "final_obs": final_obs,
            "_final_obs": ended,
            "final_info": self._infos(ended),
            "_final_info": ended.copy(),
        }
