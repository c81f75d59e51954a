"""What every agent shares: making its environment, the learning loop, acting, evaluating, saving."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import RlkitError
from rlkit.settings import ConfigError, whole

from ..nn import Discrete, Encoder, Head, State
from . import environments, storage
from .config import AgentConfig, whole_seed, whole_steps
from .devices import choose_device, one_thread
from .environments import AnyVectorEnv
from .errors import LoadError, NonFiniteError, UnsupportedError, one_line
from .evaluation import MAX_ENVS, Evaluation, evaluate_on
from .optimization import descend, make_optimizer, scheduled
from .presets import preset
from .stepper import Array, BoolArray, Stepper, as_given
from .torch_stepper import stepper_for

Metrics: TypeAlias = dict[str, float]
Callback: TypeAlias = Callable[["Agent", Metrics], None]

# Every use of randomness has its own stream of the agent's seed, so that no two of them share numbers.
STREAMS = {"network": 0, "policy": 1, "environment": 2, "evaluation": 3, "resume": 4, "acting": 5}


class Agent(ABC):
    """An agent and the environment it learns on.

    `env` is an environment id or a Gymnasium VectorEnv. The configuration is `config` if given, else the
    algorithm's defaults with the tuned settings for this id, if there are any (presets.py); keyword
    arguments change single fields of it. Raises ConfigError, UnsupportedError or UnsupportedSpaceError for
    what does not fit.
    """

    name: ClassVar[str]
    Config: ClassVar[type[AgentConfig]]

    network: nn.Module
    head: Head
    optimizers: dict[str, torch.optim.Optimizer]
    stepper: Stepper
    state: State  # the network's, where the stepper stands

    def __init__(
        self,
        env: str | AnyVectorEnv,
        *,
        config: AgentConfig | None = None,
        seed: int = 0,
        device: str = "auto",
        env_kwargs: Mapping[str, Any] | None = None,
        **overrides: object,
    ) -> None:
        self.env_id: str | None = env if isinstance(env, str) else env.spec.id if env.spec else None
        if env_kwargs is not None and not isinstance(env_kwargs, Mapping):
            raise ConfigError(f"env_kwargs must be a mapping of names to values, not {env_kwargs!r}")
        self.env_kwargs = dict(env_kwargs or {})
        self.seed = whole_seed(seed)
        self.device = choose_device(device)
        base = config or self.configure(self.env_id)
        if not isinstance(base, self.Config):
            raise ConfigError(
                f"{type(self).__name__} takes a {self.Config.__name__}, got {type(base).__name__}"
            )
        self._given_env = None if isinstance(env, str) else env
        if self._given_env is not None:
            overrides = {"num_envs": self._given_env.num_envs} | overrides
        self.config = base.replace(overrides)

        probe = self._given_env or environments.make(str(env), 1, kwargs=self.env_kwargs)
        self.observation_space = probe.single_observation_space
        self.action_space = probe.single_action_space
        if self._given_env is None:
            probe.close()
        self._check_actions()

        self.steps = 0  # environment steps taken
        self.horizon = 0  # environment steps after which schedules end
        self.encoder = Encoder(self.observation_space).to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(self._stream("policy"))
        self._acting = torch.Generator(self.device).manual_seed(self._stream("acting"))
        self._build(torch.Generator().manual_seed(self._stream("network")))
        self.network.to(self.device).eval()
        self.optimizers = self._optimizers()

    @classmethod
    def configure(cls, env_id: str | None, overrides: Mapping[str, object] | None = None) -> AgentConfig:
        """The default configuration with the tuned settings for `env_id`, then `overrides`, changed in it."""
        return cls.Config().replace({**preset(cls.name, env_id), **(overrides or {})})

    # What an algorithm fills in

    @abstractmethod
    def _build(self, generator: torch.Generator) -> None:
        """Make `network` and `head`; `generator` is the randomness of the initial parameters."""

    @abstractmethod
    def _begin(self) -> None:
        """Get buffers ready for `stepper`, which is new."""

    @abstractmethod
    def _iterate(self, budget: int) -> Metrics:
        """Collect at most `budget` environment steps, count them in `steps`, and learn."""

    @abstractmethod
    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """What `head` makes actions of, [B, n_params] of packed observations, and the next state."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The network's state at the start of episodes."""

    def _check_actions(self) -> None:
        """Raise UnsupportedError for an action space that the algorithm has no way to act in."""
        if not isinstance(self.action_space, spaces.Discrete):
            raise UnsupportedError(
                f"{type(self).__name__} needs a Discrete action space, got {self.action_space}"
            )

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Those of the network's parameters, by name."""
        return {"network": make_optimizer(self.config, self.network.parameters())}

    def _buffers(self) -> dict[str, Tensor]:
        """What else a checkpoint must hold."""
        return {}

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        """Undo `_buffers`."""
        assert not tensors

    # Learning

    def train(self, steps: int, *, callback: Callback | None = None) -> Self:
        """Learn for exactly `steps` environment steps; `callback(agent, metrics)` follows each update.

        A second call goes on with what the first has learned, and continues its schedules: what falls over
        the training, such as the learning rate or epsilon, is a function of `progress`, the steps taken out
        of all those planned so far. So `train(n).train(n)` ends its first half with a learning rate annealed
        to 0 and starts its second half in the middle of the schedule of `train(2 * n)`.

        Raises StepsError if the given environment cannot take exactly that many, NonFiniteError if an
        observation, a reward or the loss is NaN or infinite.
        """
        steps = whole_steps(steps)
        self._ready(steps)
        return self.continue_to(self.steps + steps, callback=callback)

    def continue_to(self, horizon: int, *, callback: Callback | None = None) -> Self:
        """Learn until `steps` reaches `horizon`: what `train` does, and how a loaded agent goes on."""
        self._ready(horizon - self.steps)
        self.horizon = horizon
        with one_thread():
            while self.steps < horizon:
                self._set_learning_rate()
                try:
                    metrics = self._iterate(horizon - self.steps)
                except NonFiniteError as error:
                    raise NonFiniteError(f"{error}, in the iteration after step {self.steps}") from None
                for key, value in metrics.items():
                    if not np.isfinite(value):
                        raise NonFiniteError(f"{key} is {value} at step {self.steps}")
                if callback is not None:
                    callback(self, metrics)
        return self

    @property
    def progress(self) -> float:
        """The part of the current training that is done, for schedules."""
        return self.steps / self.horizon if self.horizon else 0.0

    def _ready(self, steps: int) -> None:
        """Have a stepper whose environments can take exactly `steps` more."""
        if hasattr(self, "stepper") and environments.fits(self.stepper.env, steps):
            return
        if self._given_env is not None:
            environments.check_fits(self._given_env, steps)
            env = self._given_env
        else:
            assert self.env_id is not None
            env = environments.make_for_steps(
                self.env_id, self.config.num_envs, kwargs=self.env_kwargs, device=self.device, steps=steps
            )
        self._step_in(env, seed=self._stream("environment", self.steps))

    def _step_in(self, env: AnyVectorEnv, *, seed: int) -> None:
        self.stepper = stepper_for(env, self.encoder, seed=seed, device=self.device)
        self.state = self.initial_state(env.num_envs)
        self._begin()

    def _set_learning_rate(self) -> None:
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = scheduled(self.config, self.progress)

    def _descend(self, loss: Tensor) -> Tensor:
        """One step of the network's optimiser down the loss; the gradient's norm before clipping."""
        return descend(loss, self.optimizers["network"], list(self.network.parameters()), self.config)

    # Acting

    def act(
        self,
        obs: Any,
        state: State | None = None,
        *,
        mask: Array | None = None,
        reset: BoolArray | None = None,
        stochastic: bool = False,
    ) -> tuple[Any, State]:
        """The action for one observation, or the actions for a batch, and the state to pass in next time.

        `mask` [A] or [B, A] says which actions are legal; `reset` [B] where `obs` is the first of an episode,
        by default nowhere but where `state` is None. Greedy unless `stochastic`.
        """
        batched = self.encoder.is_batch(obs)
        packed = self.encoder.pack(obs) if batched else self.encoder.pack_one(obs)[None]
        n = len(packed)
        legal = None if mask is None else self._tensor(np.array(mask, dtype=np.bool_).reshape(n, -1))
        first = np.full(n, state is None) if reset is None else np.array(reset, np.bool_).reshape(n)
        state = self.initial_state(n) if state is None else state
        drawn = self._acting if stochastic else None
        action, state = self.choose(self._tensor(packed), state, self._tensor(first), legal, drawn)
        given = as_given(action, self.action_space)
        return given if batched else given[0], state

    @torch.inference_mode()
    def choose(
        self,
        obs: Tensor,
        state: State,
        reset: Tensor,
        mask: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, State]:
        """(actions [B, ...], next state) for packed observations: drawn with `generator`, or greedy."""
        scores, state = self._scores(obs, state, reset)
        noise = None if generator is None else self.head.noise((len(obs),), generator)
        return self.head.act(scores, noise, mask), state

    @torch.inference_mode()
    def policy(
        self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None, *, stochastic: bool
    ) -> tuple[Tensor, State]:
        """Action probabilities [B, A] for packed observations; greedy ones are 0 or 1."""
        assert isinstance(self.head, Discrete)
        scores, state = self._scores(obs, state, reset)
        if stochastic:
            return self.head.probabilities(scores, mask).double(), state
        best = self.head.act(scores, None, mask)
        return nn.functional.one_hot(best, self.head.n_params).double(), state

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
        if self.env_id is None:
            raise UnsupportedError(
                "evaluate needs an environment id; for a VectorEnv without one use evaluate_on"
            )
        env = environments.make(
            self.env_id, min(episodes, MAX_ENVS), kwargs=self.env_kwargs, device=self.device
        )
        try:
            with one_thread():
                return evaluate_on(
                    self, env, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps
                )
        finally:
            env.close()

    # Saving

    def save(self, path: str | Path) -> None:
        """Write everything that going on needs to the folder `path`: safetensors and JSON, no pickle.

        Raises UnsupportedError if a keyword argument of the environment is not JSON.
        """
        storage.check_savable(self.env_kwargs)
        tensors = storage.with_prefix("network", self.network.state_dict())
        for name, optimizer in self.optimizers.items():
            tensors |= storage.with_prefix(f"optimizer/{name}", storage.optimizer_tensors(optimizer))
        tensors["generator"] = self.generator.get_state()
        meta: dict[str, Any] = {
            "agent": self.name,
            "env_id": self.env_id,
            "env_kwargs": self.env_kwargs,
            "config": self.config.to_json(),
            "seed": self.seed,
            "steps": self.steps,
            "horizon": self.horizon,
            "observation_space": str(self.observation_space),
            "action_space": str(self.action_space),
        }
        if hasattr(self, "stepper"):
            tensors |= storage.with_prefix("buffers", self._buffers())
            tensors |= {f"state/{i}": part for i, part in enumerate(self.state)}
            arrays, meta["stepper"] = self.stepper.state()
            meta["num_envs"] = self.stepper.num_envs
            tensors |= storage.with_prefix("stepper", storage.as_tensors(arrays))
        storage.write(Path(path), tensors, meta)

    @classmethod
    def load(cls, path: str | Path, *, env: str | AnyVectorEnv | None = None, device: str = "auto") -> Self:
        """The agent saved at `path`, ready to act or go on learning, on its own environment or on `env`.

        Raises LoadError if the folder is missing or damaged, of another algorithm, or of other spaces.
        """
        device = str(choose_device(device))
        tensors, meta = storage.read(Path(path))
        file = Path(path) / storage.META
        if meta["agent"] != cls.name:
            raise LoadError(f"{path} holds a {meta['agent']} agent, not {cls.name}")
        given, env = env, env if env is not None else meta["env_id"]
        if env is None:
            raise LoadError(f"{path} was trained on a VectorEnv without an id: give it as env=")
        try:
            config = cls.Config().replace(meta["config"])
            agent = cls(env, config=config, seed=meta["seed"], device=device, env_kwargs=meta["env_kwargs"])
        except (RlkitError, RuntimeError) as error:  # torch raises RuntimeError for what it has no memory for
            if given is not None and isinstance(error, UnsupportedError):
                raise
            raise LoadError(f"{file} cannot be used: {one_line(error)}") from None
        for kind in ("observation_space", "action_space"):
            if str(getattr(agent, kind)) != meta[kind]:
                raise LoadError(f"{path} was trained on {kind} {meta[kind]}, not {getattr(agent, kind)}")
        try:
            agent._restore(tensors, meta)
        except LoadError as error:
            raise LoadError(f"{file} cannot be used: {error}") from None
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise LoadError(f"{file} or its tensors are damaged: {one_line(error)}") from None
        return agent

    def _restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        self.network.load_state_dict(storage.under("network", tensors))
        for name, optimizer in self.optimizers.items():
            storage.load_optimizer(optimizer, storage.under(f"optimizer/{name}", tensors))
        self.generator.set_state(tensors["generator"])
        self.steps, self.horizon = meta["steps"], meta["horizon"]
        if "stepper" not in meta:
            return
        num_envs = meta["num_envs"]
        if not 1 <= num_envs <= self.config.num_envs:
            raise LoadError(f"num_envs must be from 1 to {self.config.num_envs}, not {num_envs}")
        if self._given_env is not None and self._given_env.num_envs != num_envs:
            raise LoadError(
                f"the agent was trained on {num_envs} environments, not {self._given_env.num_envs}"
            )
        env = self._given_env or environments.make(
            str(self.env_id), num_envs, kwargs=self.env_kwargs, device=self.device
        )
        seed = self._stream("resume", self.steps)
        self._step_in(env, seed=seed)
        arrays = storage.as_arrays(storage.under("stepper", tensors))
        self.stepper.set_state(arrays, meta["stepper"], seed=seed)
        saved = storage.under("state", tensors)
        self.state = tuple(saved[str(i)].to(self.device) for i in range(len(saved)))
        self._load_buffers(storage.under("buffers", tensors))

    def _tensor(self, array: Array) -> Tensor:
        """On the agent's device; on the CPU they share memory."""
        return torch.from_numpy(array).to(self.device)

    def _stream(self, name: str, number: int = 0) -> int:
        """A seed for one use of randomness, derived from the agent's own."""
        return int(np.random.SeedSequence([self.seed, STREAMS[name], number]).generate_state(1)[0])
