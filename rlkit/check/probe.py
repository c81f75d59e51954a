"""What a probe is: one rule of learning, and a small problem whose optimum and values are known.

Most are tables, hence have every interface of a model, and their optimum and values come from the solvers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from rlkit.core import MDP, TableModel
from rlkit.core.model import Holder
from rlkit.core.table import TableState
from rlkit.envs.adapters.gym import ModelEnv
from rlkit.envs.adapters.vector import ModelVectorEnv
from rlkit.solvers import optimum, solve

INTERFACES = ("model", "sync", "torch")  # rlkit's batches, Gymnasium's of scalar ones, rlkit's in torch
SAME = 1e-9  # difference of two values up to which they are one
FloatArray = npt.NDArray[np.float64]


class Truth(NamedTuple):
    """What is known of a probe for one gamma.

    `obs` are the observations of N states, None where states look alike; `value` [N] and `q` [N, A] are those
    of every policy, and nan where policies differ, an action is illegal, or actions have no numbers.
    """

    optimum: float  # expectation over the first states, without a time limit
    decision: bool  # whether a policy can do worse
    names: tuple[str, ...]  # [N] of the states
    obs: Any
    first: npt.NDArray[np.bool_]  # [N] whether an episode can begin there
    value: FloatArray
    q: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe(ABC):
    """One rule of learning, and the problem that an agent solves only if it keeps it."""

    name: str
    rule: str  # in a few words, for whoever broke it
    gamma: float = 0.9
    limit: int | None = None  # steps after which an episode is cut
    steps: int = 2_000  # of training, where nothing else is known of the agent
    tolerance: float = 0.05  # of the return of the greedy policy
    needs_memory: bool = False
    at_the_end: bool = False  # whether the rule is about what follows the end of an episode
    interfaces: tuple[str, ...] = INTERFACES

    def vector_env(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        interface: str = "model",
        limited: bool = True,
    ) -> VectorEnv[Any, Any, Any]:
        """The probe as a vector environment, with its time limit unless not `limited`."""
        return self._made(num_envs, autoreset_mode, interface, self.limit if limited else None)

    @abstractmethod
    def _made(
        self, num_envs: int, mode: AutoresetMode, interface: str, limit: int | None
    ) -> VectorEnv[Any, Any, Any]: ...

    @abstractmethod
    def truth(self, gamma: float) -> Truth:
        """Optimum and values, discounted by `gamma` [0, 1]."""


class ShownTable(TableModel):
    """An MDP of which `seen` says, by the name of the state, what is observed in each; with `hidden` states
    that look alike. `action_space` may be a MultiDiscrete of as many actions as the MDP has.
    """

    def __init__(
        self,
        mdp: MDP,
        space: spaces.Space[Any],
        seen: Mapping[str, Any],
        *,
        action_space: spaces.MultiDiscrete | None = None,
    ) -> None:
        super().__init__(mdp)
        self.observation_space, self.action_space = space, action_space
        rows = [seen[mdp.state_name(s)] for s in range(mdp.n_states)]
        self.shown = _Columns()
        self.parts: tuple[str, ...] = ()
        if isinstance(space, spaces.Dict):
            self.parts = tuple(space.spaces)
            for part, leaf in space.spaces.items():
                setattr(self.shown, part, np.array([row[part] for row in rows], dtype=leaf.dtype))
        else:
            self.shown.whole = np.array(rows, dtype=space.dtype)
        alive = [str(row) for s, row in enumerate(rows) if not mdp.terminal[s]]
        self.hidden = len(set(alive)) < len(alive)

    def observe(self, state: TableState) -> Any:
        """What is seen of each state, [B, ...], or a dict of such."""
        if self.parts:
            return {part: getattr(self.shown, part)[state.index] for part in self.parts}
        return self.shown.whole[state.index]


class _Columns(Holder):
    """What is seen in each state, [S, ...]: one array, or one for each part."""

    whole: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class TableProbe(Probe):
    """A probe that is an MDP, or a POMDP if its states look alike."""

    model: TableModel

    def _made(
        self, num_envs: int, mode: AutoresetMode, interface: str, limit: int | None
    ) -> VectorEnv[Any, Any, Any]:
        if interface == "sync":
            return _synchronous(lambda: ModelEnv(self.model), num_envs, limit, mode)
        how: dict[str, Any] = {"num_envs": num_envs, "max_episode_steps": limit, "autoreset_mode": mode}
        if interface == "torch":
            from rlkit.envs.adapters.torch import TorchVectorEnv

            return TorchVectorEnv(self.model, device="cpu", **how)
        return ModelVectorEnv(self.model, **how)

    def truth(self, gamma: float) -> Truth:
        """Optimum and values, discounted by `gamma` [0, 1]; with memory where states look alike."""
        env, mdp = self._env, self._env.mdp()
        if self.model.partially_observable:
            return _only(optimum(env.pomdp(), gamma=gamma).initial.value)
        best, worst = (solve(mdp, gamma=gamma, minimize=worst) for worst in (False, True))
        numbered = self.model.action_space is None
        states = np.flatnonzero(~mdp.terminal)
        return Truth(
            optimum=best.initial.value,
            decision=best.initial.value - worst.initial.value > SAME,
            names=tuple(mdp.state_name(int(s)) for s in states),
            obs=_rows(env.observations(), states),
            first=mdp.initial[states] > 0,
            value=_common(best.value, worst.value)[states],
            q=mdp.table(_common(best.q, worst.q) if numbered else np.full(mdp.n_choices, np.nan))[states],
        )

    @cached_property
    def _env(self) -> ModelEnv:
        return ModelEnv(self.model)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bandit(Probe):
    """A one-step problem given as an environment, whose largest reward is 0 everywhere."""

    make: Callable[[], gym.Env[Any, Any]]
    interfaces: tuple[str, ...] = ("sync",)

    def _made(
        self, num_envs: int, mode: AutoresetMode, interface: str, limit: int | None
    ) -> VectorEnv[Any, Any, Any]:
        return _synchronous(self.make, num_envs, limit, mode)

    def truth(self, gamma: float) -> Truth:
        """The optimum 0; the value of a policy with noise lies below it."""
        return _only(0.0)


def _synchronous(
    make: Callable[[], gym.Env[Any, Any]], num_envs: int, limit: int | None, mode: AutoresetMode
) -> VectorEnv[Any, Any, Any]:
    def limited() -> gym.Env[Any, Any]:
        return make() if limit is None else TimeLimit(make(), limit)

    return SyncVectorEnv([limited] * num_envs, autoreset_mode=mode)


def _only(optimum: float) -> Truth:
    """What is known where states cannot be seen, or their values depend on the policy."""
    none = np.zeros(0)
    return Truth(optimum, True, (), None, none.astype(np.bool_), none, none.reshape(0, 0))


def _rows(observations: Any, index: npt.NDArray[np.int64]) -> Any:
    if isinstance(observations, dict):
        return {part: array[index] for part, array in observations.items()}
    return observations[index]


def _common(best: FloatArray, worst: FloatArray) -> FloatArray:
    """Values that all policies share, nan elsewhere."""
    return np.where(np.abs(best - worst) <= SAME, best, np.nan)
