"""Probes: decision problems so small that one rule of learning decides whether an agent solves them.

Rewards are chosen so that an optimal policy earns about the same in every episode: there is little noise in
its sampled return.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlkit.check.probe import Bandit, Probe, ShownTable, TableProbe
from rlkit.core import MDP, TableModel, from_successors

Outcomes = Sequence[tuple[float, str, float]]  # probability, successor, reward
# State -> action -> outcomes. A state that is not named is the end, an action that is not is illegal.
Table = Mapping[str, Mapping[str, Outcomes]]


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
    """The start costs something, so that what is behind it is seen when it is taken for the stream."""
    table = {"start": _whatever(_then("stream", -4)), "stream": _whatever(_then("stream", 1))}
    return TableModel(_mdp(table, "start"))


def _patience() -> TableModel:
    """Pass a gate for 3; then take 3, or walk to where 1 is paid for ever, which is worth 9.

    The limit cuts the episode after three times 1. Whoever takes that for the end, or sees the gate behind
    it, prefers the 3. What is paid more than once a memory can learn to go on.
    """
    table = {
        "gate": _whatever(_then("fork", -3)),
        "fork": {"0": _then("end", 3), "1": _then("stream")},
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
        TableProbe(name="constant", rule="the last reward is its own value", model=_constant()),
        TableProbe(name="observation", rule="values depend on the observation", model=_observation()),
        TableProbe(name="discounted", rule="later rewards are discounted", model=_discounted(), gamma=0.5),
        TableProbe(name="action", rule="prefer the action that pays", model=_action()),
        TableProbe(name="match", rule="act on the observation", model=_match()),
        TableProbe(
            name="truncated",
            rule="a time limit is not a termination",
            model=_endless(),
            limit=5,
            at_the_end=True,
        ),
        TableProbe(
            name="last seen",
            rule="bootstrap from the final observation, and skip steps that only reset",
            model=_last_seen(),
            limit=5,
            at_the_end=True,
        ),
        TableProbe(
            name="patience",
            rule="see beyond the time limit",
            model=_patience(),
            limit=5,
            steps=4_000,
            at_the_end=True,
        ),
        TableProbe(name="masked", rule="take the best legal action", model=_masked(), at_the_end=True),
        TableProbe(name="forced", rule="no illegal action in a target", model=_forced()),
        TableProbe(
            name="memory",
            rule="remember earlier observations",
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
        TableProbe(name="combination", rule="actions with several parts", model=_combination()),
        Bandit(
            name="box",
            rule="continuous actions",
            make=ContinuousBandit,
            steps=4_000,
            tolerance=0.1,
        ),
        TableProbe(name="parts", rule="observations with several parts", model=_parts()),
        TableProbe(name="picture", rule="pictures", model=_picture()),
    )
}
