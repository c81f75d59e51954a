"""The Gymnasium faces of a model: one environment, and a batch of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ..core.arrays import Array
from ..core.enumerate import Enumerated, enumerated
from ..core.mdp import MDP
from ..core.model import Model, leaves, take
from ..core.pomdp import POMDP, pomdp_of
from ..core.table import TableModel
from .legal import LegalDiscrete, LegalMultiDiscrete
from .simulation import Simulation
from .single import episode_of, first

Info = dict[str, Any]


RENDER_MODES = ("rgb_array", "human", "ansi")
MOST_STARTS = 64  # that are looked at for what is legal at first


class ModelEnv(gym.Env[Any, Any]):
    """One episode at a time of any `Model`, as a `gymnasium.Env`.

    Observations and actions are those of the model; `info["action_mask"]` [A] int8 is there when some
    actions can be illegal. Raises `InvalidAction` for an action that is not legal.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4}

    def __init__(self, model: Model[Any], *, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode {render_mode!r} is none of {', '.join(RENDER_MODES)}")
        self.model = model
        self._spec: EnvSpec | None = None
        self.render_mode = render_mode
        self.observation_space = model.observation_space
        self.action_space = action_space(model)
        self.last_action: int | None = None
        self._episode = episode_of(model)
        self._begun = self._over = False
        self._steps = 0
        self._window: Any = None

    @property
    def spec(self) -> EnvSpec | None:
        """How it was registered, with the time limit of the model where the id has none."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = limited(spec, self.model.limit)

    def mdp(self) -> MDP:
        """The exact model behind this environment, enumerated once. Raises `NoExactModel` when too large."""
        return self._exact.mdp

    def pomdp(self) -> POMDP:
        """The same with what is seen in each state. Raises `ModelError` where actions tell states apart."""
        return pomdp_of(self._exact.mdp, self.model.observe(self._exact.states))

    def states(self) -> Any:
        """The states of `mdp()`, a batch in the same order."""
        return self._exact.states

    def observations(self) -> Any:
        """What the agent sees in each of `states()`, [S, ...], or a dict or tuple of such."""
        return unshared(self.model.observe(self._exact.states), self._exact.states)

    @property
    def state(self) -> Any:
        """The present state, a batch of one; None before the first reset."""
        return self._episode.state

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Which actions are legal now, [A]."""
        return self._episode.mask().astype(np.bool_)

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Any, Info]:
        """Begin an episode; with a seed, the first of that seed, else the next one."""
        super().reset(seed=seed)
        if seed is not None or not self._begun:
            self._episode.reseed(int(self.np_random.integers(2**62)) if seed is None else seed)
        self._episode.restart()
        self._begun, self._over, self._steps, self.last_action = True, False, 0, None
        if self.render_mode == "human":
            self.render()
        return self._shown()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Take one action; truncated by the model's own limit, as by a wrapper's."""
        if self._over or not self._begun:
            raise ResetNeeded("the episode is over: call reset" if self._over else "call reset before step")
        taken = action if type(action) is int else flat_action(self.action_space, action)
        reward, terminated = self._episode.step(taken)
        self._steps += 1
        truncated = self.model.limit is not None and self._steps >= self.model.limit
        self.last_action, self._over = taken, terminated or truncated
        if self.render_mode == "human":
            self.render()
        observation, info = self._shown()
        return observation, reward, terminated, truncated, info

    def render(self) -> Any:
        """The present state as an image [H, W, 3] uint8, as text, or in a window."""
        if self.render_mode is None:
            gym.logger.warn("render was called on an environment made without a render_mode")
            return None
        if not self._begun:
            raise ResetNeeded("call reset before render")
        from . import render

        state, action = self._episode.state, self.last_action
        if self.render_mode == "ansi":
            return render.text(self.model, state, action)
        frame = render.picture(self.model, state, action)
        if self.render_mode == "rgb_array":
            return frame
        self._window = render.show(self._window, frame, fps=self.metadata["render_fps"])
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            import pygame

            pygame.display.quit()
            self._window = None

    @cached_property
    def _exact(self) -> Enumerated:
        if isinstance(self.model, TableModel):
            return Enumerated(self.model.mdp, self.model.all_states())
        return enumerated(self.model)

    def _shown(self) -> tuple[Any, Info]:
        if not self.model.masked:
            return self._episode.observation(), {}
        mask = self._episode.mask()
        if isinstance(self.action_space, LegalDiscrete):
            self.action_space.legal = mask.copy()
        return self._episode.observation(), {"action_mask": mask}


def limited(spec: EnvSpec | None, limit: int | None) -> EnvSpec | None:
    """The specification with a time limit, where it has none."""
    if spec is None or limit is None or spec.max_episode_steps is not None:
        return spec
    return replace(spec, max_episode_steps=limit)


def action_space(model: Model[Any]) -> spaces.Space[Any]:
    """The space of a model's actions: its own, else `Discrete`."""
    if model.action_space is not None:
        return model.action_space
    if not model.masked:
        return spaces.Discrete(model.n_actions)
    starts = np.arange(min(model.n_starts, MOST_STARTS))
    legal: npt.NDArray[np.bool_] = model.legal(model.initial(starts))
    opening: npt.NDArray[np.bool_] = np.logical_and.reduce(legal, axis=0)
    return LegalDiscrete(opening)


