"""Environments that are not rlkit's: the seeds they take, and the exact model behind a table `P`."""

import reprlib
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.envs.registration import parse_env_id
from gymnasium.envs.toy_text.taxi import TaxiEnv
from gymnasium.vector import VectorEnv

from ..core import MDP, NoExactModel, from_gymnasium
from .adapters.gym import ModelEnv
from .adapters.vector import ModelVectorEnv

Outcomes = list[tuple[float, int, float, bool]]
Table = dict[int, dict[int, Outcomes]]

SEEDS = 2**31  # that every environment takes: some keep a seed in 32 bits with a sign

ACTION_NAMES = {  # of Gymnasium's own tables, which carry none
    "FrozenLake": ("left", "down", "right", "up"),
    "FrozenLake8x8": ("left", "down", "right", "up"),
    "CliffWalking": ("up", "right", "down", "left"),
    "CliffWalkingSlippery": ("up", "right", "down", "left"),
    "Taxi": ("south", "north", "east", "west", "pickup", "dropoff"),
}
WATCHING = (  # wrappers that change neither what is seen nor what happens
    wrappers.HumanRendering,
    wrappers.OrderEnforcing,
    wrappers.PassiveEnvChecker,
    wrappers.RecordEpisodeStatistics,
    wrappers.RecordVideo,
    wrappers.RenderCollection,
    wrappers.TimeLimit,
)


def seed_of(seed: int, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> int:
    """The seed to reset an environment with: any for one of rlkit's, elsewhere one below 2^31.

    A batch gives its environment i the seed + i, so all of these are.
    """
    if isinstance(env.unwrapped, ModelEnv | ModelVectorEnv):
        return seed
    return seed % (SEEDS - getattr(env, "num_envs", 1))


def name_of(env: gym.Env[Any, Any]) -> str:
    """The id of an environment, else what it calls itself."""
    return str(env) if env.spec is None else env.spec.id


def check_unchanged(env: gym.Env[Any, Any]) -> None:
    """Raise `NoExactModel` where a wrapper may change what the environment within it does or shows."""
    outer = env
    while isinstance(outer, gym.Wrapper):
        if type(outer) not in WATCHING:
            raise NoExactModel(
                f"{name_of(env)} has no exact model: {type(outer).__name__} may change "
                f"what {type(env.unwrapped).__name__} does"
            )
        outer = outer.env


def table_of(env: gym.Env[Any, Any]) -> MDP:
    """The MDP of the table `P` of an environment.

    Raises `NoExactModel`, with the reason, where it has none of Gymnasium's form, and `ModelError` where the
    table says something impossible.
    """
    base = env.unwrapped
    if isinstance(base, TaxiEnv) and base.fickle_passenger:
        raise NoExactModel(f"{name_of(env)} with a fickle passenger leaves its own table P")
    table, initial = transitions(env)
    return from_gymnasium(table, initial, action_names=action_names(env))


def action_names(env: gym.Env[Any, Any]) -> tuple[str, ...] | None:
    """The names of the actions of one of Gymnasium's own tables; None for other environments."""
    return None if env.spec is None else ACTION_NAMES.get(parse_env_id(env.spec.id)[1])


def transitions(env: gym.Env[Any, Any]) -> tuple[Table, np.ndarray[Any, Any]]:
    """The table `P` and the initial distribution of an environment; raises `NoExactModel` without them."""
    base: Any = env.unwrapped
    name = name_of(env)
    check_unchanged(env)
    if not hasattr(base, "P"):
        raise NoExactModel(f"{name} has no exact model: it is neither one of rlkit's nor has a table P")
    if not hasattr(base, "initial_state_distrib"):
        raise NoExactModel(
            f"{name} has no exact model: it has a table P, but no initial_state_distrib, the "
            "probabilities of the first state"
        )
    try:
        return _read(base.P, base.initial_state_distrib, env.action_space)
    except _OtherForm as error:
        raise NoExactModel(f"{name} has no exact model: {error}") from None


class _OtherForm(Exception):
    """What is called P is something else; the message says why."""


def _read(given: Any, initial: Any, actions: spaces.Space[Any]) -> tuple[Table, np.ndarray[Any, Any]]:
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        raise _OtherForm(f"its actions are not numbered from 0, but {actions}")
    table = {
        s: {a: [_outcome(s, a, x) for x in _listed(f"P[{s}][{a}]", found)] for a, found in by_action}
        for s, by_state in _numbered("P", given)
        for by_action in [_numbered(f"P[{s}]", by_state)]
    }
    for s, by_action in table.items():
        for a, outcomes in by_action.items():
            if not 0 <= a < actions.n:
                raise _OtherForm(f"its P[{s}] has an action {a}, which is not in {actions}")
            for _, successor, _, _ in outcomes:
                if successor not in table:
                    raise _OtherForm(f"its P[{s}][{a}] leads to {successor}, which is none of its states")
    if sorted(table) != list(range(len(table))):
        raise _OtherForm("the states of its P are not numbered from 0")
    try:
        start = np.asarray(initial, dtype=np.float64)
    except (TypeError, ValueError):
        start = np.empty(0)
    if start.shape != (len(table),):
        raise _OtherForm(f"its initial_state_distrib is not {len(table)} numbers")
    present = {s for s, chance in enumerate(start) if chance > 0} | {
        successor
        for by_action in table.values()
        for outcomes in by_action.values()
        for _, successor, _, over in outcomes
        if not over
    }
    for s in sorted(present):
        lacking = next((a for a in range(int(actions.n)) if a not in table[s]), None)
        if lacking is not None:
            raise _OtherForm(f"its P[{s}] has no action {lacking}, which is in {actions}")
    return table, start


def _numbered(what: str, given: Any) -> Iterator[tuple[int, Any]]:
    """The numbered parts of a table: those of a dict of whole numbers, or of a list."""
    if isinstance(given, list | tuple):
        yield from enumerate(given)
        return
    if not isinstance(given, dict):
        raise _OtherForm(f"its {what} is a {type(given).__name__}, not a dict or a list")
    for key, value in given.items():
        if isinstance(key, bool) or not isinstance(key, int | np.integer):
            raise _OtherForm(f"its {what} has the key {reprlib.repr(key)}, not a number")
        yield int(key), value


def _listed(what: str, given: Any) -> list[Any]:
    if not isinstance(given, list | tuple):
        raise _OtherForm(f"its {what} is a {type(given).__name__}, not a list of outcomes")
    if not given:
        raise _OtherForm(f"its {what} has no outcome")
    return list(given)


def _outcome(state: int, action: int, given: Any) -> tuple[float, int, float, bool]:
    """One (probability, successor, reward, terminated)."""
    match given:
        case (
            (float() | int() | np.number()) as probability,
            (int() | np.integer()) as successor,
            (float() | int() | np.number()) as reward,
            (bool() | np.bool_() | 0 | 1) as terminated,
        ):
            return float(probability), int(successor), float(reward), bool(terminated)
    form = "(probability, successor, reward, terminated)"
    raise _OtherForm(f"its P[{state}][{action}] holds {reprlib.repr(given)}, not {form}")
