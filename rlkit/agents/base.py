"""What every agent shares: making its environment, the learning loop, evaluating, saving."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit import storage
from rlkit.errors import (
    ConfigError,
    EnvironmentFault,
    MisplacedArgument,
    NonFiniteError,
    UnsupportedError,
    one_line,
)
from rlkit.experience import environments
from rlkit.experience.environments import AnyVectorEnv
from rlkit.experience.evaluation import MAX_ENVS, Evaluation, evaluate_on
from rlkit.experience.source import Source, source_of
from rlkit.experience.stepper import Stepper
from rlkit.experience.torch_stepper import stepper_for
from rlkit.nn.acting import Acting
from rlkit.nn.devices import choose_device, cpu_threads, keep_freed_memory, torch_defaults
from rlkit.settings import whole, whole_seed, whole_steps

from ..nn import Encoder, State
from . import saving
from .config import AgentConfig
from .early_stopping import EarlyStopping
from .presets import preset

Metrics: TypeAlias = dict[str, float]
Callback: TypeAlias = Callable[["Agent", Metrics], None]

# Every use of randomness has its own stream of the agent's seed, so that no two of them share numbers.
STREAMS = {
    "network": 0,
    "policy": 1,
    "environment": 2,
    "evaluation": 3,
    "resume": 4,
    "acting": 5,
    "selection": 6,  # evaluations during training
}


class Agent(Acting):
    """An agent and the environment it learns on.

    `env` is an environment id or a Gymnasium VectorEnv. The configuration is `config` if given, else the
    algorithm's defaults with the tuned settings for this id, if there are any (presets.py); keyword
    arguments change single fields of it. Raises MisplacedArgument for more than `env` by position, and
    ConfigError, UnsupportedError or UnsupportedSpaceError for what does not fit.
    """

    name: ClassVar[str]
    Config: ClassVar[type[AgentConfig]]

    network: nn.Module
    stepper: Stepper
    state: State  # the network's, where the stepper stands

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
        if misplaced:
            raise MisplacedArgument(type(self).__name__, self.name, len(misplaced))
        self.source = env if isinstance(env, Source) else source_of(env, env_kwargs)
        self.seed = whole_seed(seed)
        self.device = choose_device(device)
        base = config or self.configure(self.env_id)
        if not isinstance(base, self.Config):
            raise ConfigError(
                f"{type(self).__name__} takes a {self.Config.__name__}, got {type(base).__name__}"
            )
        if self.given_env is not None:
            overrides = {"num_envs": self.given_env.num_envs} | overrides
        self.config = base.replace(overrides, agent=self.name)
        self.observation_space, self.action_space = self.source.observation_space, self.source.action_space
        self._check_actions()
        if self.config.evaluate_every and self.env_id is None:
            raise UnsupportedError("evaluate_every needs an environment id, to make others to evaluate on")

        self.steps = 0  # environment steps taken
        self.horizon = 0  # environment steps after which schedules end
        self.encoder = self._encoder().to(self.device)
        self.early_stopping = EarlyStopping(self.config.patience)
        self.generator = torch.Generator(self.device).manual_seed(self._stream("policy"))
        self._acting = torch.Generator(self.device).manual_seed(self._stream("acting"))
        self.pending: saving.Pending | None = None  # of a loaded agent, what it takes up when it learns
        with cpu_threads(self.threads):  # initial parameters are products too
            try:
                self._build(torch.Generator().manual_seed(self._stream("network")))
                self._prepare()
            except (MemoryError, RuntimeError) as error:  # torch's, for what it has no memory for
                raise UnsupportedError(f"the network cannot be made: {one_line(error)}") from error

    def __repr__(self) -> str:
        where = self.source.full_id or self.given_env or "an environment without an id"
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
    def given_env(self) -> AnyVectorEnv | None:
        """The VectorEnv that it learns on, if it was given one."""
        return self.source.given

    @classmethod
    def configure(cls, env_id: str | None, overrides: Mapping[str, object] | None = None) -> AgentConfig:
        """The default configuration with the tuned settings for `env_id`, then `overrides`, changed in it."""
        changes = {**preset(cls.name, env_id), **(overrides or {})}
        return cls.Config().replace(changes, agent=cls.name)

    # What an algorithm fills in

    @abstractmethod
    def _build(self, generator: torch.Generator) -> None:
        """Make `network` and `head`; `generator` is the randomness of the initial parameters."""

    @abstractmethod
    def _begin(self) -> None:
        """Get buffers ready for `stepper`, which is new."""

    def _interrupted(self) -> None:
        """Episodes began anew out of turn: let no buffer join them to what came before."""
        return

    @abstractmethod
    def _iterate(self, budget: int) -> Metrics:
        """Collect at most `budget` environment steps, count them in `steps`, and learn."""

    def _check_actions(self) -> None:
        """Raise UnsupportedError for an action space that the algorithm has no way to act in."""
        if not isinstance(self.action_space, spaces.Discrete):
            raise UnsupportedError(
                f"{type(self).__name__} needs a Discrete action space, got {self.action_space}"
            )

    def _prepare(self) -> None:
        """Get the network ready to act."""
        self.network.to(self.device).eval()

    def _encoder(self) -> Encoder:
        return Encoder(self.observation_space)

    def _watched(self, stepper: Stepper) -> Stepper:
        """The stepper, whose steps are seen from now on by whoever needs to."""
        return stepper

    def _learn(self, budget: int) -> Metrics:
        """One iteration, with what is done before and after each."""
        return self._iterate(budget)

    @abstractmethod
    def describe(self) -> str:
        """What stands between observations and actions, in a few words."""

    def warnings(self, metrics: Metrics, *, rising: bool = False) -> list[str] | None:
        """What a user should know of the last iteration, while returns rise or not; None if nobody looked."""
        return None

    def _buffers(self) -> dict[str, Tensor]:
        """What else a checkpoint must hold."""
        return {}

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        """Undo `_buffers`."""
        assert not tensors

    def parameters(self) -> dict[str, Tensor]:
        """What acting goes by, as named tensors."""
        return storage.with_prefix("network", self.network.state_dict())

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo `parameters`."""
        self.network.load_state_dict(storage.under("network", tensors))

    def training_tensors(self) -> dict[str, Tensor]:
        """What learning goes by beside the parameters."""
        return {}

    def load_training_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Undo `training_tensors`, which `tensors` hold among others."""
        assert not self.training_tensors()

    # Learning

    @torch_defaults()
    def train(self, steps: int, *, callback: Callback | None = None) -> Self:
        """Learn for exactly `steps` environment steps; `callback(agent, metrics)` follows each update.

        A second call goes on with what the first has learned, and continues its schedules: what falls over
        the training, such as the learning rate or epsilon, is a function of `progress`, the steps taken out
        of all those planned so far. So `train(n).train(n)` ends its first half with a learning rate annealed
        to 0 and starts its second half in the middle of the schedule of `train(2 * n)`. What early stopping
        gave up is taken up again. If `steps` are no multiple of the environments, there are new ones, fewer,
        and a replay memory starts anew with them.

        Raises StepsError if the given environment cannot take exactly that many, NonFiniteError if an
        observation, a reward or the loss is NaN or infinite.
        """
        steps = whole_steps(steps)
        self._ready(steps, anew=self.given_env is not None)
        self.early_stopping.waited = 0
        return self.continue_to(self.steps + steps, callback=callback)

    @torch_defaults()
    def continue_to(self, horizon: int, *, callback: Callback | None = None) -> Self:
        """Learn until `steps` reaches `horizon`: what `train` does, and how a loaded agent goes on.

        With `evaluate_every` the agent is left with the parameters that were best in an evaluation, and with
        `patience` training may end early.
        """
        if horizon != self.horizon:
            self.early_stopping.waited = 0
        self._ready(horizon - self.steps)
        self.horizon = horizon
        keep_freed_memory()
        with cpu_threads(self.threads):
            while not self.finished:
                metrics = self._advance()
                if callback is not None:
                    callback(self, metrics)
        return self

    @property
    def threads(self) -> int:
        """Of the CPU, to compute on."""
        return 1

    @property
    def finished(self) -> bool:
        """Whether the present training is over: all its steps are taken, or it was stopped early."""
        return self.steps >= self.horizon or self.early_stopping.stopped

    def _advance(self) -> Metrics:
        """One iteration, and an evaluation if it is time for one."""
        before = self.steps
        try:
            self._ready(self.horizon - before)
            metrics = self._learn(self.horizon - before)
        except (EnvironmentFault, NonFiniteError) as error:
            raise type(error)(f"{error}, in the iteration after step {before}") from error.__cause__
        for key, value in metrics.items():
            if not np.isfinite(value):
                raise NonFiniteError(f"{key} is {value} at step {self.steps}")
        every = self.config.evaluate_every
        if every and (self.steps // every > before // every or self.finished):
            metrics |= self._select()
        return metrics

    def _select(self) -> Metrics:
        """Evaluate, always on the same episodes, and in the end go back to the best parameters."""
        early = self.early_stopping
        found = self.evaluate(self.config.evaluate_episodes, seed=self._stream("selection")).mean_return
        early.judge(found, self.parameters(), step=self.steps)
        if self.finished:
            self.load_parameters(early.best)
        return {
            "eval_return": found,
            "best_return": early.best_return or 0.0,
            "best_step": early.best_step,
            "stopped_early": float(early.stopped and self.steps < self.horizon),
        }

    @property
    def progress(self) -> float:
        """The part of the current training that is done, for schedules."""
        return self.steps / self.horizon if self.horizon else 0.0

    def _ready(self, steps: int, *, anew: bool = False) -> None:
        """Have a stepper whose environments can take exactly `steps` more, in new episodes if `anew`."""
        if self.pending is not None:
            saving.take_up(self, self.pending)
        if hasattr(self, "stepper") and environments.fits(self.stepper.env, steps):
            if anew or not self.stepper.stands:
                self.stepper.restart(self._stream("environment", self.steps))
                self.state = self.initial_state(self.stepper.num_envs)
                self._interrupted()
            return
        if self.given_env is not None:
            environments.check_fits(self.given_env, steps)
            env = self.given_env
        else:
            env = self.source.make_for_steps(self.config.num_envs, steps=steps, device=self.device)
        self._step_in(env, seed=self._stream("environment", self.steps))

    def _step_in(self, env: AnyVectorEnv, *, seed: int) -> None:
        self.stepper = self._watched(stepper_for(env, self.encoder, seed=seed, device=self.device))
        self.state = self.initial_state(env.num_envs)
        self._begin()

    # Evaluating and saving

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
        seed = self._stream("evaluation") if seed is None else whole_seed(seed)
        env = self.source.make(min(episodes, MAX_ENVS), self.device, graded=True)
        try:
            with cpu_threads(self.threads):
                return evaluate_on(
                    self, env, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps
                )
        finally:
            env.close()

    def save(self, path: str | Path) -> None:
        """Write everything needed to resume to the folder `path`: safetensors and JSON, no pickle.

        Raises UnsupportedError if an option of the environment is not JSON, NonFiniteError if a parameter is
        NaN or infinite, FileExistsError if the folder holds anything but a saved agent.
        """
        saving.save(self, Path(path))

    @classmethod
    def load(
        cls,
        path: str | Path,
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
        saved = storage.read(Path(path))
        return saving.load(cls, saved, env=env, env_kwargs=env_kwargs, device=device, trust_env=trust_env)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made of what is saved: parts of an agent are views of each other."""
        return saving.copied, (type(self), *saving.snapshot(self))

    def _stream(self, name: str, number: int = 0) -> int:
        """A seed for one use of randomness, derived from the agent's own."""
        return int(np.random.SeedSequence([self.seed, STREAMS[name], number]).generate_state(1)[0])
