"""What can be wrong with a batch of environments: shapes, seeding, and the rules of its autoreset mode."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from rlkit.check.comparing import kept, same
from rlkit.check.playing import Failure, vector_play
from rlkit.envs.adapters.episode import first


def batch_findings(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[str]:
    """What is wrong with a batch, a line each."""
    try:
        yield from _findings(env, steps, seed)
    except Failure as error:
        yield str(error)


def _findings(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[str]:
    n = env.num_envs
    given = env.metadata.get("autoreset_mode")
    if given is None:
        yield "metadata lacks 'autoreset_mode', so a step after the end of an episode is undefined"
    elif given not in list(AutoresetMode):
        yield f"metadata['autoreset_mode'] is {given!r}, none of {', '.join(map(str, AutoresetMode))}"
        return
    mode = given or AutoresetMode.NEXT_STEP
    once, again = ([kept(row) for row in vector_play(env, 50, seed)] for _ in range(2))
    if not same(once, again):
        yield f"seed {seed} gives different episodes the second time"
    over = np.zeros(n, dtype=np.bool_)
    for obs, reward, terminated, truncated, info in vector_play(env, steps, seed):
        if reward is None:
            over[:] = False
            yield from _batch_findings(env, obs, "reset")
            continue
        yield from _batch_findings(env, obs, "step")
        for name, value in (("reward", reward), ("terminated", terminated), ("truncated", truncated)):
            if np.shape(value) != (n,):
                yield f"{name} has shape {np.shape(value)}, expected ({n},)"
                return
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            if np.asarray(value).dtype != np.bool_:
                yield f"{name} is {np.asarray(value).dtype}, not bool"
        if not np.isfinite(np.asarray(reward, dtype=float)).all():
            yield "a reward is not finite"
        done = np.logical_or(terminated, truncated)
        if mode is AutoresetMode.NEXT_STEP:
            yield from _next_step_findings(over, reward, done)
        elif mode is AutoresetMode.SAME_STEP:
            yield from _same_step_findings(env, done, info)
        elif done.any():
            yield from _disabled_findings(env, obs, done)
            return
        over = done


def _batch_findings(env: VectorEnv[Any, Any, Any], obs: Any, what: str) -> Iterator[str]:
    if not env.observation_space.contains(obs):
        yield f"what {what} returns is not in the observation space {env.observation_space}"


def _next_step_findings(over: Any, reward: Any, done: Any) -> Iterator[str]:
    if (np.asarray(reward)[over] != 0).any():
        yield "NEXT_STEP: the step that only starts an episode pays a reward"
    if done[over].any():
        yield "NEXT_STEP: the step that only starts an episode ends one"


def _same_step_findings(env: VectorEnv[Any, Any, Any], done: Any, info: dict[str, Any]) -> Iterator[str]:
    if not done.any():
        return
    for name in ("final_obs", "_final_obs", "final_info", "_final_info"):
        if name not in info:
            yield f"SAME_STEP: the info lacks {name!r} when an episode ends"
            return
    if (np.asarray(info["_final_obs"]) != done).any():
        yield "SAME_STEP: _final_obs differs from the episodes that ended"
    for i in np.flatnonzero(done).tolist():
        if not env.single_observation_space.contains(info["final_obs"][i]):
            yield "SAME_STEP: a final observation is not in the observation space"


def _disabled_findings(env: VectorEnv[Any, Any, Any], obs: Any, done: Any) -> Iterator[str]:
    fresh, _ = env.reset(options={"reset_mask": done.copy()})
    for i in np.flatnonzero(~done).tolist():
        if not same(kept(first(fresh, i)), kept(first(obs, i))):
            yield "DISABLED: a reset touches an environment that the reset_mask leaves out"
