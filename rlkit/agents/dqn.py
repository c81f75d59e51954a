"""Deep Q-networks (Mnih et al. 2015) and what has been added to them since, each a switch.

Environments are stepped into a replay memory; each update draws from it and lowers, for the n-step return
r and discount gamma (0 at termination only) from x to the true successor x',

    loss(Q(x, a), r + gamma Q_target(x', argmax_a' Q(x', a')))

Networks with memory learn from sequences, which begin in a stored state of the network and a few rows that
bring it up to date (Kapturowski et al. 2019, "R2D2").
"""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlkit.settings import ConfigError

from ..nn import State
from . import storage
from .base import Metrics
from .config import AgentConfig
from .off_policy import OffPolicyAgent, OffPolicyConfig
from .q_losses import greedy, sequence_priority
from .q_network import Categorical, Expected, QAgent, QConfig, QNetwork, Quantiles, Returns

DISTRIBUTIONS = ("none", "c51", "quantile")


@dataclass(frozen=True, kw_only=True)
class DQNConfig(QConfig, OffPolicyConfig):
    """Steps are environment steps, counted over all environments."""

    target_every: int = 500  # steps between two copies to the target network
    n_step: int = 1  # rewards that are added up before bootstrapping
    double: bool = True  # the network chooses the action that its target values (van Hasselt et al. 2016)
    dueling: bool = False  # value and advantages apart (Wang et al. 2016)
    distribution: str = "none"  # of returns
    atoms: int = 51  # of c51, or quantiles
    v_min: float = -10.0  # the lowest atom of c51
    v_max: float = 10.0  # and the highest
    noisy: bool = False  # explore by noise in the network, and not by epsilon
    noisy_sigma: float = 0.5  # its scale at first
    prioritized: bool = False  # replay in proportion to the error (Schaul et al. 2016)
    priority_alpha: float = 0.5  # 0: all alike; 1: in proportion
    priority_beta: float = 0.4  # of the importance weights; rises to 1 over the training

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "target_every", "n_step")
        self._positive("noisy_sigma")
        self._within(0, 1, "priority_alpha", "priority_beta")
        self._one_of(DISTRIBUTIONS, "distribution")
        self._at_least(2, "atoms")
        if not -float("inf") < self.v_min < self.v_max < float("inf"):
            raise ConfigError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")


