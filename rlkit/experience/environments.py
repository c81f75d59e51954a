"""Building the vector environment an agent learns on, with a batch that fits the number of steps exactly."""

import inspect
from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from gymnasium import Space, Wrapper
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from rlkit.envs.registry import check_module, suggestion
from rlkit.errors import FAILURES, StepsError, UnsupportedError, blame, one_line

from .faults import autoreset_mode
from .jsonable import options_to_json

AnyVectorEnv: TypeAlias = VectorEnv[Any, Any, Any]

CPU = torch.device("cpu")
# What steers how Gymnasium makes an environment, and is no option of one.
STEERING = ("num_envs", "vectorization_mode", "vector_kwargs", "wrappers", "autoreset_mode", "render_mode")
# Options of other packages' batches that help learning: where an agent is graded, rewards are not clipped and
# episodes do not end with a life.
GRADED = {"reward_clipping": False, "episodic_life": False}

# How Gymnasium and the environments themselves refuse an id or a keyword argument.
REFUSALS = (gymnasium.error.Error, TypeError, ValueError, LookupError, ImportError)


def make(
    env_id: str, num_envs: int, *, kwargs: Mapping[str, Any], device: torch.device = CPU
) -> AnyVectorEnv:
    """The environment's own vector form if it has one, on `device` if it can, else copies stepped in turn.

    Raises UnsupportedError, naming the id and the reason, if it cannot be made.
    """
    check_options(env_id, kwargs)
    try:
        return _make(env_id, num_envs, kwargs, device)
    except FAILURES as error:
        reason = one_line(error) if isinstance(error, REFUSALS) else blame(error)
        unknown = isinstance(error, gymnasium.error.UnregisteredEnv) or type(error) is gymnasium.error.Error
        if unknown and (hint := suggestion(env_id)):
            reason = reason.partition(" Did you mean")[0].rstrip(".") + hint
        raise UnsupportedError(f"{env_id} cannot be made: {reason}") from error


def check_options(env_id: str | None, kwargs: Mapping[str, Any]) -> None:
    """UnsupportedError for what would steer how an environment is made."""
    for name in kwargs:
        if name in STEERING:
            raise UnsupportedError(f"{env_id} has no option {name!r}: agents make their own batches, unseen")


def graded(env_id: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The options to grade an agent with: those of `GRADED` that batches of the id take are set so."""
    spec = gymnasium.registry.get(env_id.rpartition(":")[2])
    takes = () if spec is None else _parameters(spec)
    return {**kwargs, **{name: value for name, value in GRADED.items() if name in takes}}


def _make(env_id: str, num_envs: int, kwargs: Mapping[str, Any], device: torch.device) -> AnyVectorEnv:
    module, _, bare = env_id.rpartition(":")
    if module:
        check_module(env_id)
        import_module(module)
    spec = gymnasium.spec(bare)
    if spec.vector_entry_point is None:
        # SAME_STEP would keep a final observation while the reset writes the next one into its buffer.
        disabled = {"autoreset_mode": AutoresetMode.DISABLED}
        return gymnasium.make_vec(
            env_id, num_envs, vectorization_mode="sync", vector_kwargs=disabled, **kwargs
        )
    takes = _parameters(spec)
    own: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP} if "autoreset_mode" in takes else {}
    if "device" in takes and "device" in kwargs:
        raise UnsupportedError(f"{env_id} has no option 'device': it is on the agent's own")
    if "device" in takes and device.type != "cpu":
        own["device"] = str(device)
    return gymnasium.make_vec(env_id, num_envs, **own, **kwargs)


def origin(env: AnyVectorEnv) -> tuple[str | None, dict[str, Any]]:
    """The id that `env` was made from, and the keyword arguments beside those that the id stands for.

    None and nothing if these do not say what it is, so that it cannot be made again: it was not made from an
    id, it is wrapped, or JSON cannot hold an argument. UnsupportedError for anything but a VectorEnv.
    """
    if not isinstance(env, VectorEnv):
        raise UnsupportedError(
            f"agents learn on an id or a VectorEnv, not on {type(env).__name__}; "
            "make one of a single environment by SyncVectorEnv([lambda: env]), or register it"
        )
    for name in ("single_observation_space", "single_action_space"):
        if not isinstance(getattr(env, name, None), Space):
            raise UnsupportedError(f"{env} has no {name}, which an agent needs")
    base = env.unwrapped
    single: Any = base.envs[0] if isinstance(base, SyncVectorEnv) else env
    wrapped = env.unwrapped is not env or single.spec is None or bool(single.spec.additional_wrappers)
    if env.spec is None or wrapped or env.spec.kwargs.get("wrappers"):
        return None, {}
    known = gymnasium.registry.get(env.spec.id)
    usual = {"max_episode_steps": known.max_episode_steps, **known.kwargs} if known else {}
    kwargs = {
        name: value
        for name, value in env.spec.kwargs.items()
        if name not in (*STEERING, "device") and not (name in usual and np.array_equal(value, usual[name]))
    }
    try:
        options_to_json(kwargs)
    except UnsupportedError:
        return None, {}
    return env.spec.id, kwargs


def has_time_limit(env: AnyVectorEnv) -> bool:
    """Whether something is known to cut the episodes: the id, the environment, or a wrapper within it."""
    if env.spec is not None and env.spec.max_episode_steps is not None:
        return True
    base = env.unwrapped
    if not isinstance(base, SyncVectorEnv):
        return isinstance(getattr(base, "max_episode_steps", None), int)
    single: Any = base.envs[0]
    while isinstance(single, Wrapper) and not isinstance(single, TimeLimit):
        single = single.env
    return isinstance(single, TimeLimit)


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


def _parameters(spec: EnvSpec) -> Collection[str]:
    """The names of what an environment's vector form can be given."""
    entry_point = spec.vector_entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    return () if creator is None else inspect.signature(creator).parameters
