"""Where an agent's environments come from: an id with options, a given VectorEnv, or what a file says."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
import torch
from gymnasium import spaces

from rlkit.errors import DAMAGE, ConfigError, LoadError, UnsupportedError, blamed, one_line

from . import environments
from .environments import AnyVectorEnv
from .jsonable import options_from_json, options_to_json, space_from_json, space_to_json

Space = spaces.Space[Any]


@dataclass(frozen=True)
class Source:
    """An environment's id, options and spaces, or the VectorEnv that was given.

    `module` registers the id, where it is known from a file alone and nobody has imported it.
    """

    env_id: str | None
    env_kwargs: dict[str, Any]
    observation_space: Space
    action_space: Space
    given: AnyVectorEnv | None = None
    module: str = ""

    @property
    def full_id(self) -> str | None:
        """The id as a file names it: with the module that registers it."""
        return f"{self.module}:{self.env_id}" if self.module else self.env_id

    def to_json(self) -> dict[str, Any]:
        """As a file holds it; UnsupportedError if JSON would change an option."""
        return {
            "env_id": self.full_id,
            "env_kwargs": options_to_json(self.env_kwargs),
            "observation_space": space_to_json(self.observation_space),
            "action_space": space_to_json(self.action_space),
        }

    @classmethod
    def from_json(
        cls,
        saved: Mapping[str, Any],
        place: Path,
        *,
        env: str | AnyVectorEnv | None,
        env_kwargs: Mapping[str, Any] | None,
        trust_env: str | Sequence[str],
    ) -> "Source":
        """Undo `to_json`, or the source that `env` is, if it has the same spaces; LoadError names the place.

        The module of an id is imported only if it is among `trust_env`.
        """
        env_id, module = trusted(saved["env_id"], trust_env)
        try:
            options = options_from_json(saved["env_kwargs"])
            seen, taken = (space_from_json(saved[f"{kind}_space"]) for kind in ("observation", "action"))
        except (*DAMAGE, AssertionError) as error:
            raise LoadError(f"{place} cannot be used: {one_line(error)}") from None
        if env is None:
            return cls(env_id, {**options, **(env_kwargs or {})}, seen, taken, module=module)
        given = source_of(env, env_kwargs)
        try:
            cls(env_id, options, seen, taken).compare(
                given.observation_space, given.action_space, given.env_id or env
            )
        except UnsupportedError as error:
            raise LoadError(f"{place}: {error}") from None
        return given

    def check(self) -> str:
        """The id that environments can be made of; UnsupportedError says what is missing."""
        if self.env_id is None:
            raise UnsupportedError(
                "the agent was trained on a VectorEnv without an id, or a wrapped one, and none can be made "
                "anew: load it with env= to train it, and evaluate its policy by evaluate_on"
            )
        if self.module and self.env_id not in gymnasium.registry:
            raise UnsupportedError(
                f"this run needs the module {self.module!r}; if you trust it, "
                f"add --trust-env {self.module} (trust_env={self.module!r} in Python)"
            )
        environments.check_options(self.env_id, self.env_kwargs)
        return self.env_id

    def graded_kwargs(self) -> dict[str, Any]:
        """The options that an agent is graded with: without those that only help learning."""
        return environments.graded(self.check(), self.env_kwargs)

    def make(self, num_envs: int, device: torch.device, *, graded: bool = False) -> AnyVectorEnv:
        """So many of the environments, `graded` as agents are; UnsupportedError if they have other spaces.

        It is also raised where they cannot be made.
        """
        env_id = self.check()
        kwargs = self.graded_kwargs() if graded else self.env_kwargs
        env = environments.make(env_id, num_envs, kwargs=kwargs, device=device)
        try:
            self.compare(env.single_observation_space, env.single_action_space, env_id)
        except UnsupportedError:
            env.close()
            raise
        return env

    def make_for_steps(self, num_envs: int, *, steps: int, device: torch.device) -> AnyVectorEnv:
        """As `make`, with the largest number of environments up to `num_envs` that divides `steps`."""
        env = self.make(num_envs, device)
        if environments.fits(env, steps):
            return env
        env.close()
        return self.make(next(n for n in range(num_envs, 0, -1) if steps % n == 0), device)

    def compare(self, observation_space: Space, action_space: Space, whose: object) -> None:
        """UnsupportedError if these are other spaces than the agent's."""
        for kind, found in (("observation_space", observation_space), ("action_space", action_space)):
            known = getattr(self, kind)
            if space_to_json(known) != space_to_json(found):
                shown = found if str(found) != str(known) else f"{found} with other bounds"
                raise UnsupportedError(f"the agent was trained on {kind} {known}; that of {whose} is {shown}")


def source_of(env: str | AnyVectorEnv, env_kwargs: Mapping[str, Any] | None) -> Source:
    """The source that an id with options, or a VectorEnv, is.

    Raises ConfigError for options of a VectorEnv, UnsupportedError for what cannot be made.
    """
    if env_kwargs is not None and not isinstance(env_kwargs, Mapping):
        raise ConfigError(f"env_kwargs must be a mapping of names to values, not {env_kwargs!r}")
    if not isinstance(env, str):
        env_id, kwargs = environments.origin(env)
        if env_kwargs:
            raise ConfigError(
                f"env_kwargs {dict(env_kwargs)} are for an environment that is made from an id; "
                f"{env} is made already"
            )
        return Source(env_id, kwargs, env.single_observation_space, env.single_action_space, given=env)
    kwargs = dict(env_kwargs or {})
    probe = environments.make(env, 1, kwargs=kwargs)
    probe.close()
    return Source(env, kwargs, probe.single_observation_space, probe.single_action_space)


def trusted(env_id: str | None, trust_env: str | Sequence[str]) -> tuple[str | None, str]:
    """The id that a file names, and the module it names with it that nobody has imported.

    Imports the modules `trust_env`, and no others.
    """
    import_trusted(trust_env)
    module, _, bare = (env_id or "").rpartition(":")
    if not module or module in sys.modules:
        return env_id, ""
    return bare, module


def import_trusted(trust_env: str | Sequence[str]) -> None:
    """Import these modules; LoadError names one that cannot be imported, ConfigError what is no name."""
    modules = [trust_env] if isinstance(trust_env, str) else trust_env
    if not isinstance(modules, Collection) or not all(isinstance(module, str) for module in modules):
        raise ConfigError(f"trust_env takes the name of a module, or a list of names, not {trust_env!r}")
    for module in modules:
        with blamed(LoadError, f"the module {module!r} cannot be imported"):
            import_module(module)
