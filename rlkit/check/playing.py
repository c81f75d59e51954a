"""Random legal play, in which every failure of an environment is told with the call that failed."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv

from rlkit.core.mdp import BoolArray
from rlkit.envs.foreign import seed_of
from rlkit.errors import FAILURES, blame, is_users

Play = Iterator[tuple[Any, Any, Any]]


class Failure(Exception):
    """An environment failed, or returned what nobody can use; the message says where and how."""


def play(env: gym.Env[Any, Any], steps: int, seed: int) -> Play:
    """(None, None, reset's result) and (observation before, action, step's result); raises Failure."""
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    observation, info = begun = _reset(env, seed=seed_of(seed, env))
    mask = _mask("reset", info, env.action_space)
    yield None, None, begun
    for t in range(1, steps + 1):
        action = env.action_space.sample() if mask is None else draw(env.action_space, mask, rng)[0]
        before, told = observation, _call(f"step {t}", partial(env.step, action), 5)
        observation, _, *over, info = told
        mask = _mask(f"step {t}", info, env.action_space, over)
        yield before, action, told
        if any(over):
            observation, info = begun = _reset(env)
            mask = _mask("reset", info, env.action_space)
            yield None, None, begun


def vector_play(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Results of reset, with None for what only step returns, and of steps; raises Failure."""
    rng = np.random.default_rng(seed)
    mode, space = env.metadata.get("autoreset_mode"), env.single_action_space
    env.action_space.seed(seed)
    obs, info = _reset(env, seed=seed_of(seed, env))
    mask = _mask("reset", info, space, batch=env.num_envs)
    yield obs, None, None, None, info
    for t in range(1, steps + 1):
        action = env.action_space.sample() if mask is None else draw(space, mask, rng)
        obs, reward, *over, info = _call(f"step {t}", partial(env.step, action), 5)
        yield obs, reward, *over, info
        done = np.logical_or(*over)
        told = [] if mode is AutoresetMode.SAME_STEP else over
        mask = _mask(f"step {t}", info, space, told, batch=env.num_envs)
        if mode is AutoresetMode.DISABLED and done.any():
            obs, info = _reset(env, options={"reset_mask": done})
            fresh = _mask("reset", info, space, batch=env.num_envs)
            mask = fresh if mask is None or fresh is None else np.where(done[:, None], fresh, mask)


def draw(space: spaces.Space[Any], mask: BoolArray, rng: np.random.Generator) -> Any:
    """An action for each row of a mask [B, W], drawn uniformly among the legal."""
    from rlkit.nn.actions import parts

    scores = rng.random(mask.shape) * mask
    columns = np.split(scores, np.cumsum(parts(space))[:-1], axis=1)
    chosen = np.stack([column.argmax(axis=1) for column in columns], axis=1)
    return (chosen.reshape(len(mask), *(space.shape or ())) + getattr(space, "start", 0)).astype(space.dtype)


def _mask(
    what: str, info: dict[str, Any], space: spaces.Space[Any], over: Sequence[Any] = (), *, batch: int = 0
) -> BoolArray | None:
    """The legal actions that an info tells, [B, W], as agents read them; `batch` 0 is one environment."""
    from rlkit.nn.actions import MaskError, legal_actions, mask_width

    if "action_mask" not in info or not mask_width(space):
        return None
    given, present = info["action_mask"], info.get("_action_mask")
    ends = [np.reshape(np.asarray(x, np.bool_), max(1, batch)) for x in over]
    how = dict(zip(("terminated", "truncated"), ends, strict=False))
    try:
        if batch:
            return legal_actions(given, space, batch=batch, present=present, **how)
        return legal_actions([given], space, batch=1, **how)
    except MaskError as error:
        said = str(error) if batch else str(error).removesuffix(", in environment 0")
        raise Failure(f"{what}: {said}") from None


def _reset(env: Any, **options: Any) -> Any:
    return _call("reset", partial(env.reset, **options), 2)


def _call(what: str, call: Callable[[], Any], size: int) -> Any:
    try:
        told = call()
    except FAILURES as error:
        raise Failure(f"{what} raised {described(error)}") from error
    if not isinstance(told, tuple) or len(told) != size:
        form = f"a tuple of {len(told)}" if isinstance(told, tuple) else f"a {type(told).__name__}"
        raise Failure(f"{what} must return a tuple of {size}, not {form}")
    if not isinstance(told[-1], dict):
        raise Failure(f"{what} must return an info that is a dict, not {told[-1]!r}")
    return told


def described(error: BaseException) -> str:
    """An error on one line, with the user's line that it came from, if any."""
    text = " ".join(str(error).split())
    return blame(error) if is_users(error) else f"{type(error).__name__}{': ' if text else ''}{text}"
