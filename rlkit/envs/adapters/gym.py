"""One environment at a time of a model, as a `gymnasium.Env`, and what is asked of any environment."""

from dataclasses import replace
from functools import cached_property
from os import PathLike
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded

from ...core.contract import asked, check_attributes
from ...core.enumerate import Enumerated, enumerated
from ...core.errors import ModelError, NoTable
from ...core.export import to_gymnasium
from ...core.mdp import MDP
from ...core.model import Model, batch_size, leaves
from ...core.outcomes import Outcome
from ...core.pomdp import POMDP, pomdp_of
from ...core.table import TableModel
from ..chains.table import table
from .episode import episode_of
from .legal_spaces import LegalDiscrete

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
        check_attributes(model)
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
        self._spec = limited(spec, self.model.max_episode_steps)

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
    def P(self) -> dict[int, dict[int, list[Outcome]]]:
        """The table of `states()` by number, as Gymnasium's FrozenLake has it; `to_gymnasium` says how.

        Made once. Raises `NoTable` for a model that is too large, and for what such a table cannot say.
        """
        return self._tables[0]

    @property
    def initial_state_distrib(self) -> npt.NDArray[np.float64]:
        """Probability of each of `states()` to be the first, as Gymnasium's FrozenLake has it."""
        return self._tables[1]

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
        truncated = self.model.max_episode_steps is not None and self._steps >= self.model.max_episode_steps
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
        from ..rendering import frames as render

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
            mdp = self.model.mdp
            return Enumerated(mdp, self.model.all_states(), np.arange(mdp.n_states))
        return enumerated(self.model)

    @cached_property
    def _tables(self) -> tuple[dict[int, dict[int, list[Outcome]]], npt.NDArray[np.float64]]:
        try:
            mdp, states, numbers = self._exact
            return to_gymnasium(mdp, numbers), np.array(mdp.initial[: batch_size(states)])
        except ModelError as error:
            raise NoTable(str(error)) from error

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
    opening: npt.NDArray[np.bool_] = asked(model, "legal", model.initial(starts)).all(axis=0)
    return LegalDiscrete(opening)


def time_limit(env: gym.Env[Any, Any]) -> int | None:
    """Steps after which an episode of an environment is cut, by its wrapper or by its model."""
    model = env.unwrapped.model if isinstance(env.unwrapped, ModelEnv) else None
    limits = (
        None if env.spec is None else env.spec.max_episode_steps,
        None if model is None else model.max_episode_steps,
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
    """Any MDP as an environment: observe the number of the state, take the number of an action.

    Of a POMDP the observation's number is seen. Raises `OptionError` for all but a model or a model file.
    """

    def __init__(self, mdp: MDP | POMDP | str | PathLike[str], *, render_mode: str | None = None) -> None:
        super().__init__(table(mdp=mdp), render_mode=render_mode)


def unshared(observation: Any, state: Any) -> Any:
    """A batch of observations that its owner may change: what shares memory with the state is copied."""
    if isinstance(observation, dict):
        return {name: unshared(part, state) for name, part in observation.items()}
    if isinstance(observation, tuple):
        return tuple(unshared(part, state) for part in observation)
    shared = any(np.may_share_memory(observation, leaf) for leaf in leaves(state))
    return np.array(observation) if shared else observation
