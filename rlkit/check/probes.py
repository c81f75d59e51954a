"""Probes: decision problems so small that one rule of learning decides whether an agent solves them.

Most are tables, hence have every face of a model, and their optimum and values come from the solvers.
Rewards are chosen so that an optimal policy earns about the same in every episode: there is little noise in
its sampled return.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from rlkit.core import MDP, TableModel, from_successors
from rlkit.core.model import Holder
from rlkit.core.table import TableState
from rlkit.envs.faces import ModelEnv, ModelVectorEnv
from rlkit.solvers import belief_mdp, solve

__all__ = ["FACES", "PROBES", "Bandit", "ContinuousBandit", "Probe", "ShownTable", "TableProbe", "Truth"]

FACES = ("model", "sync", "torch")  # rlkit's vector environment, Gymnasium's of scalar ones, rlkit's in torch
SAME = 1e-9  # difference of two values up to which they are one
FloatArray = npt.NDArray[np.float64]
Outcomes = Sequence[tuple[float, str, float]]  # probability, successor, reward
Table = Mapping[str, Mapping[str, Outcomes]]  # state -> action -> outcomes; a state that has none is the end


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
    faces: tuple[str, ...] = FACES

    @abstractmethod
    def vector_env(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        face: str = "model",
        limited: bool = True,
    ) -> VectorEnv[Any, Any, Any]:
        """The probe as a vector environment, with its time limit unless not `limited`."""

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

    def vector_env(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        face: str = "model",
        limited: bool = True,
    ) -> VectorEnv[Any, Any, Any]:
        """The probe as a vector environment, with its time limit unless not `limited`."""
        limit = self.limit if limited else None
        if face == "sync":
            return _synchronous(lambda: ModelEnv(self.model), num_envs, limit, autoreset_mode)
        if face == "torch":
            from rlkit.envs.device import TorchVectorEnv

            return TorchVectorEnv(
                self.model,
                device="cpu",
                num_envs=num_envs,
                max_episode_steps=limit,
                autoreset_mode=autoreset_mode,
            )
        return ModelVectorEnv(
            self.model, num_envs=num_envs, max_episode_steps=limit, autoreset_mode=autoreset_mode
        )

    def truth(self, gamma: float) -> Truth:
        """Optimum and values, discounted by `gamma` [0, 1]; with memory where states look alike."""
        env, mdp = self._env, self._env.mdp()
        if self.model.hidden:
            optimum = solve(belief_mdp(env.pomdp()).mdp, gamma=gamma).initial.value
            return _only(optimum)
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


class ContinuousBandit(gym.Env[Any, Any]):
    """One step: a target in [-1, 1] is shown, and an action [1] earns minus its squared distance from it."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Draw a target."""
        super().reset(seed=seed)
        self.target = self.np_random.uniform(-1, 1, 1).astype(np.float32)
        return self.target.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Pay and end; a ValueError for an action of the wrong shape or outside the space."""
        taken = np.asarray(action, dtype=np.float64)
        if taken.shape != (1,) or not -1 <= taken[0] <= 1:
            raise ValueError(f"action {action!r} is not in {self.action_space}")
        return self.target.copy(), -float((taken[0] - self.target[0]) ** 2), True, False, {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Bandit(Probe):
    """A one-step problem given as an environment, whose largest reward is 0 everywhere."""

    make: Callable[[], gym.Env[Any, Any]]
    faces: tuple[str, ...] = ("sync",)

    def vector_env(
        self,
        num_envs: int,
        *,
        autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        face: str = "sync",
        limited: bool = True,
    ) -> VectorEnv[Any, Any, Any]:
        """The probe as a vector environment."""
        return _synchronous(self.make, num_envs, None, autoreset_mode)

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


# The problems. An action named in none of the outcomes is illegal.


def _then(successor: str, reward: float = 0.0) -> Outcomes:
    return [(1.0, successor, reward)]


def _pays(*rewards: float) -> dict[str, Outcomes]:
    """The episode ends; action a has paid `rewards[a]`."""
    return {str(a): _then("end", reward) for a, reward in enumerate(rewards)}


def _whatever(outcomes: Outcomes) -> dict[str, Outcomes]:
    """Two actions that do the same."""
    return {"0": outcomes, "1": outcomes}


def _mdp(table: Table, *starts: str, actions: Sequence[str] = ("0", "1")) -> MDP:
    """The table, begun in each of the first states equally often."""
    first = {state: 1 / len(starts) for state in starts}
    return from_successors(lambda state: table.get(state, {}), first, action_names=actions)


def _constant() -> TableModel:
    return TableModel(_mdp({"start": _whatever(_then("end", 1))}, "start"))


def _observation() -> TableModel:
    table = {"loss": _whatever(_then("end", -1)), "win": _whatever(_then("end", 1))}
    return TableModel(_mdp(table, *table))


def _discounted() -> TableModel:
    return TableModel(
        _mdp({"start": _whatever(_then("middle")), "middle": _whatever(_then("end", 1))}, "start")
    )


def _action() -> TableModel:
    return TableModel(_mdp({"start": _pays(-1, 1)}, "start"))


def _match() -> TableModel:
    table = {"0": _pays(1, -1), "1": _pays(-1, 1)}
    return TableModel(_mdp(table, *table))


def _endless() -> TableModel:
    return TableModel(_mdp({"start": _whatever(_then("start", 1))}, "start"))


def _last_seen() -> TableModel:
    table = {"start": _whatever(_then("stream")), "stream": _whatever(_then("stream", 1))}
    return TableModel(_mdp(table, "start"))


def _patience() -> TableModel:
    """Pass a gate for 3; then take 1.2, or walk to where 1 is paid for ever, which is worth 9.

    The limit cuts the episode after the first 1. Whoever takes that for the end, or sees the gate behind it,
    prefers the 1.2.
    """
    table = {
        "gate": _whatever(_then("fork", -3)),
        "fork": {"0": _then("end", 1.2), "1": _then("stream")},
        "stream": _whatever(_then("stream", 1)),
    }
    return TableModel(_mdp(table, "gate"))


def _masked() -> TableModel:
    """Of three actions one is illegal, one pays nothing and one pays 1, which differs from state to state."""
    table = {
        f"without {i}": {str((i + 1) % 3): _then("end", 0), str((i + 2) % 3): _then("end", 1)}
        for i in range(3)
    }
    return TableModel(_mdp(table, *table, actions=("0", "1", "2")))


def _forced() -> TableModel:
    """The only legal action of the second state costs 1."""
    return TableModel(_mdp({"start": _whatever(_then("forced")), "forced": {"1": _then("end", -1)}}, "start"))


def _memory() -> TableModel:
    """One of two cues, a corridor, and at its end a question: which was it?"""
    table: dict[str, dict[str, Outcomes]] = {}
    for cue in ("0", "1"):
        table[f"cue {cue}"] = _whatever(_then(f"corridor {cue}"))
        table[f"corridor {cue}"] = _whatever(_then(f"question {cue}"))
        table[f"question {cue}"] = _pays(1, 0) if cue == "0" else _pays(0, 1)
    seen = {"cue 0": 0, "cue 1": 1, "end": 2}
    seen |= {f"corridor {cue}": 2 for cue in "01"} | {f"question {cue}": 3 for cue in "01"}
    return ShownTable(_mdp(table, "cue 0", "cue 1"), spaces.Discrete(4), seen)


def _forgetting() -> TableModel:
    """Half of the episodes begin with a sign; many end at any moment, unseen; was there a sign in this one?

    An episode that begins without a sign begins like one that goes on, so whoever still remembers the episode
    before is misled.
    """
    table: dict[str, dict[str, Outcomes]] = {"sign": _whatever(_then("wait 1"))}
    for sign, answers in (("0", _pays(0, -3)), ("1", _pays(-3, 0))):
        wait = f"wait {sign}"
        table[wait] = _whatever([(0.25, f"question {sign}", 0.0), (0.25, wait, 0.0), (0.5, "end", 0.0)])
        table[f"question {sign}"] = answers
    seen = {"sign": 1, "wait 0": 2, "wait 1": 2, "question 0": 3, "question 1": 3, "end": 2}
    return ShownTable(_mdp(table, "wait 0", "sign"), spaces.Discrete(4), seen)


def _combination() -> TableModel:
    """A lock of two wheels, whose setting is shown by its number; each right wheel pays half."""
    sizes = (2, 3)
    settings = [divmod(k, 3) for k in range(6)]
    right = {"0": (0, 0), "1": (1, 1), "2": (1, 2)}
    table = {
        state: {f"{i}{j}": _then("end", ((i == a) + (j == b)) / 2) for i, j in settings}
        for state, (a, b) in right.items()
    }
    mdp = _mdp(table, *table, actions=[f"{i}{j}" for i, j in settings])
    seen = {**{state: int(state) for state in right}, "end": 0}
    return ShownTable(mdp, spaces.Discrete(3), seen, action_space=spaces.MultiDiscrete(np.array(sizes)))


def _parts() -> TableModel:
    """The action is the number that a category and the sign of a float write together."""
    space = spaces.Dict({"digit": spaces.Discrete(2), "sign": spaces.Box(-1, 1, (1,), np.float32)})
    seen, table = {"end": {"digit": 0, "sign": [0.0]}}, {}
    for right in range(4):
        seen[str(right)] = {"digit": right // 2, "sign": [2.0 * (right % 2) - 1]}
        table[str(right)] = _pays(*np.eye(4)[right].tolist())
    return ShownTable(_mdp(table, *table, actions="0123"), space, seen)


def _picture() -> TableModel:
    """One cell of 16 is marked; say whether it is in the upper half."""
    grids = np.eye(16, dtype=np.uint8).reshape(16, 4, 4, 1)
    seen = {**{str(cell): grid for cell, grid in enumerate(grids)}, "end": 0 * grids[0]}
    table = {str(cell): _pays(0, 1) if cell < 8 else _pays(1, 0) for cell in range(16)}
    return ShownTable(_mdp(table, *table), spaces.Box(0, 1, (4, 4, 1), np.uint8), seen)


PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        TableProbe(name="constant", rule="a last reward is its own value", model=_constant()),
        TableProbe(name="observation", rule="values depend on what is seen", model=_observation()),
        TableProbe(name="discounted", rule="later rewards are discounted", model=_discounted()),
        TableProbe(name="action", rule="prefer the action that pays", model=_action()),
        TableProbe(name="match", rule="act on what is seen", model=_match()),
        TableProbe(
            name="truncated",
            rule="a time limit is no termination",
            model=_endless(),
            limit=5,
            at_the_end=True,
        ),
        TableProbe(
            name="last seen",
            rule="bootstrap from the final observation, and skip steps that only reset",
            model=_last_seen(),
            limit=3,
            at_the_end=True,
        ),
        TableProbe(
            name="patience",
            rule="see beyond the time limit",
            model=_patience(),
            limit=3,
            steps=4_000,
            at_the_end=True,
        ),
        TableProbe(name="masked", rule="take the best legal action", model=_masked(), at_the_end=True),
        TableProbe(name="forced", rule="no illegal action in a target", model=_forced()),
        TableProbe(
            name="memory",
            rule="remember what was seen before",
            model=_memory(),
            gamma=1.0,
            needs_memory=True,
        ),
        TableProbe(
            name="forgetting",
            rule="forget when an episode begins",
            model=_forgetting(),
            gamma=1.0,
            needs_memory=True,
            at_the_end=True,
        ),
        TableProbe(name="combination", rule="actions of several parts", model=_combination()),
        Bandit(
            name="box",
            rule="continuous actions",
            make=ContinuousBandit,
            tolerance=0.1,
        ),
        TableProbe(name="parts", rule="observations of several parts", model=_parts()),
        TableProbe(name="picture", rule="pictures", model=_picture()),
    )
}
