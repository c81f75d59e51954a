"""What every agent offers: learning, acting, evaluating, saving."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlkit import storage
from rlkit.errors import (
    DAMAGE,
    AgentError,
    ConfigError,
    LoadError,
    MisplacedArgument,
    NonFiniteError,
    RlkitError,
    UnsupportedError,
    one_line,
)
from rlkit.experience.environments import AnyVectorEnv
from rlkit.experience.evaluation import MAX_ENVS, Evaluation, evaluate_on
from rlkit.experience.experience import Clock, Experience, Metrics, StateDict
from rlkit.experience.source import Source, source_of
from rlkit.experience.stepper import Stepper
from rlkit.nn import NetworkConfig, State
from rlkit.nn.devices import choose_device, cpu_threads, torch_defaults
from rlkit.nn.policy import Policy
from rlkit.registry import check_imported, name_of
from rlkit.settings import whole, whole_seed, whole_steps
from rlkit.trees import cloned, flat

from .config import AgentConfig
from .learner import Learner
from .loop import Loop
from .presets import preset
from .seeds import stream

Callback: TypeAlias = Callable[["Agent", Metrics], None]


class Agent:
    """A policy and a learner for an environment, and the loop that trains them.

    `env` is an environment id or a Gymnasium VectorEnv. The configuration is `config` if given, else the
    algorithm's defaults with the tuned settings for this id, if there are any (presets.toml); keyword
    arguments change single fields of it. Raises MisplacedArgument for more than `env` by position, and
    ConfigError, UnsupportedError or UnsupportedSpaceError for what does not fit.

    A subclass is an algorithm: its name, its configuration and its learner.
    """

    name: ClassVar[str] = "agent"
    Config: ClassVar[type[AgentConfig]]
    Learner: ClassVar[type[Learner]] = None  # type: ignore[assignment]  # none: an agent is abstract

    @torch_defaults()
    def __init__(
        self,
        env: str | AnyVectorEnv | Source,
        *misplaced: object,
        config: AgentConfig | None = None,
        seed: int = 0,
        device: str = "auto",
        env_kwargs: Mapping[str, Any] | None = None,
        **overrides: object,
    ) -> None:
        if self.Learner is None:
            raise TypeError(f"{type(self).__name__} is abstract: make an algorithm such as PPO")
        if misplaced:
            raise MisplacedArgument(type(self).__name__, name_of("agent", type(self)), len(misplaced))
        self.source = env if isinstance(env, Source) else source_of(env, env_kwargs)
        self.seed = whole_seed(seed)
        chosen = choose_device(device)
        self.device = chosen if chosen.type in self.Learner.devices else torch.device("cpu")
        base = config or self.configure(self.env_id)
        if not isinstance(base, self.Config):
            raise ConfigError(
                f"{type(self).__name__} takes a {self.Config.__name__}, got {type(base).__name__}"
            )
        if self.source.given is not None:
            overrides = {"num_envs": self.source.given.num_envs} | overrides
        self.config = base.replace(overrides, agent=name_of("agent", type(self)))
        spaces = self.source.observation_space, self.source.action_space
        self.observation_space, self.action_space = spaces
        if self.config.evaluate_every and self.env_id is None:
            raise UnsupportedError("evaluate_every needs an environment id, to make others to evaluate on")
        self.clock = Clock()
        self.learner = self.Learner(
            *spaces, self.config, name=self.name, clock=self.clock, seed=self.seed, device=self.device
        )
        self.loop = Loop(self.learner, self.source, evaluate=self._mean_return)
        self._one_at_a_time = Lock()

    def __repr__(self) -> str:
        where = self.source.full_id or self.source.given or "an environment without an id"
        return f"{type(self).__name__} on {where}, {self.steps:,} steps"

    @property
    def env_id(self) -> str | None:
        """The id of the environment, if it has one that says what it is."""
        return self.source.env_id

    @property
    def env_kwargs(self) -> dict[str, Any]:
        """The options that the environment is made with."""
        return self.source.env_kwargs

    @property
    def policy(self) -> Policy:
        """What acts."""
        return self.learner.policy

    @property
    def network(self) -> Any:
        """The policy's network."""
        return self.policy.network

    @property
    def experience(self) -> Experience:
        """Where batches come from; AttributeError before the agent has begun to learn."""
        if self.loop.experience is None:
            raise AttributeError(f"{self!r} has not begun to learn")
        return self.loop.experience

    @property
    def stepper(self) -> Stepper:
        """What steps the environments that it learns on; AttributeError before it has begun to learn."""
        return self.experience.stepper

    @property
    def steps(self) -> int:
        """Environment steps taken."""
        return self.clock.steps

    @property
    def finished(self) -> bool:
        """Whether the present training is over: all its steps are taken, or it was stopped early."""
        return self.loop.finished

    @classmethod
    def configure(cls, env_id: str | None, overrides: Mapping[str, object] | None = None) -> AgentConfig:
        """The default configuration with the tuned settings for `env_id`, then `overrides`, changed in it."""
        changes = {**preset(cls.name, env_id), **(overrides or {})}
        return cls.Config().replace(changes, agent=name_of("agent", cls))

    def describe(self) -> str:
        """What stands between observations and actions, in a few words."""
        return self.learner.describe()

    # Learning

    @torch_defaults()
    def train(self, steps: int, *, callback: Callback | None = None) -> Self:
        """Learn for exactly `steps` environment steps; `callback(agent, metrics)` follows each update.

        A second call continues what the first has learned, and its schedules: what falls over the training,
        such as the learning rate or epsilon, is a function of the steps taken out of all those planned so
        far. So `train(n).train(n)` ends its first half with a learning rate annealed to 0 and starts its
        second half in the middle of the schedule of `train(2 * n)`. What early stopping gave up is taken up
        again. If `steps` are no multiple of the environments, there are new ones, fewer, and a replay memory
        starts empty with them.

        Raises StepsError if the given environment cannot take exactly that many, NonFiniteError if an
        observation, a reward or the loss is NaN or infinite.
        """
        return self._learn(self.steps + whole_steps(steps), callback, anew=True)

    @torch_defaults()
    def continue_to(self, horizon: int, *, callback: Callback | None = None) -> Self:
        """Learn until `steps` reaches `horizon`: what `train` does, and how a loaded agent resumes.

        With `evaluate_every` the agent is left with the policy that was best in an evaluation, and with
        `patience` training may end early. Warns with `NothingLearned` if no update was made on the way.
        """
        return self._learn(horizon, callback)

    def _learn(self, horizon: int, callback: Callback | None, *, anew: bool = False) -> Self:
        if not self._one_at_a_time.acquire(blocking=False):
            raise AgentError(f"{self!r} is already training; train copies of it at the same time")
        try:
            self.loop.run(horizon, lambda metrics: callback and callback(self, metrics), anew=anew)
        finally:
            self._one_at_a_time.release()
        return self

    # Acting

    def act(
        self,
        obs: Any,
        state: State | None = None,
        *,
        mask: NDArray[Any] | None = None,
        reset: NDArray[np.bool_] | None = None,
        stochastic: bool = False,
    ) -> tuple[Any, State]:
        """The action for one observation, or the actions for a batch, and the state to pass in next time.

        See `Policy.act`.
        """
        return self.policy.act(obs, state, mask=mask, reset=reset, stochastic=stochastic)

    @torch_defaults()
    def evaluate(
        self,
        episodes: int = 100,
        *,
        seed: int | None = None,
        stochastic: bool = False,
        max_steps: int | None = None,
    ) -> Evaluation:
        """Play `episodes` episodes on fresh environments, seeded apart from training; greedy by default.

        An episode that has not ended after `max_steps` steps is cut there and counted in `cut`; by default
        after 1,000 where the environment has no time limit of its own.
        """
        episodes = whole("episodes", episodes, least=1)
        seed = stream(self.seed, "evaluation") if seed is None else whole_seed(seed)
        env = self.source.make(min(episodes, MAX_ENVS), self.device, graded=True)
        try:
            with cpu_threads(self.learner.threads):
                return evaluate_on(
                    self.policy, env, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps
                )
        finally:
            env.close()

    def _mean_return(self, seed: int) -> float:
        return self.evaluate(self.config.evaluate_episodes, seed=seed).mean_return

    # Saving

    def state_dict(self) -> StateDict:
        """All that is needed to resume, as a tree of tensors, arrays and JSON values, where they lie.

        A training that is resumed takes the same steps as one that was never stopped.
        """
        own = {"learner": self.learner.state_dict(), "loop": self.loop.state_dict()}
        standing = self.loop.standing()
        return own if standing is None else own | {"experience": standing}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`, with copies of what it holds; experience is taken up when the agent learns.

        Raises LoadError, and changes nothing, if it does not fit.
        """
        before = cloned({"loop": self.loop.state_dict(), "learner": self.learner.state_dict()})
        try:
            own = cloned(saved)
            if "experience" in own:
                self.loop.check(own["experience"])
            self._go_on_from(own)
        except DAMAGE as error:
            self._go_on_from(before)
            raise LoadError(f"the state does not fit {self!r}: {one_line(error)}") from None
        self.loop.experience, self.loop.place = None, "the loaded state"
        self.loop.pending = (lambda: own["experience"]) if "experience" in own else None

    def _go_on_from(self, saved: Mapping[str, Any]) -> None:
        self.loop.load_state_dict(saved["loop"])
        self.learner.load_state_dict(saved["learner"])

    def save(self, path: str | Path, *, new_episodes: bool = False) -> None:
        """Write everything needed to resume to the folder `path`: safetensors and JSON, no pickle.

        With `new_episodes` it resumes in new episodes. Raises UnsupportedError if an option of the
        environment is not JSON, NonFiniteError if a parameter is NaN or infinite, FileExistsError if the
        folder holds anything but a saved agent, and then leaves what is there as it is.
        """
        state = self.state_dict()
        for name, x in flat(state["learner"]["policy"]).items():
            if not x.isfinite().all():
                raise NonFiniteError(f"{name} is not finite at step {self.steps}, and is not saved")
        if new_episodes and "experience" in state:
            stepper = {name: x for name, x in state["experience"]["stepper"].items() if name != "env"}
            state["experience"] = {**state["experience"], "stepper": stepper}
        storage.write(Path(path), self.source.to_json() | self._identity(), state)

    def _identity(self) -> dict[str, Any]:
        return {"agent": name_of("agent", type(self)), "config": self.config.to_json(), "seed": self.seed}

    @classmethod
    def load(
        cls,
        path: str | Path | storage.Saved,
        *,
        env: str | AnyVectorEnv | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        device: str = "auto",
        trust_env: str | Sequence[str] = (),
    ) -> Self:
        """The agent saved at `path`, a folder of `save` or of a run, ready to act or resume learning.

        It acts without its environment, which is made when it learns or is evaluated: the one it was trained
        on, with the options `env_kwargs` changed, or `env`. The module of an id is imported only if it is
        among `trust_env`. Raises LoadError if the folder is missing or damaged, of another algorithm, or of
        other spaces.
        """
        saved = path if isinstance(path, storage.Saved) else storage.read(Path(path))
        device = str(choose_device(device))
        if saved.meta["agent"] != (own := name_of("agent", cls)):
            raise LoadError(f"{saved.path} holds a {saved.meta['agent']} agent, not {own}")
        source = Source.from_json(
            saved.meta, saved.path / storage.META, env=env, env_kwargs=env_kwargs, trust_env=trust_env
        )
        return cls._restored(source, saved, device)

    @classmethod
    def _restored(cls, source: Source, saved: storage.Saved, device: str) -> Self:
        """The agent that was saved; LoadError says what is wrong with it."""
        meta, place = saved.meta, saved.path
        state = {part: saved.state(part) for part in ("loop", "learner")}
        try:
            check_imported(meta["config"].values())
            config = cls.Config().replace(meta["config"])
            weights = flat(state["learner"].get("policy", {})).values()
            known = sum(x.numel() for x in weights if isinstance(x, Tensor))
            if isinstance(config, NetworkConfig) and config.least_weights > known:  # and takes long to make
                raise LoadError(f"it has {known:,} weights, too few for hidden {config.hidden}")
            agent = cls(source, config=config, seed=meta["seed"], device=device)
        except (RlkitError, MemoryError, RuntimeError) as error:  # torch's, for what it has no memory for
            raise LoadError(f"{place} cannot be used: {one_line(error)}") from None
        try:
            agent._go_on_from(state)
        except DAMAGE as error:
            raise LoadError(f"{place} is damaged: {one_line(error)}") from None
        if "experience" in meta["state"]:
            agent.loop.pending = lambda: saved.state("experience")
        agent.loop.place = str(place)
        return agent

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made of what is saved: parts of an agent are views of each other."""
        tensors, rest = storage.split(self.state_dict())
        tensors = {name: x.detach().cpu().clone() for name, x in tensors.items()}
        saved = storage.Saved(Path("the copied agent"), self._identity() | {"state": rest}, tensors)
        return copied, (type(self), dataclasses.replace(self.source, given=None), saved, str(self.device))


class ActionValueAgent(Agent):
    """An agent that learns action values, and acts by them."""

    def q_values(self, obs: Any, state: State | None = None) -> NDArray[Any]:
        """Q [B, A] of a batch of observations, at the start of episodes unless `state` is given."""
        return self.policy.ask("scores", obs, state)


class CriticAgent(Agent):
    """An agent with a critic of states beside its policy."""

    def value(self, obs: Any, state: State | None = None) -> NDArray[Any]:
        """V [B] of a batch of observations, at the start of episodes unless `state` is given."""
        return self.policy.ask("value", obs, state)


def copied(algorithm: type[Agent], source: Source, saved: storage.Saved, device: str) -> Agent:
    """The copy of an agent, on its device if that is there."""
    try:
        device = str(choose_device(device))
    except ConfigError:
        device = "auto"
    return algorithm._restored(source, saved, device)
