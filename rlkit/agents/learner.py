"""Learners: a policy, what improves it, and one update from a batch; they know no environment."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import AgentError, UnsupportedError, is_users, one_line
from rlkit.experience.experience import Clock, Experience, Figures, Metrics, StateDict
from rlkit.experience.stepper import Step, Stepper
from rlkit.nn import Encoder, Head, State, resolve
from rlkit.nn.devices import cpu_threads
from rlkit.nn.layers import Dropout
from rlkit.nn.monitor import GradientMonitor, warnings
from rlkit.nn.normalisation import NormalisingEncoder, Statistics
from rlkit.nn.optimization import Descent
from rlkit.nn.policy import Policy

from .config import AgentConfig, NeuralConfig
from .seeds import stream


class Learner(ABC):
    """A policy for the spaces of an environment, and how it is improved.

    Raises UnsupportedError or UnsupportedSpaceError for spaces that it cannot act in or observe, and
    UnsupportedError where there is no memory for its network.
    """

    config: AgentConfig
    threads = 1  # of the CPU, to compute on
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps")  # kinds that it can compute on

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: AgentConfig,
        *,
        name: str,
        clock: Clock,
        seed: int,
        device: torch.device,
    ) -> None:
        self.action_space, self.config, self.clock, self.device = action_space, config, clock, device
        self.name, self.seed = name, seed
        self.check_actions(action_space)
        self.generator = torch.Generator(device).manual_seed(stream(seed, "policy"))
        encoder = self.encoder(observation_space).to(device)
        try:
            with cpu_threads(self.threads):  # initial parameters are products too
                initial = torch.Generator().manual_seed(stream(seed, "network"))
                network, head = self.build(encoder, initial)
                seed = stream(seed, "acting")
                self.policy = Policy(encoder, network, head, action_space, device=device, seed=seed)
                self.prepare()
        except (MemoryError, RuntimeError) as error:  # torch's, for what it has no memory for
            if is_users(error):
                raise
            raise UnsupportedError(f"the network cannot be made: {one_line(error)}") from error

    # What an algorithm fills in

    @abstractmethod
    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """The network and the head of the policy; `generator` is the randomness of initial parameters."""

    @abstractmethod
    def experience(self, stepper: Stepper) -> Experience:
        """Where its batches come from."""

    @abstractmethod
    def learn_from(self, batch: Any) -> Any:
        """Learn from a batch of its experience, if one is due; figures of the last step."""

    @abstractmethod
    def describe(self) -> str:
        """What stands between observations and actions, in a few words."""

    def check_actions(self, space: spaces.Space[Any]) -> None:
        """Raise UnsupportedError for an action space that the algorithm has no way to act in."""
        if not isinstance(space, spaces.Discrete):
            raise UnsupportedError(f"{self.name} needs a Discrete action space, got {space}")

    def encoder(self, space: spaces.Space[Any]) -> Encoder:
        """What packs observations for the network."""
        return Encoder(space)

    def prepare(self) -> None:
        """Make what else it needs, once there is a policy."""
        return

    def begin(self, num_envs: int) -> None:
        """Get ready for the steps of so many environments."""
        return

    def see(self, obs: Tensor, reset: Tensor, step: Step) -> None:
        """Take note of one step of all environments, from where they stood."""
        return

    def behave(self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> tuple[Tensor, State]:
        """Actions to explore with, and the network's next state."""
        return self.policy.choose(obs, state, reset, mask, self.generator)

    def learn(self, experience: Experience, budget: int) -> Metrics:
        """One iteration on its experience."""
        return experience.iterate(budget)

    def warnings(self, metrics: Metrics, *, rising: bool = False) -> list[str] | None:
        """What a user should know of the last iteration, while returns rise or not; None if nobody looked."""
        return None

    def state_dict(self) -> StateDict:
        """Everything that changes with learning."""
        return {"policy": self.policy.state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`; the random numbers of another kind of device cannot be continued."""
        self.policy.load_state_dict(saved["policy"])
        state = saved["generator"].cpu()
        if state.numel() == self.generator.get_state().numel():
            self.generator.set_state(state)
        else:
            self.generator.manual_seed(stream(self.seed, "policy", self.clock.steps))


class NeuralLearner(Learner):
    """A learner whose network goes down a loss."""

    config: NeuralConfig

    @property
    def threads(self) -> int:  # type: ignore[override]  # a number that is configured
        """As configured."""
        return self.config.threads

    @property
    def network(self) -> Any:
        """The policy's."""
        return self.policy.network

    @property
    def head(self) -> Any:
        """The policy's."""
        return self.policy.head

    @abstractmethod
    def update(self, batch: Any) -> Figures:
        """Learn from a batch; figures of the last step by name: numbers, or tensors of one."""

    def batch(self, given: Any) -> Any:
        """What is to be learned from what the experience gives, without a gradient."""
        return given

    def parameters(self) -> dict[str, list[nn.Parameter]]:
        """Which parameters go down a loss of their own, by its name."""
        return {"network": list(self.policy.parameters())}

    def encoder(self, space: spaces.Space[Any]) -> Encoder:
        """One that normalises, if so configured."""
        return (NormalisingEncoder if self.config.normalize_obs else Encoder)(space)

    def prepare(self) -> None:
        """Make optimisers, statistics, and a watch over gradients."""
        c, policy = self.config, self.policy
        for module in policy.modules():
            if isinstance(module, Dropout):
                module.generator = self.generator
        statistics = Statistics(policy.encoder, gamma=c.gamma, rewards=c.normalize_reward)
        self.statistics = statistics.to(self.device)
        self.descents = {
            name: Descent(group, c, rate=c.learning_rate) for name, group in self.parameters().items()
        }
        self.monitor = GradientMonitor(policy.network) if c.monitor else None

    def begin(self, num_envs: int) -> None:
        """Count returns for so many environments."""
        self.statistics.begin(num_envs)

    def see(self, obs: Tensor, reset: Tensor, step: Step) -> None:
        """Take note of observations and returns, as far as they are normalised."""
        self.statistics.see(obs, reset, step.reward, step.valid)

    def learn(self, experience: Experience, budget: int) -> Metrics:
        """One iteration, at the present learning rate."""
        rate = self.config.rate(self.clock.progress)
        for descent in self.descents.values():
            descent.rate = rate
        metrics = experience.iterate(budget)
        watched = {} if self.monitor is None else self.monitor.metrics()
        return {**metrics, "learning_rate": rate, **watched}

    def learn_from(self, batch: Any) -> Figures:
        """Learn from a batch, if one is due; figures of the last step."""
        figures: Figures = {}
        if batch is not None:
            with torch.no_grad():
                batch = self.batch(batch)
            self.network.train()
            found = self.update(batch)
            try:
                figures = {name: torch.as_tensor(x).detach().reshape(()) for name, x in found.items()}
            except (AttributeError, RuntimeError, TypeError, ValueError):
                shown = reprlib.repr(found)
                raise AgentError(f"update of {self.name} must return numbers by name, not {shown}") from None
            self.network.eval()
        self.statistics.update()
        return figures

    def descend(self, loss: Tensor, name: str = "network") -> Tensor:
        """One step down a loss; the gradient's norm before clipping."""
        return self.descents[name].step(loss)

    def describe(self) -> str:
        """Which network it has, and why."""
        return resolve(self.config.backbone, self.policy.encoder)[1]

    def warnings(self, metrics: Metrics, *, rising: bool = False) -> list[str] | None:
        """What is wrong with the gradients, and how to mend it; None if they are not watched."""
        return None if self.monitor is None else warnings(metrics, rising=rising)

    def state_dict(self) -> StateDict:
        """The policy, statistics, and moments of the optimisers."""
        own = {"statistics": self.statistics.state_dict(), "ongoing": self.statistics.ongoing}
        descents = {name: descent.state_dict() for name, descent in self.descents.items()}
        return super().state_dict() | own | {"descents": descents}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`."""
        super().load_state_dict(saved)
        self.statistics.load_state_dict(saved.get("statistics", {}))
        ongoing = saved["ongoing"]
        if ongoing.dim() != 1 or ongoing.dtype != torch.float32:
            raise ValueError(f"ongoing is {ongoing.dtype} {tuple(ongoing.shape)}, not float32 [B]")
        self.statistics.ongoing = ongoing.to(self.device)
        for name, descent in self.descents.items():
            descent.load_state_dict(saved["descents"][name])
