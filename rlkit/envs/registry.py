"""The ids of rlkit and of models of your own, registered in Gymnasium, and the exact model behind an id."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RlkitError, blamed, did_you_mean, one_line
from ..registry import RegistryError, home_of
from .suite import ENTRIES, Entry

if TYPE_CHECKING:
    from gymnasium import Env
    from gymnasium.envs.registration import EnvSpec
    from gymnasium.vector import VectorEnv

    from ..core import MDP, POMDP, Model
    from .adapters.gym import ModelEnv
    from .adapters.torch import TorchVectorEnv


MODEL_FILE = (
    "a model file is for `rlkit solve`; elsewhere it is the environment rlkit/MDP-v0 with --env mdp={0}, "
    "or MDPEnv(read_model({0!r})) in Python"
)


_ENTRIES = {entry.id: entry for entry in ENTRIES}


def entry_of(id: str) -> Entry | None:
    """What is registered by a full id, with or without a module in front; None if that is not a model."""
    return _ENTRIES.get(id.rpartition(":")[2])


def register(
    id: str,
    factory: str | Callable[..., Model[Any]],
    *,
    summary: str = "",
    max_episode_steps: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
    exact: Mapping[str, Any] | None = None,
) -> None:
    """Register a model of your own in Gymnasium, with all that ids of rlkit have.

    `factory` is a class or a function that returns a Model, or its "module:name"; its keyword arguments are
    the options of the id, which also takes the common ones, such as `sticky`. `kwargs` are those with other
    values than its defaults, `exact` those for which a large one is solved. To register the same again
    changes nothing; RegistryError for an id that is taken or malformed.
    """
    entry = Entry(id, factory, summary, max_episode_steps, dict(kwargs or {}), exact=dict(exact or {}))
    known = _ENTRIES.get(id)
    if known is not None and home_of(known.factory) != home_of(factory):
        raise RegistryError(f"there is an environment {id!r} already, made by {home_of(known.factory)}")
    import gymnasium as gym

    if known is not None:
        gym.registry.pop(id, None)
    if id in gym.registry:
        raise RegistryError(f"there is an environment {id!r} already")
    try:
        _enter(entry)
    except gym.error.Error as error:
        raise RegistryError(f"{id!r} cannot be registered: {error}") from error
    _ENTRIES[id] = entry


def register_suite() -> None:
    """Register every id of rlkit in Gymnasium, once."""
    from gymnasium.envs.registration import registry

    for entry in ENTRIES:
        if entry.id not in registry:
            _enter(entry)


def _enter(entry: Entry) -> None:
    from gymnasium.envs.registration import register as enter

    enter(
        id=entry.id,
        entry_point=f"{__name__}:make_scalar {entry.id}",
        vector_entry_point=f"{__name__}:make_vector {entry.id}",
        max_episode_steps=entry.max_episode_steps,
        kwargs=dict(entry.kwargs),
    )


def __getattr__(name: str) -> Any:
    """`make_scalar ID` and `make_vector ID`, the entry points of an id that is made from a model.

    The id is a part of the name, because Gymnasium lets options replace every argument of an entry point.
    """
    maker, _, id = name.partition(" ")
    entry = _ENTRIES.get(id)
    if entry is None or maker not in ("make_scalar", "make_vector"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = partial(globals()[maker], entry)
    if maker == "make_scalar":
        from .adapters.gym import ModelEnv

        made.metadata = ModelEnv.metadata  # type: ignore[attr-defined]  # gymnasium.make reads it here
    return made


def make_scalar(entry: Entry, /, *, render_mode: str | None = None, **options: Any) -> ModelEnv:
    """One environment of an id; `options` go to its factory."""
    from .adapters.gym import ModelEnv

    return ModelEnv(build(entry, options), render_mode=render_mode)


def make_vector(
    entry: Entry,
    /,
    *,
    num_envs: int = 1,
    max_episode_steps: int | None = None,
    autoreset_mode: Any = "NextStep",
    render_mode: str | None = None,
    device: str | None = None,
    **options: Any,
) -> VectorEnv[Any, Any, Any]:
    """A batch of an id, in torch if a device is named; `options` go to its factory."""
    from .adapters.vector import ModelVectorEnv

    batch: dict[str, Any] = {
        "num_envs": num_envs,
        "max_episode_steps": max_episode_steps,
        "autoreset_mode": autoreset_mode,
        "render_mode": render_mode,
    }
    model = build(entry, options)
    if device is None:
        return ModelVectorEnv(model, **batch)
    from .adapters.torch import TorchVectorEnv

    return TorchVectorEnv(model, device=device, **batch)


def make_torch(
    env_id: str,
    num_envs: int,
    device: str = "cuda",
    *,
    max_episode_steps: int | None = None,
    autoreset_mode: Any = "NextStep",
    **options: Any,
) -> TorchVectorEnv:
    """A batch of an id that is made from a model, whose tensors never leave the device.

    The time limit is the id's own where none is given. Raises `RegistryError` for an id or a device that
    is not there.
    """
    import torch

    from .adapters.torch import TorchVectorEnv

    id = resolve(env_id)
    entry = entry_of(id)
    if entry is None:
        raise RegistryError(f"{id} is not made from a model of rlkit; only such environments run in torch")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RegistryError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    return TorchVectorEnv(
        build(entry, {**entry.kwargs, **options}),
        num_envs=num_envs,
        device=device,
        max_episode_steps=max_episode_steps or entry.max_episode_steps,
        autoreset_mode=autoreset_mode,
    )


def make(env_id: str, **kwargs: Any) -> Env[Any, Any]:
    """`gymnasium.make`, with one `RegistryError` for whatever is wrong with the id or the options."""
    import gymnasium as gym

    register_suite()
    try:
        return gym.make(env_id, **kwargs)
    except RlkitError:
        raise
    except (gym.error.Error, TypeError, ValueError, LookupError, AttributeError, ImportError) as error:
        raise RegistryError(f"{env_id} cannot be made: {one_line(error)}") from error


def factory_of(entry: Entry) -> Callable[..., Any]:
    """What makes the model of an id."""
    if not isinstance(entry.factory, str):
        return entry.factory
    module, name = entry.factory.split(":")
    made: Callable[..., Any] = getattr(import_module(module), name)
    return made


def build(entry: Entry, options: Mapping[str, Any]) -> Model[Any]:
    """Call the factory of an id, and wrap what it makes as the options ask.

    Raises `UnknownOption` for an option that neither the factory nor a wrapper has, `MissingOption` for one
    that the factory needs.
    """
    import inspect

    from .errors import MissingOption, UnknownOption
    from .options import OptionError
    from .wrappers import WRAPPERS

    factory = factory_of(entry)
    parameters, label = inspect.signature(factory).parameters, factory.__name__
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in options:
            raise MissingOption(f"{label} cannot be made without its option {name!r}")
    for name in options:
        if name not in parameters and name not in WRAPPERS:
            own = ", ".join(parameters) or "none"
            hint = did_you_mean(name, [*parameters, *WRAPPERS]) or ";"
            raise UnknownOption(
                f"{label}() got an unexpected keyword argument {name!r}{hint} "
                f"its options: {own}; common ones: {', '.join(WRAPPERS)}"
            )
        wanted = parameters[name].annotation if name in parameters else None
        if wanted in (int, "int") and isinstance(options[name], str):
            raise OptionError(f"{name} must be a whole number, not {options[name]!r}")
    model: Model[Any] = factory(**{name: value for name, value in options.items() if name in parameters})
    for name, wrap in WRAPPERS.items():
        if name in options:
            model = wrap(model, options[name])
    return model


def resolve(name: str) -> str:
    """The full id for a short one: `exam` is `rlkit/Exam-v0`, `cartpole` is `CartPole-v1`.

    rlkit's own ids come first, and of several versions the newest. `module:name` imports a module that
    registers ids of its own, and keeps it in front of the id. Raises `RegistryError` with near names.
    """
    from gymnasium.envs.registration import registry

    register_suite()
    module, colon, bare_name = name.rpartition(":")
    before = set(registry)
    if colon:
        check_module(name)
        with blamed(RegistryError, f"no environment {name!r}: importing {module!r} failed"):
            import_module(module)
    if bare_name in registry:
        return name
    short, wanted = _short_names(), bare_name.lower()
    if wanted in short:
        return module + colon + short[wanted]
    if Path(name).is_file():
        raise RegistryError(f"no environment {name!r}; {MODEL_FILE.format(name)}")
    if colon:
        raise RegistryError(f"no environment {name!r}; {_registered(name, before)}")
    ours = "/" not in wanted or wanted.startswith("rlkit/")
    near = dict.fromkeys(short[key] for key in difflib.get_close_matches(wanted, short, n=3) if ours)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise RegistryError(
        f"no environment {name!r}; {hint}`rlkit envs` lists those of rlkit; "
        f"if a module, or a file in the current folder, registers it, write MODULE:{name}"
    )


def check_module(name: str) -> None:
    """Raise RegistryError for a file in front of an id, where the name of a module belongs."""
    file, _, id = name.rpartition(":")
    if file.endswith(".py"):
        module = re.sub(r"[\\/]+", ".", file.removeprefix("./").removesuffix(".py"))
        raise RegistryError(f"no environment {name!r}; write {module}:{id}, without .py")


def suggestion(name: str) -> str:
    """What is likely meant by an id that is not registered, to go behind the error; empty if nobody knows."""
    if Path(name).is_file():
        return f"; {MODEL_FILE.format(name)}"
    if ":" in name:
        return f"; {_registered(name)}"
    short = _short_names()
    near = difflib.get_close_matches(name.lower(), short, n=1)
    return f"; did you mean {short[near[0]]}?" if near else ""


def _short_names() -> dict[str, str]:
    """Full ids by what they are also called, in lower case."""
    from gymnasium.envs.registration import parse_env_id, registry

    register_suite()
    short: dict[str, tuple[bool, int, str]] = {}
    for id in registry:
        namespace, bare, version = parse_env_id(id)
        if namespace not in (None, "rlkit"):
            continue
        rank = (namespace == "rlkit", version if version is not None else 0, id)
        for key in (bare.lower(), id.lower(), id.lower().removeprefix("rlkit/")):
            short[key] = max(rank, short.get(key, (False, -1, "")))
    return {key: id for key, (_, _, id) in short.items()}


def _registered(name: str, before: Collection[str] | None = None) -> str:
    """What the module in front of an id registers, the likeliest first; `before` are the ids without it."""
    from gymnasium.envs.registration import registry

    module, _, bare = name.rpartition(":")
    before = registry if before is None else before
    own = {id.lower(): id for id in registry if id not in before or _is_of(module, registry[id])}
    near = difflib.get_close_matches(bare.lower(), own, n=5, cutoff=0)
    return f"{module} registers {', '.join(f'{module}:{own[key]}' for key in near) or 'no environment'}"


def _is_of(module: str, spec: EnvSpec) -> bool:
    """Whether an environment is made by a module, or by another part of its package."""
    entry = _ENTRIES.get(spec.id)
    point = spec.entry_point if entry is None else entry.factory
    owner = point if isinstance(point, str) else getattr(point, "__module__", "")
    return re.split("[.:]", owner)[0] == module.partition(".")[0]


def exact(env_id: str, **kwargs: Any) -> MDP | POMDP:
    """The exact model behind an environment id: rlkit's own, or one of Gymnasium's with a table `P`.

    It is a `POMDP` where states may look alike. Raises `NoExactModel` for an environment without one, and
    for one that is too large, with the count so far.
    """
    from ..core import NoExactModel
    from .adapters.gym import ModelEnv
    from .foreign import check_unchanged, table_of

    id = resolve(env_id)
    env = make(id, **kwargs)
    base = env.unwrapped
    if not isinstance(base, ModelEnv):
        return table_of(env)
    check_unchanged(env)
    try:
        return base.pomdp() if base.model.partially_observable else base.mdp()
    except NoExactModel as error:
        entry = entry_of(id)
        options = ", ".join(f"{k}={v!r}" for k, v in (entry.exact or {}).items()) if entry else ""
        raise NoExactModel(f"{error}{f'; it is solved for {options}' if options else ''}") from error
