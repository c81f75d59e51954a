"""The options that all tasks of the rooms share, checked in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any, TypeVar

import numpy as np

from ..options import flag, number, one_of, whole
from .rules import MOVES

F = TypeVar("F", bound=Callable[..., Any])
L = TypeVar("L")

OBSERVATIONS = ("one-hot", "partial", "pixels", "grid-one-hot", "grid")
VIEW_SIZES = (3, 5, 7, 9)
MOST_LEVELS, LAST_LEVEL = 100_000, 2**62


@dataclass(frozen=True)
class Settings:
    """Which levels, how the agent moves, and what it sees. Raises `OptionError`.

    Level k comes from seed k: the pool holds `levels` of them from `first_level` on. `view_size` is the side
    of the square that the agent sees; with `see_through` nothing in it is hidden by walls or doors. With
    probability `slip` a move is another one, each of the others equally likely. Every step pays `step_reward`
    besides, and all rewards lose the part `reward_decay` on the way to the time limit.
    """

    levels: int = 128
    first_level: int = 0
    move: str = "turn"
    observation: str = "one-hot"
    view_size: int = 7
    see_through: bool = False
    slip: float = 0.0
    step_reward: float = 0.0
    reward_decay: float = 0.9

    def __post_init__(self) -> None:
        whole("levels", self.levels, 1, MOST_LEVELS)
        whole("first_level", self.first_level, 0, LAST_LEVEL)
        one_of("move", self.move, tuple(MOVES))
        one_of("observation", self.observation, OBSERVATIONS)
        one_of("view_size", self.view_size, VIEW_SIZES)
        flag("see_through", self.see_through)
        number("slip", self.slip, 0, 1)
        number("reward_decay", self.reward_decay, 0, 1)
        number("step_reward", self.step_reward)

    def pool(self, generate: Callable[..., L], *sizes: Any) -> tuple[L, ...]:
        """The levels that `generate(rng, *sizes)` gives."""
        return _levels(range(self.first_level, self.first_level + self.levels), generate, *sizes)


@lru_cache(maxsize=4)  # the environments of a batch have the same ones
def _levels(seeds: range, generate: Callable[..., L], *sizes: Any) -> tuple[L, ...]:
    return tuple(generate(np.random.default_rng(seed), *sizes) for seed in seeds)


def task(factory: F) -> F:
    """Show the shared options in the signature of a factory that takes them as `**options`."""
    own = [p for p in signature(factory).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    known = {p.name for p in own}
    shared = [p for p in signature(Settings).parameters.values() if p.name not in known]
    added = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in shared]
    factory.__signature__ = signature(factory).replace(parameters=own + added)  # type: ignore[attr-defined]
    return factory
