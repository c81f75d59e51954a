"""Building the vector environment an agent learns on, with a batch that fits the number of steps exactly."""

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv

from .errors import StepsError, UnsupportedError, one_line
from .stepper import autoreset_mode

AnyVectorEnv: TypeAlias = VectorEnv[Any, Any, Any]

# How Gymnasium and the environments themselves refuse an id or a keyword argument.
CANNOT_MAKE = (gymnasium.error.Error, TypeError, ValueError, LookupError, ImportError)


def make(env_id: str, num_envs: int, *, kwargs: Mapping[str, Any]) -> AnyVectorEnv:
    """The environment's own vector form if it has one, else one that steps copies of it in turn.

    Raises UnsupportedError, naming the id and the reason, if it cannot be made.
    """
    try:
        return _make(env_id, num_envs, kwargs)
    except CANNOT_MAKE as error:
        raise UnsupportedError(f"{env_id} cannot be made: {one_line(error)}") from error


def _make(env_id: str, num_envs: int, kwargs: Mapping[str, Any]) -> AnyVectorEnv:
    spec = gymnasium.spec(env_id)
    if spec.vector_entry_point is None:
        return gymnasium.make_vec(
            env_id,
            num_envs,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
            **kwargs,
        )
    if _chooses_autoreset(spec):
        return gymnasium.make_vec(env_id, num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **kwargs)
    return gymnasium.make_vec(env_id, num_envs, **kwargs)


def make_for_steps(env_id: str, num_envs: int, *, kwargs: Mapping[str, Any], steps: int) -> AnyVectorEnv:
    """As `make`, with the largest number of environments up to `num_envs` that divides `steps`."""
    env = make(env_id, num_envs, kwargs=kwargs)
    if fits(env, steps):
        return env
    env.close()
    divisor = next(n for n in range(num_envs, 0, -1) if steps % n == 0)
    return make(env_id, divisor, kwargs=kwargs)


def fits(env: AnyVectorEnv, steps: int) -> bool:
    """Whether `steps` can be taken exactly.

    In NEXT_STEP mode the environments drift apart, because starting an episode takes one of them a turn;
    there the surplus of the last turn is dropped, and any number fits.
    """
    return autoreset_mode(env) is AutoresetMode.NEXT_STEP or steps % env.num_envs == 0


def check_fits(env: AnyVectorEnv, steps: int) -> None:
    """StepsError, naming the nearest number that fits, unless `steps` does."""
    if not fits(env, steps):
        nearest = max(1, round(steps / env.num_envs)) * env.num_envs
        raise StepsError(
            f"{env.num_envs} environments cannot take exactly {steps} steps; the nearest number is {nearest}"
        )


def _chooses_autoreset(spec: EnvSpec) -> bool:
    entry_point = spec.vector_entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    return creator is not None and "autoreset_mode" in inspect.signature(creator).parameters
