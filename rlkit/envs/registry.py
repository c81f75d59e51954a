"""The ids of rlkit, entered in Gymnasium's registry, and the exact model behind an id."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FAILURES, RlkitError, did_you_mean
from ..registry import RegistryError
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


def register() -> None:
    """Enter every id in Gymnasium's registry, once."""
    from gymnasium.envs.registration import register as enter
    from gymnasium.envs.registration import registry

    for entry in ENTRIES:
        if entry.id not in registry:
            enter(
                id=entry.id,
                entry_point=f"{__name__}:make_scalar {entry.id}",
                vector_entry_point=f"{__name__}:make_vector {entry.id}",
                max_episode_steps=entry.max_episode_steps,
                kwargs=dict(entry.kwargs),
            )


def __getattr__(name: str) -> Any:
    """`make_scalar ID` and `make_vector ID`, the entry points of an id of the suite.

    The id is a part of the name, because Gymnasium lets options replace every argument of an entry point.
    """
    maker, _, id = name.partition(" ")
    entry = next((entry for entry in ENTRIES if entry.id == id), None)
    if entry is None or maker not in ("make_scalar", "make_vector"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = partial(globals()[maker], entry)
    if maker == "make_scalar":
        from .adapters.gym import ModelEnv

        made.metadata = ModelEnv.metadata  # type: ignore[attr-defined]  # gymnasium.make reads it here
    return made


def make_scalar(entry: Entry, /, *, render_mode: str | None = None, **knobs: Any) -> ModelEnv:
    """The scalar face of an id; `knobs` go to its factory."""
    from .adapters.gym import ModelEnv

    return ModelEnv(build(entry.factory, knobs), render_mode=render_mode)


def make_vector(
    entry: Entry,
    /,
    *,
    num_envs: int = 1,
    max_episode_steps: int | None = None,
    autoreset_mode: Any = "NextStep",
    render_mode: str | None = None,
    device: str | None = None,
    **knobs: Any,
) -> VectorEnv[Any, Any, Any]:
    """The vector face of an id, the torch face if a device is named; `knobs` go to its factory."""
    from .adapters.vector import ModelVectorEnv

    options: dict[str, Any] = {
        "num_envs": num_envs,
        "max_episode_steps": max_episode_steps,
        "autoreset_mode": autoreset_mode,
        "render_mode": render_mode,
    }
    model = build(entry.factory, knobs)
    if device is None:
        return ModelVectorEnv(model, **options)
    from .adapters.torch import TorchVectorEnv

    return TorchVectorEnv(model, device=device, **options)


def make_torch(
    env_id: str,
    num_envs: int,
    device: str = "cuda",
    *,
    max_episode_steps: int | None = None,
    autoreset_mode: Any = "NextStep",
    **knobs: Any,
) -> TorchVectorEnv:
    """The torch face of one of rlkit's ids: a batch whose tensors never leave the device.

    The time limit is the id's own where none is given. Raises `RegistryError` for an id or a device that
    is not there.
    """
    import torch

    from .adapters.torch import TorchVectorEnv

    id = resolve(env_id)
    entry = next((e for e in ENTRIES if e.id == id), None)
    if entry is None:
        raise RegistryError(f"{id} is not one of rlkit's environments; only they run in torch")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RegistryError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    return TorchVectorEnv(
        build(entry.factory, {**entry.kwargs, **knobs}),
        num_envs=num_envs,
        device=device,
        max_episode_steps=max_episode_steps or entry.max_episode_steps,
        autoreset_mode=autoreset_mode,
    )


def make(env_id: str, **kwargs: Any) -> Env[Any, Any]:
    """`gymnasium.make`, with one `RegistryError` for whatever is wrong with the id or the knobs."""
    import gymnasium as gym

    register()
    try:
        return gym.make(env_id, **kwargs)
    except RlkitError:
        raise
    except (gym.error.Error, TypeError, ValueError, LookupError, AttributeError, ImportError) as error:
        raise RegistryError(f"{env_id} cannot be made: {error}") from error


def build(factory: str, knobs: Mapping[str, Any]) -> Model[Any]:
    """Call a factory given as "module:function", and wrap what it makes as the knobs ask.

    Raises `UnknownOption` for a knob that neither the factory nor a wrapper has, `MissingOption` for one that
    the factory needs.
    """
    import inspect

    from .errors import MissingOption, UnknownOption
    from .wrappers import WRAPPERS

    module, name = factory.split(":")
    function = getattr(import_module(f"rlkit.{module}"), name)
    parameters = inspect.signature(function).parameters
    for knob, parameter in parameters.items():
        if parameter.default is parameter.empty and knob not in knobs:
            raise MissingOption(f"{name} cannot be made without its option {knob!r}")
    for knob in knobs:
        if knob not in parameters and knob not in WRAPPERS:
            own = ", ".join(parameters) or "none"
            hint = did_you_mean(knob, [*parameters, *WRAPPERS]) or ";"
            raise UnknownOption(
                f"{name}() got an unexpected keyword argument {knob!r}{hint} "
                f"its options: {own}; common ones: {', '.join(WRAPPERS)}"
            )
    model: Model[Any] = function(**{knob: value for knob, value in knobs.items() if knob in parameters})
    for knob, wrap in WRAPPERS.items():
        if knob in knobs:
            model = wrap(model, knobs[knob])
    return model


def resolve(name: str) -> str:
    """The full id for a short one: `exam` is `rlkit/Exam-v0`, `cartpole` is `CartPole-v1`.

    rlkit's own ids come first, and of several versions the newest. `module:name` imports a module that enters
    ids of its own, and keeps it in front of the id. Raises `RegistryError` with near names.
    """
    from gymnasium.envs.registration import registry

    register()
    module, colon, bare_name = name.rpartition(":")
    before = set(registry)
    if colon:
        check_module(name)
        try:
            import_module(module)
        except FAILURES as error:
            raise RegistryError(f"no environment {name!r}: importing {module!r} failed: {error}") from error
    if bare_name in registry:
        return name
    short, wanted = _short_names(), bare_name.lower()
    if wanted in short:
        return module + colon + short[wanted]
    if Path(name).is_file():
        raise RegistryError(f"no environment {name!r}; {MODEL_FILE.format(name)}")
    if colon:
        raise RegistryError(f"no environment {name!r}; {_registered(name, before)}")
    near = dict.fromkeys(short[key] for key in difflib.get_close_matches(wanted, short, n=3))
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise RegistryError(
        f"no environment {name!r}{hint}; `rlkit envs` lists those of rlkit; "
        "MODULE:ID is one that another package, or a file in the current folder, registers"
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

    register()
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
    point = spec.entry_point
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
        return base.pomdp() if base.model.hidden else base.mdp()
    except NoExactModel as error:
        entry = next((e for e in ENTRIES if e.id == id), None)
        knobs = ", ".join(f"{k}={v!r}" for k, v in (entry.exact or {}).items()) if entry else ""
        raise NoExactModel(f"{error}{f'; it is solved for {knobs}' if knobs else ''}") from error
