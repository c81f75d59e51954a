"""Deep Q-networks (Mnih et al. 2015) and what has been added to them since, each a switch.

Environments are stepped into a replay memory; each update draws from it and lowers, for the n-step return
r and discount gamma (0 at termination only) from x to the true successor x',

    loss(Q(x, a), r + gamma Q_target(x', argmax_a' Q(x', a')))

Networks with memory learn from sequences, which begin in a stored state of the network and a few rows that
bring it up to date (Kapturowski et al. 2019, "R2D2").
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from rlkit import storage
from rlkit.errors import ConfigError

from ..nn import State
from .base import Metrics
from .config import AgentConfig
from .off_policy import OffPolicyAgent, OffPolicyConfig
from .q_losses import greedy, sequence_priority
from .q_network import Categorical, Expected, QAgent, QConfig, QNetwork, Quantiles, Returns
from .returns import n_step_rows

DISTRIBUTIONS = ("none", "c51", "quantile")
TOGETHER = 2048  # rows that the target network is asked about at once


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

    def _update(self, times: int) -> dict[str, Tensor]:
        c, figures = self.config, dict[str, Tensor]()
        # New noise and new priorities come with every update; the target network stays over all of them.
        together = 1 if c.noisy or c.prioritized else max(1, TOGETHER // c.batch_size)
        for made in range(0, times, together):
            for lesson in self._lessons(min(together, times - made)):
                figures = self._learn_from(lesson)
        return figures

    def _lessons(self, n: int) -> "Iterator[Lesson]":
        """What the next n updates learn from."""
        c, replay = self.config, self.replay
        size = max(1, c.batch_size // self.sequence)
        first, weight = replay.draw(n * size, generator=self.generator, beta=self.beta)
        rows = replay.rows(first, self.burn_in + self.sequence + c.n_step)
        steps = rows[self.burn_in :]  # [T + n_step, n N]
        now = steps[: self.sequence]  # [T, n N]
        reward, discount, after = n_step_rows(
            reward=replay.reward[steps[:-1]],
            discount=c.gamma * replay.discount[steps[:-1]],
            start=replay.start[steps[1:]],
            n=c.n_step,
        )
        parts = Lesson(
            rows=rows,
            learned=replay.start[now],
            action=replay.action[now],
            reward=self.statistics.scaled(reward),
            discount=discount,
            after=after,
            mask=None if replay.mask is None else replay.mask[steps.gather(0, after)],
            x_target=self._target(rows, after),
            weight=None if weight is None else weight[None],
        )
        pieces = [repeat(None) if part is None else part.split(size, 1) for part in parts]
        return map(Lesson._make, zip(*pieces, strict=False))

    def _learn_from(self, lesson: "Lesson") -> dict[str, Tensor]:
        returns = self.network.returns
        x, x_after = self._read(lesson)  # [T, N, A, K]
        taken = pick(x, lesson.action)
        with torch.no_grad():
            best = greedy(returns.mean(x_after), lesson.mask)
            following = pick(lesson.x_target, best)
        loss, error = returns.loss(taken, following, reward=lesson.reward, discount=lesson.discount)
        if self.replay.priorities is not None:
            self.replay.priorities.set_errors(lesson.rows[0], sequence_priority(error, lesson.learned))

        learned = lesson.learned
        weighted = learned if lesson.weight is None else learned * lesson.weight
        mean_loss = (weighted * loss).sum() / learned.sum().clamp(min=1)
        grad_norm = self._descend(mean_loss)
        q = returns.mean(taken.detach())[learned].mean()
        return {"loss": mean_loss.detach(), "q": q, "grad_norm": grad_norm}

    @torch.no_grad()
    def _target(self, rows: Tensor, after: Tensor) -> Tensor:
        """What the target network says of the rows `after` those that are learned."""
        self.target_network.draw_noise(self.generator)
        if not self.replay.states:
            return self._of_single(self.target_network, rows.gather(0, after)[0])
        return at_rows(self._of_sequences(self.target_network, rows), after)

    def _read(self, lesson: "Lesson") -> tuple[Tensor, Tensor]:
        """What the network says of the rows that are learned; it, or its target, of the rows after."""
        network, rows, after = self.network, lesson.rows, lesson.after
        x_after, double = lesson.x_target, self.config.double
        network.draw_noise(self.generator)
        if self.replay.states:
            x = self._of_sequences(network, rows)
            return x[: self.sequence], at_rows(x.detach(), after) if double else x_after
        if double:
            with torch.no_grad():
                x_after = self._of_single(network, rows.gather(0, after)[0])
        return self._of_single(network, rows[0]), x_after

    def _of_single(self, network: QNetwork, rows: Tensor) -> Tensor:
        """What a network without memory says of rows [N], [1, N, A, K]."""
        return network.outputs(self.replay.obs.index_select(0, rows), (), None)[0][None]

    def _of_sequences(self, network: QNetwork, rows: Tensor) -> Tensor:
        """What a network with memory says of rows [burn_in + L, N], of the last L."""
        replay, b = self.replay, self.burn_in
        obs, reset, state = replay.obs[rows], replay.reset[rows], replay.state_at(rows[0])
        if b:
            with torch.no_grad():
                _, state = network.backbone(obs[:b], state, reset[:b])
        return network.outputs(obs[b:], state, reset[b:])[0]

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


class Lesson(NamedTuple):
    """What an update of N sequences learns from, without what changes with the network."""

    rows: Tensor  # [burn_in + T + n_step, N] in the replay memory
    learned: Tensor  # [T, N] bool
    action: Tensor  # [T, N]
    reward: Tensor  # [T, N] the n-step reward and discount
    discount: Tensor
    after: Tensor  # [T, N] which of the rows behind the burn-in it is bootstrapped from
    mask: Tensor | None  # [T, N, A] legal actions there
    x_target: Tensor  # [T, N, A, K] what the target network says of it
    weight: Tensor | None  # [1, N] of each sequence


def pick(x: Tensor, action: Tensor) -> Tensor:
    """The numbers of one action, [..., A, K] -> [..., K]."""
    index = action[..., None, None].expand(*action.shape, 1, x.shape[-1])
    return x.gather(-2, index).squeeze(-2)


def at_rows(x: Tensor, row: Tensor) -> Tensor:
    """x[row[t, j], j] for all t and j, [L, N, ...] -> [T, N, ...]."""
    return x[row, torch.arange(row.shape[1], device=row.device)]
