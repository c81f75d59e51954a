"""Environments that are not rlkit's: the seeds they take, and the exact model behind a table `P`."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces, wrappers
from gymnasium.envs.registration import parse_env_id
from gymnasium.envs.toy_text.taxi import TaxiEnv
from gymnasium.vector import VectorEnv

from ..core import MDP, ModelError, NoExactModel, from_gymnasium
from ..core.build import distribution_over
from ..core.outcomes import read_table
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


def name_of(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> str:
    """The id of an environment or a batch of them, else what it calls itself."""
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
    except ModelError as error:
        raise NoExactModel(f"{name} has no exact model: its P cannot be used: {error}") from None


def _read(given: Any, initial: Any, actions: spaces.Space[Any]) -> tuple[Table, np.ndarray[Any, Any]]:
    if not isinstance(actions, spaces.Discrete) or actions.start != 0:
        raise ModelError(f"the actions are not numbered from 0, but {actions}")
    columns = read_table(given)
    start = distribution_over(initial, len(given))
    table: Table = {s: {} for s in range(len(given))}
    present = set(np.flatnonzero(start > 0).tolist())
    for s, a, successor, p, reward, over in zip(*(column.tolist() for column in columns), strict=True):
        table[s].setdefault(a, []).append((p, successor, reward, over))
        present |= set() if over else {successor}
    for s, by_action in table.items():
        if wrong := [a for a in by_action if a >= actions.n]:
            raise ModelError(f"state {s} of the table has an action {wrong[0]}, which is not in {actions}")
        if s in present and (lacking := set(range(int(actions.n))) - set(by_action)):
            raise ModelError(f"state {s} of the table has no action {min(lacking)}, which is in {actions}")
    return table, start