class DQN(QAgent, OffPolicyAgent):
    """Deep Q-learning for discrete actions."""

    name: ClassVar[str] = "dqn"
    Config: ClassVar[type[AgentConfig]] = DQNConfig
    config: DQNConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        self.head.epsilon = self._last_epsilon
        self.target_network = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        self.target_network.to(self.device).eval()

    def _q_network(self, generator: torch.Generator) -> QNetwork:
        c = self.config
        return QNetwork(
            self.encoder,
            self.head.n_params,
            c,
            generator,
            returns=returns_of(c),
            dueling=c.dueling,
            sigma=c.noisy_sigma if c.noisy else 0.0,
        )

    def _begin(self) -> None:
        super()._begin()
        if self.config.prioritized:
            self.replay.prioritise(self.config.priority_alpha)

    def _iterate(self, budget: int) -> Metrics:
        metrics = super()._iterate(budget)
        self.network.silence()
        self.head.epsilon = self._last_epsilon
        return {"epsilon": self.epsilon, **metrics}

    def _behave(self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> tuple[Tensor, State]:
        self.network.draw_noise(self.generator, batch=(len(obs),))
        self.head.epsilon = self.epsilon
        q, state = self.network(obs, state, reset)
        return self.head.act(q, self.head.noise((len(obs),), self.generator), mask), state

    def _before_updates(self, before: int) -> None:
        if self.steps // self.config.target_every > before // self.config.target_every:
            self.target_network.load_state_dict(self.network.state_dict())

    def _update(self) -> dict[str, Tensor]:
        c, replay, returns = self.config, self.replay, self.network.returns
        n_sequences = max(1, c.batch_size // self.sequence)
        first, weight = replay.draw(n_sequences, generator=self.generator, beta=self.beta)
        rows = replay.rows(first, self.burn_in + self.sequence + c.n_step)
        steps = rows[self.burn_in :]  # [T + n, N]
        learned = replay.start[steps[: self.sequence]]  # [T, N]
        reward, discount, after = replay.n_step(steps, n=c.n_step, gamma=c.gamma)
        reward = self.statistics.scaled(reward)

        x, x_after, x_target = self._read(first, rows, after)  # [T, N, A, K]
        taken = pick(x, replay.action[steps[: self.sequence]])
        with torch.no_grad():
            mask = None if replay.mask is None else replay.mask[steps.gather(0, after)]
            best = greedy(returns.mean(x_after if c.double else x_target), mask)
            following = pick(x_target, best)
        loss, error = returns.loss(taken, following, reward=reward, discount=discount)
        if replay.priorities is not None:
            replay.priorities.set_errors(first, sequence_priority(error, learned))

        weighted = learned if weight is None else learned * weight
        mean_loss = (weighted * loss).sum() / learned.sum().clamp(min=1)
        grad_norm = self._descend(mean_loss)
        q = returns.mean(taken.detach())[learned].mean()
        return {"loss": mean_loss.detach(), "q": q, "grad_norm": grad_norm}

    def _read(self, first: Tensor, rows: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of the T rows that are learned, and it and its target of the rows `after`."""
        self.network.draw_noise(self.generator)
        self.target_network.draw_noise(self.generator)
        replay, network, target = self.replay, self.network.outputs, self.target_network.outputs
        if not replay.states:
            obs, next_obs = (replay.obs.index_select(0, i) for i in (rows[0], rows.gather(0, after)[0]))
            with torch.no_grad():
                x_target, _ = target(next_obs, (), None)
                x_after = network(next_obs, (), None)[0] if self.config.double else x_target
            return network(obs, (), None)[0][None], x_after[None], x_target[None]

        obs, reset, burn_in = replay.obs[rows], replay.reset[rows], self.burn_in
        state = target_state = replay.state_at(first)
        with torch.no_grad():
            if burn_in:
                _, state = self.network.backbone(obs[:burn_in], state, reset[:burn_in])
                _, target_state = self.target_network.backbone(obs[:burn_in], target_state, reset[:burn_in])
            x_target, _ = target(obs[burn_in:], target_state, reset[burn_in:])
        x, _ = network(obs[burn_in:], state, reset[burn_in:])
        return x[: self.sequence], at_rows(x.detach(), after), at_rows(x_target, after)

    @property
    def epsilon(self) -> float:
        """The present probability of a uniformly random action in training: none with noise."""
        return 0.0 if self.config.noisy else super().epsilon

    @property
    def _last_epsilon(self) -> float:
        return 0.0 if self.config.noisy else self.config.epsilon_end

    @property
    def beta(self) -> float:
        """The present exponent of the importance weights, which rises to 1 over the training."""
        start = self.config.priority_beta
        return start + (1 - start) * min(1.0, self.progress)

    def _buffers(self) -> dict[str, Tensor]:
        return super()._buffers() | storage.with_prefix("target", self.target_network.state_dict())

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.target_network.load_state_dict(storage.under("target", tensors))


@dataclass(frozen=True, kw_only=True)
class RainbowConfig(DQNConfig):
    """All switches on."""

    n_step: int = 3
    dueling: bool = True
    distribution: str = "c51"
    noisy: bool = True
    prioritized: bool = True


class Rainbow(DQN):
    """Deep Q-learning with all of its extensions (Hessel et al. 2018)."""

    name: ClassVar[str] = "rainbow"
    Config: ClassVar[type[AgentConfig]] = RainbowConfig


def returns_of(config: DQNConfig) -> Returns:
    """What the network is to know of returns."""
    match config.distribution:
        case "c51":
            return Categorical(v_min=config.v_min, v_max=config.v_max, size=config.atoms)
        case "quantile":
            return Quantiles(size=config.atoms)
    return Expected()


def pick(x: Tensor, action: Tensor) -> Tensor:
    """The numbers of one action, [..., A, K] -> [..., K]."""
    index = action[..., None, None].expand(*action.shape, 1, x.shape[-1])
    return x.gather(-2, index).squeeze(-2)


def at_rows(x: Tensor, row: Tensor) -> Tensor:
    """x[row[t, j], j] for all t and j, [L, N, ...] -> [T, N, ...]."""
    return x[row, torch.arange(row.shape[1], device=row.device)]
