"""Saving, loading and copying an agent: all that is needed to resume, as named tensors and JSON.

What is named here is the whole state of a training between two iterations: parameters, moments of the
optimisers, random states, statistics, buffers, the environments where they can give their state, and what
early stopping keeps. A training that is resumed takes the same steps as one that was never stopped.

To act and to be evaluated an agent needs neither buffers nor its own environments. Loading leaves them where
they are, `pending`, until the agent learns.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from torch import Tensor

from rlkit import storage
from rlkit.errors import ConfigError, LoadError, NonFiniteError, RlkitError, UnsupportedError, one_line
from rlkit.experience.environments import AnyVectorEnv
from rlkit.experience.jsonable import options_from_json, options_to_json, space_from_json, space_to_json
from rlkit.experience.source import Source, source_of, trusted
from rlkit.nn.devices import choose_device
from rlkit.registry import check_imported

from ..nn import NetworkConfig
from .config import MAX_NUM_ENVS

if TYPE_CHECKING:
    from .base import Agent

AnyAgent = TypeVar("AnyAgent", bound="Agent")
Meta = dict[str, Any]

STANDING = ("buffers", "state", "stepper")  # prefixes of the tensors that say where a training stands
DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Pending(NamedTuple):
    """Where a training stood when it was saved."""

    meta: Meta
    tensors: Mapping[str, Tensor]
    place: str  # it was saved at


def save(agent: "Agent", path: Path, *, begin_anew: bool = False) -> None:
    """Write `agent` to the folder `path`; with `begin_anew` its episodes begin anew when it is resumed.

    Raises UnsupportedError if JSON would change an option of the environment, NonFiniteError if a parameter
    is not finite, and then leaves what is there as it is.
    """
    source, tensors, meta = snapshot(agent, copy=False)
    for name in agent.parameters():
        if not tensors[name].isfinite().all():
            raise NonFiniteError(f"{name} is not finite at step {agent.steps}, and is not saved")
    if begin_anew:
        tensors = {name: x for name, x in tensors.items() if not name.startswith("stepper/env/")}
    described = {
        "env_id": source.full_id,
        "env_kwargs": options_to_json(source.env_kwargs),
        "observation_space": space_to_json(source.observation_space),
        "action_space": space_to_json(source.action_space),
    }
    storage.write(path, tensors, described | meta)


def snapshot(agent: "Agent", *, copy: bool = True) -> tuple[Source, dict[str, Tensor], Meta]:
    """An agent as its source, named tensors, copied if need be, and JSON."""
    tensors = agent.parameters() | agent.training_tensors()
    tensors |= storage.with_prefix("best", agent.early_stopping.best)
    tensors["generator"] = agent.generator.get_state()
    meta: Meta = {
        "agent": agent.name,
        "config": agent.config.to_json(),
        "seed": agent.seed,
        "steps": agent.steps,
        "horizon": agent.horizon,
        "early_stopping": agent.early_stopping.to_json(),
    }
    if agent.pending is not None:
        kept = agent.pending
        tensors |= {name: kept.tensors[name] for name in kept.tensors if name.split("/")[0] in STANDING}
        meta |= {name: kept.meta[name] for name in ("stepper", "num_envs")}
    elif hasattr(agent, "stepper"):
        tensors |= storage.with_prefix("buffers", agent._buffers())
        tensors |= {f"state/{i}": part for i, part in enumerate(agent.state)}
        arrays, meta["stepper"] = agent.stepper.state()
        meta["num_envs"] = agent.stepper.num_envs
        tensors |= storage.with_prefix("stepper", storage.as_tensors(arrays))
    if copy:
        tensors = {name: x.detach().cpu().clone() for name, x in tensors.items()}
        meta["device"] = str(agent.device)
    return replace(agent.source, given=None), tensors, meta


def copied(algorithm: type[AnyAgent], source: Source, tensors: Mapping[str, Tensor], meta: Meta) -> AnyAgent:
    """Undo `snapshot`, on the device where the agent was if it is there."""
    try:
        device = str(choose_device(meta["device"]))
    except ConfigError:
        device = "auto"
    return _restored(algorithm, source, tensors, meta, device=device, place="the copied agent")


def load(
    algorithm: type[AnyAgent],
    saved: storage.Saved,
    *,
    env: str | AnyVectorEnv | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    device: str = "auto",
    trust_env: str | Sequence[str] = (),
) -> AnyAgent:
    """The saved agent, on its own environment or on `env`; see `Agent.load`."""
    path, meta, tensors = saved
    device = str(choose_device(device))
    if meta["agent"] != algorithm.name:
        raise LoadError(f"{path} holds a {meta['agent']} agent, not {algorithm.name}")
    env_id, module = trusted(meta["env_id"], trust_env)
    try:
        source = Source(
            env_id,
            options_from_json(meta["env_kwargs"]),
            space_from_json(meta["observation_space"]),
            space_from_json(meta["action_space"]),
            module=module,
        )
    except (*DAMAGE, AssertionError) as error:
        raise LoadError(f"{path / storage.META} cannot be used: {one_line(error)}") from None
    if env is not None:
        given = source_of(env, env_kwargs)
        try:
            source.compare(given.observation_space, given.action_space, given.env_id or env)
        except UnsupportedError as error:
            raise LoadError(f"{path}: {error}") from None
        source = given
    elif env_kwargs:
        source = replace(source, env_kwargs={**source.env_kwargs, **env_kwargs})
    return _restored(algorithm, source, tensors, meta, device=device, place=str(path))


def _restored(
    algorithm: type[AnyAgent],
    source: Source,
    tensors: Mapping[str, Tensor],
    meta: Meta,
    *,
    device: str,
    place: str,
) -> AnyAgent:
    try:
        check_imported(meta["config"].values())
        config = algorithm.Config().replace(meta["config"])
        known = sum(tensors[name].numel() for name in tensors if name.startswith("network/"))
        if isinstance(config, NetworkConfig) and config.least_weights > known:  # and would take long to make
            raise LoadError(f"it has {known:,} weights, too few for hidden {config.hidden}")
        agent = algorithm(source, config=config, seed=meta["seed"], device=device)
    except (RlkitError, MemoryError, RuntimeError) as error:  # torch's, for what it has no memory for
        raise LoadError(f"{place} cannot be used: {one_line(error)}") from None
    try:
        agent.load_parameters(tensors)
        agent.load_training_tensors(tensors)
        state = tensors["generator"]
        if state.numel() == agent.generator.get_state().numel():
            agent.generator.set_state(state)
        else:  # of another kind of device, whose numbers cannot be continued here
            agent.generator.manual_seed(agent._stream("policy", meta["steps"]))
        agent.early_stopping.load(meta["early_stopping"], storage.under("best", tensors))
        agent.steps, agent.horizon = meta["steps"], meta["horizon"]
        if "stepper" in meta:
            if not 1 <= meta["num_envs"] <= MAX_NUM_ENVS:
                raise ValueError(f"num_envs must be from 1 to {MAX_NUM_ENVS}, not {meta['num_envs']}")
            agent.pending = Pending(meta, tensors, place)
    except DAMAGE as error:
        raise LoadError(f"{place} is damaged: {one_line(error)}") from None
    return agent


def take_up(agent: "Agent", pending: Pending) -> None:
    """Stand where the training stood: in the same steps of the same episodes, with the same buffers.

    A warning says what begins anew: episodes where the environment cannot give its state, and all of it on
    another number of environments. LoadError says what is damaged.
    """
    meta, tensors, place = pending
    number = min(meta["num_envs"], agent.config.num_envs)
    env = agent.source.given or agent.source.make(number, agent.device)
    seed = agent._stream("resume", agent.steps)
    agent._step_in(env, seed=seed)
    if env.num_envs != meta["num_envs"]:
        _warn(agent, f"{meta['num_envs']} environments are now {env.num_envs}; their episodes and buffers")
    else:
        try:
            _stand(agent, tensors, meta, seed)
        except DAMAGE as error:
            raise LoadError(f"{place} is damaged: {one_line(error)}") from None
    agent.pending = None


def _stand(agent: "Agent", tensors: Mapping[str, Tensor], meta: Meta, seed: int) -> None:
    arrays = storage.as_arrays(storage.under("stepper", tensors))
    if not agent.stepper.set_state(arrays, meta["stepper"], seed=seed):
        _warn(agent, f"the checkpoint has no state of {agent.env_id or agent.stepper.env}; its episodes")
    saved = storage.under("state", tensors)
    agent.state = tuple(saved[str(i)].to(agent.device) for i in range(len(saved)))
    agent._load_buffers(storage.under("buffers", tensors))
    agent._interrupted()  # where loading started new episodes


def _warn(agent: "Agent", what: str) -> None:
    warnings.warn(
        f"{what} begin anew at step {agent.steps}, unlike those of a training that never stopped",
        stacklevel=2,
    )
