"""Random legal play, in which every failure of an environment is told with the call that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

Play = Iterator[tuple[Any, Any, Any]]


class Failure(Exception):
    """An environment failed, or returned what nobody can use; the message says where and how."""


def play(env: gym.Env[Any, Any], steps: int, seed: int) -> Play:
    """(None, None, reset's result) and (observation before, action, step's result); raises Failure."""
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    observation, info = begun = _reset(env, seed=seed)
    yield None, None, begun
    for t in range(1, steps + 1):
        mask = _usable(info.get("action_mask"), env.action_space)
        if mask is None:
            action = env.action_space.sample()
        else:
            action = legal_actions(env.action_space, mask[None], rng)[0]
        before, told = observation, _call(f"step {t}", partial(env.step, action), 5)
        observation, _, terminated, truncated, info = told
        yield before, action, told
        if terminated or truncated:
            observation, info = begun = _reset(env)
            yield None, None, begun


def vector_play(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Results of reset, with None for what only step returns, and of steps; raises Failure."""
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    obs, info = _reset(env, seed=seed)
    yield obs, None, None, None, info
    for t in range(1, steps + 1):
        action = env.action_space.sample()
        told = info.get("action_mask")
        rows = [_usable(mask, env.single_action_space) for mask in ([] if told is None else told)]
        if len(rows) == env.num_envs and not any(row is None for row in rows):
            mask = np.array(rows) | ~np.asarray(info.get("_action_mask", np.True_)).reshape(-1, 1)
            action = legal_actions(env.single_action_space, mask, rng)
        obs, reward, terminated, truncated, info = _call(f"step {t}", partial(env.step, action), 5)
        yield obs, reward, terminated, truncated, info
        done = np.logical_or(terminated, truncated)
        if env.metadata.get("autoreset_mode") is AutoresetMode.DISABLED and done.any():
            obs, info = _reset(env, options={"reset_mask": done})


def parts(space: spaces.Space[Any]) -> list[int] | None:
    """How many entries of a mask stand for each part of an action; None for a space without masks."""
    match space:
        case spaces.Discrete():
            return [int(space.n)]
        case spaces.MultiDiscrete():
            return space.nvec.ravel().astype(int).tolist()
    return None


def legal_actions(space: spaces.Space[Any], mask: Any, rng: np.random.Generator) -> Any:
    """An action for each row of a mask [B, W], drawn uniformly; the first where none is legal."""
    scores = rng.random(mask.shape) * mask
    cuts = np.cumsum(parts(space) or [])[:-1]
    chosen = np.stack([part.argmax(axis=1) for part in np.split(scores, cuts, axis=1)], axis=1)
    actions = chosen.reshape(len(mask), *(space.shape or ())) + getattr(space, "start", 0)
    return actions.astype(space.dtype)


def _usable(mask: Any, space: spaces.Space[Any]) -> Any:
    """A mask as an array of bool, None unless it is one of the space's actions."""
    sizes = parts(space)
    if mask is None or sizes is None or np.shape(mask) != (sum(sizes),):
        return None
    return np.asarray(mask).astype(np.bool_)


def _reset(env: Any, **options: Any) -> Any:
    return _call("reset", partial(env.reset, **options), 2)


def _call(what: str, call: Callable[[], Any], size: int) -> Any:
    try:
        told = call()
    except Exception as error:
        raise Failure(f"{what} raised {described(error)}") from error
    if not isinstance(told, tuple) or len(told) != size:
        form = f"a tuple of {len(told)}" if isinstance(told, tuple) else f"a {type(told).__name__}"
        raise Failure(f"{what} must return a tuple of {size}, not {form}")
    if not isinstance(told[-1], dict):
        raise Failure(f"{what} must return an info that is a dict, not {told[-1]!r}")
    return told


def described(error: BaseException) -> str:
    """An error on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
