"""Saving and loading an agent: everything that going on needs, as named tensors and JSON.

What is named here is the whole state of a training between two iterations: parameters, moments of the
optimisers, random states, statistics, buffers, the environments where they can give their state, and what
early stopping keeps. A training that goes on from it takes the same steps as one that was never stopped.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gymnasium import spaces
from torch import Tensor

from rlkit.errors import RlkitError

from . import environments, storage
from .devices import choose_device
from .environments import AnyVectorEnv
from .errors import LoadError, NonFiniteError, UnsupportedError, one_line

if TYPE_CHECKING:
    from .base import Agent

AnyAgent = TypeVar("AnyAgent", bound="Agent")


def save(agent: "Agent", path: Path) -> None:
    """Write `agent` to the folder `path`.

    Raises UnsupportedError if a keyword argument of the environment is not JSON, NonFiniteError if a
    parameter is not finite, and then leaves what is there as it is.
    """
    storage.check_savable(agent.env_kwargs)
    tensors = agent.parameters()
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise NonFiniteError(f"{name} is not finite at step {agent.steps}, and is not saved")
    tensors |= agent.training_tensors()
    tensors |= storage.with_prefix("best", agent.early_stopping.best)
    tensors["generator"] = agent.generator.get_state()
    meta: dict[str, Any] = {
        "agent": agent.name,
        "env_id": agent.env_id,
        "env_kwargs": agent.env_kwargs,
        "config": agent.config.to_json(),
        "seed": agent.seed,
        "steps": agent.steps,
        "horizon": agent.horizon,
        "early_stopping": agent.early_stopping.to_json(),
        "observation_space": described(agent.observation_space),
        "action_space": described(agent.action_space),
    }
    if hasattr(agent, "stepper"):
        tensors |= storage.with_prefix("buffers", agent._buffers())
        tensors |= {f"state/{i}": part for i, part in enumerate(agent.state)}
        arrays, meta["stepper"] = agent.stepper.state()
        meta["num_envs"] = agent.stepper.num_envs
        tensors |= storage.with_prefix("stepper", storage.as_tensors(arrays))
    storage.write(path, tensors, meta)


def load(algorithm: type[AnyAgent], path: Path, *, env: str | AnyVectorEnv | None, device: str) -> AnyAgent:
    """The agent saved at `path`, on its own environment or on `env`.

    Raises LoadError if the folder is missing or damaged, of another algorithm, or of other spaces.
    """
    device = str(choose_device(device))
    tensors, meta = storage.read(path)
    file = path / storage.META
    if meta["agent"] != algorithm.name:
        raise LoadError(f"{path} holds a {meta['agent']} agent, not {algorithm.name}")
    given, env = env, env if env is not None else meta["env_id"]
    if env is None:
        raise LoadError(f"{path} was trained on a VectorEnv without an id: give it as env=")
    try:
        config = algorithm.Config().replace(meta["config"])
        agent = algorithm(env, config=config, seed=meta["seed"], device=device, env_kwargs=meta["env_kwargs"])
    except (RlkitError, RuntimeError) as error:  # torch raises RuntimeError for what it has no memory for
        if given is not None and isinstance(error, UnsupportedError):
            raise
        raise LoadError(f"{file} cannot be used: {one_line(error)}") from None
    for kind in ("observation_space", "action_space"):
        if (space := described(getattr(agent, kind))) != meta[kind]:
            raise LoadError(f"{path} was trained on {kind} {meta[kind]}, not {space}")
    try:
        _restore(agent, tensors, meta)
    except LoadError as error:
        raise LoadError(f"{file} cannot be used: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise LoadError(f"{file} or its tensors are damaged: {one_line(error)}") from None
    return agent


def described(space: spaces.Space[Any]) -> str:
    """A space in words that are the same in every process: without the addresses of what it refers to."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(space))


def _restore(agent: "Agent", tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    if "stepper" in meta:
        _restore_stepper(agent, tensors, meta)
    agent.load_parameters(tensors)
    agent.load_training_tensors(tensors)
    state = tensors["generator"]
    if state.numel() == agent.generator.get_state().numel():
        agent.generator.set_state(state)
    else:  # of another kind of device, whose numbers cannot go on here
        agent.generator.manual_seed(agent._stream("policy", meta["steps"]))
    agent.early_stopping.load(meta["early_stopping"], storage.under("best", tensors))
    agent.steps, agent.horizon = meta["steps"], meta["horizon"]


def _restore_stepper(agent: "Agent", tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    num_envs = meta["num_envs"]
    if not 1 <= num_envs <= agent.config.num_envs:
        raise LoadError(f"num_envs must be from 1 to {agent.config.num_envs}, not {num_envs}")
    given = agent.given_env
    if given is not None and given.num_envs != num_envs:
        raise LoadError(f"the agent was trained on {num_envs} environments, not {given.num_envs}")
    env = given or environments.make(
        str(agent.env_id), num_envs, kwargs=agent.env_kwargs, device=agent.device
    )
    seed = agent._stream("resume", agent.steps)
    agent._step_in(env, seed=seed)
    arrays = storage.as_arrays(storage.under("stepper", tensors))
    agent.stepper.set_state(arrays, meta["stepper"], seed=seed)
    saved = storage.under("state", tensors)
    agent.state = tuple(saved[str(i)].to(agent.device) for i in range(len(saved)))
    agent._load_buffers(storage.under("buffers", tensors))
    agent._interrupted()  # where loading started new episodes