def time_limit(env: gym.Env[Any, Any]) -> int | None:
    """Steps after which an episode of an environment is cut, by its wrapper or by its model."""
    model = env.unwrapped.model if isinstance(env.unwrapped, ModelEnv) else None
    limits = (
        None if env.spec is None else env.spec.max_episode_steps,
        None if model is None else model.limit,
    )
    return min((limit for limit in limits if limit is not None), default=None)


def flat_action(space: spaces.Space[Any], action: Any) -> int:
    """The number of one action; raises `InvalidAction` for what is no action of the space."""
    if isinstance(action, np.integer):
        return int(action)
    taken = np.asarray(action)
    if not np.issubdtype(taken.dtype, np.integer):
        raise InvalidAction(f"action {action!r} is no integer")
    if isinstance(space, spaces.MultiDiscrete):
        if not space.contains(taken.astype(space.dtype)):
            raise InvalidAction(f"action {action!r} is not in {space}")
        return int(np.ravel_multi_index(tuple(taken), tuple(space.nvec)))
    if taken.size != 1:
        raise InvalidAction(f"action {action!r} is not one integer")
    return int(taken.reshape(()))


def action_mask(env: gym.Env[Any, Any], info: Info) -> npt.NDArray[np.int8] | None:
    """Which actions an info says are legal, [A]; None where it does not say or actions have no numbers."""
    mask = info.get("action_mask")
    discrete = isinstance(env.action_space, spaces.Discrete)
    return None if mask is None or not discrete else np.asarray(mask, dtype=np.int8)


class MDPEnv(ModelEnv):
    """Any MDP as an environment: observe the number of the state, take the number of an action."""

    def __init__(self, mdp: MDP, *, render_mode: str | None = None) -> None:
        super().__init__(TableModel(mdp), render_mode=render_mode)


class ModelVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of episodes of any `Model`, as a `gymnasium.vector.VectorEnv`.

    Environment i of seed s lives the very episodes that `ModelEnv` lives with seed s + i. A time limit
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
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, not {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, not {max_episode_steps}")
        self.num_envs = num_envs
        self._spec: EnvSpec | None = None
        limits = [limit for limit in (max_episode_steps, model.limit) if limit is not None]
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
        return self._observations(), self._infos()

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
        return self._observations(), reward, terminated, truncated, info | self._infos()

    def action_masks(self) -> Array:
        """Which actions are legal now, [B, A] bool."""
        return self.model.legal(self._simulation.state)

    def render(self) -> tuple[Any, ...] | None:
        """One frame or text for each environment."""
        if self.render_mode is None:
            return None
        from . import render

        draw = render.text if self.render_mode == "ansi" else render.picture
        state = self._simulation.state
        return tuple(draw(self.model, take(state, slice(i, i + 1)), None) for i in range(self.num_envs))

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Everything that a continued run needs, as arrays."""
        held = self.held().items()
        return {name: np.array(x if isinstance(x, np.ndarray) else x.cpu().numpy()) for name, x in held}

    def set_state(self, saved: dict[str, npt.NDArray[Any]]) -> tuple[Any, Info]:
        """Continue from what `get_state` returned; returns what `reset` would."""
        self.hold({name: self._simulation.array(np.array(x)) for name, x in saved.items()})
        return self._observations(), self._infos()

    def held(self) -> dict[str, Array]:
        """The arrays that change with a step, where they are: everything that a continued run needs."""
        return {**self._simulation.held(), "done": self._done}

    def hold(self, arrays: Mapping[str, Array]) -> None:
        """Go on with these in place of `held`."""
        self._simulation.hold(arrays)
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

    def _infos(self) -> Info:
        if not self.model.masked:
            return {}
        mask = self.action_masks().astype(np.int8)
        if isinstance(self.action_space, LegalMultiDiscrete):
            self.action_space.legal = mask.copy()
        return {"action_mask": mask, "_action_mask": self._everybody.copy()}

    def _final(self) -> Info:
        last, ended = self._observations(), self._done.copy()
        final_obs = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended).tolist():
            final_obs[i] = first(last, i)
        final_info = {k: v & ended if k.startswith("_") else v for k, v in self._infos().items()}
        return {
            "final_obs": final_obs,
            "_final_obs": ended,
            "final_info": final_info,
            "_final_info": ended.copy(),
        }


def unshared(observation: Any, state: Any) -> Any:
    """A batch of observations that its owner may change: what shares memory with the state is copied."""
    if isinstance(observation, dict):
        return {name: unshared(part, state) for name, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(unshared(part, state) for part in observation)
    shared = any(np.may_share_memory(observation, leaf) for leaf in leaves(state))
    return np.array(observation) if shared else observation
