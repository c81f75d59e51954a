"""Probes: decision problems so small that one rule of learning decides whether an agent solves them.

Those that are tables of states are in probes.toml.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlkit.check.probe import Bandit, Probe, ShownTable, TableProbe
from rlkit.core import MDP, TableModel, from_successors

Table = Mapping[str, Mapping[str, Sequence[Any]]]  # state -> action -> outcomes, written as in probes.toml


def _mdp(table: Table, starts: Sequence[str], actions: Sequence[str] = ("0", "1")) -> MDP:
    def successors(state: str) -> dict[str, Sequence[Any]]:
        return {
            action: [(1.0, *outcomes)] if isinstance(outcomes[0], str) else outcomes
            for written, outcomes in table.get(state, {}).items()
            for action in (actions if written == "*" else (written,))
        }

    return from_successors(successors, {state: 1 / len(starts) for state in starts}, action_names=actions)


def _tables() -> Iterator[TableProbe]:
    """The probes of probes.toml."""
    for known in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["probe"]:
        mdp = _mdp(known.pop("states"), known.pop("starts"), known.pop("actions", ("0", "1")))
        seen = known.pop("seen", None)
        space = None if seen is None else spaces.Discrete(1 + max(seen.values()))
        yield TableProbe(model=TableModel(mdp) if space is None else ShownTable(mdp, space, seen), **known)


def _pays(*rewards: float) -> dict[str, Sequence[Any]]:
    """The episode ends; action a has paid `rewards[a]`."""
    return {str(a): ("end", reward) for a, reward in enumerate(rewards)}


def _combination() -> TableModel:
    """A lock of two wheels, whose setting is shown by its number; each right wheel pays half."""
    sizes = (2, 3)
    settings = [divmod(k, 3) for k in range(6)]
    right = {"0": (0, 0), "1": (1, 1), "2": (1, 2)}
    table = {
        state: {f"{i}{j}": ("end", ((i == a) + (j == b)) / 2) for i, j in settings}
        for state, (a, b) in right.items()
    }
    mdp = _mdp(table, tuple(table), actions=[f"{i}{j}" for i, j in settings])
    seen = {**{state: int(state) for state in right}, "end": 0}
    return ShownTable(mdp, spaces.Discrete(3), seen, action_space=spaces.MultiDiscrete(np.array(sizes)))


def _parts() -> TableModel:
    """The action is the number that a category and the sign of a float write together."""
    space = spaces.Dict({"digit": spaces.Discrete(2), "sign": spaces.Box(-1, 1, (1,), np.float32)})
    seen, table = {"end": {"digit": 0, "sign": [0.0]}}, {}
    for right in range(4):
        seen[str(right)] = {"digit": right // 2, "sign": [2.0 * (right % 2) - 1]}
        table[str(right)] = _pays(*np.eye(4)[right].tolist())
    return ShownTable(_mdp(table, tuple(table), actions="0123"), space, seen)


def _picture() -> TableModel:
    """One cell of 16 is marked; say whether it is in the upper half."""
    grids = np.eye(16, dtype=np.uint8).reshape(16, 4, 4, 1)
    seen = {**{str(cell): grid for cell, grid in enumerate(grids)}, "end": 0 * grids[0]}
    table = {str(cell): _pays(0, 1) if cell < 8 else _pays(1, 0) for cell in range(16)}
    return ShownTable(_mdp(table, tuple(table)), spaces.Box(0, 1, (4, 4, 1), np.uint8), seen)


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


PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        *_tables(),
        TableProbe(name="combination", rule="actions with several parts", model=_combination()),
        Bandit(name="box", rule="continuous actions", make=ContinuousBandit, steps=4_000, tolerance=0.1),
        TableProbe(name="parts", rule="observations with several parts", model=_parts()),
        TableProbe(name="picture", rule="pictures", model=_picture()),
    )
}
