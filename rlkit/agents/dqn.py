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

from . import storage
from .base import Metrics
from .config import AgentConfig
from .q_losses import greedy, sequence_priority
from .q_network import Categorical, Expected, QAgent, QConfig, QNetwork, Quantiles, Returns
from .replay import Replay

DISTRIBUTIONS = ("none", "c51", "quantile")


@dataclass(frozen=True, kw_only=True)
class DQNConfig(QConfig):
    """Steps are environment steps, counted over all environments."""

    replay_size: int = 100_000
    batch_size: int = 128  # transitions in an update
    learning_starts: int = 1_000  # steps before the first update
    train_every: int = 64  # steps between two rounds of updates
    updates_per_step: float = 0.25
    target_every: int = 500  # steps between two copies to the target network
    n_step: int = 1
    double: bool = True
    dueling: bool = False
    distribution: str = "none"  # of returns
    atoms: int = 51  # of c51, or quantiles
    v_min: float = -10.0  # the lowest and highest atom of c51
    v_max: float = 10.0
    noisy: bool = False  # explore by noise in the network, and not by epsilon
    noisy_sigma: float = 0.5
    prioritized: bool = False
    priority_alpha: float = 0.5
    priority_beta: float = 0.4  # of the importance weights; rises to 1 over the training
    sequence: int = 16  # rows of a sequence that a network with memory learns from
    burn_in: int = 8  # rows before them

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "replay_size", "batch_size", "train_every", "target_every", "n_step", "sequence")
        self._at_least(0, "learning_starts", "burn_in")
        self._positive("updates_per_step", "noisy_sigma", "priority_alpha")
        self._within(0, 1, "priority_beta")
        self._one_of(DISTRIBUTIONS, "distribution")
        self._at_least(2, "atoms")
        if not -float("inf") < self.v_min < self.v_max < float("inf"):
            raise ConfigError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")
        if self.replay_size < self.num_envs:
            raise ConfigError(
                f"replay_size must be at least num_envs ({self.num_envs}), got {self.replay_size}"
            )


class DQN(QAgent):
    """Deep Q-learning for discrete actions."""

    name: ClassVar[str] = "dqn"
    Config: ClassVar[type[AgentConfig]] = DQNConfig
    config: DQNConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        c = self.config
        if c.noisy:
            self.head.epsilon = 0.0
        remembers = bool(self.network.backbone.initial_state(1))
        self.burn_in, self.sequence = (c.burn_in, c.sequence) if remembers else (0, 1)
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
        c = self.config
        self.replay = Replay(
            c.replay_size,
            stepper=self.stepper,
            head=self.head,
            state=self.state,
            stride=min(self.burn_in or self.sequence, self.sequence),
            span=self.burn_in + self.sequence,
            alpha=c.priority_alpha if c.prioritized else 0.0,
        )

    def _iterate(self, budget: int) -> Metrics:
        """About `train_every` steps, then as many updates as they are worth."""
        c, before = self.config, self.steps
        self._collect(min(c.train_every, budget), budget)
        metrics = {"epsilon": self.epsilon}
        if self.steps < c.learning_starts or not self.replay.ready:
            return metrics
        before = max(before, c.learning_starts)
        updates = int(self.steps * c.updates_per_step) - int(before * c.updates_per_step)
        if self.steps // c.target_every > before // c.target_every:
            self.target_network.load_state_dict(self.network.state_dict())
        self.network.train()
        for _ in range(updates):
            loss, q, grad_norm = self._update()
        self.network.eval()
        self.network.silence()
        if updates:
            metrics |= {"loss": loss.item(), "q": q.item(), "grad_norm": grad_norm.item()}
        return metrics

    @torch.inference_mode()
    def _collect(self, enough: int, budget: int) -> None:
        """Let all environments take turns until there are `enough` valid steps, at most `budget`."""
        stepper, taken, last_epsilon = self.stepper, 0, self.head.epsilon
        while taken < enough:
            obs, mask, reset, state = stepper.obs, stepper.mask, stepper.reset, self.state
            self.network.draw_noise(self.generator, batch=(stepper.num_envs,))
            q, self.state = self.network(obs, state, reset)
            self.head.epsilon = self.epsilon
            action = self.head.act(q, self.head.noise((stepper.num_envs,), self.generator), mask)
            step = stepper.step(action)
            # Steps beyond the budget, which drifted environments can make, are dropped.
            learn = step.valid & (step.valid.cumsum(0) <= budget - taken)
            self.replay.add(
                obs=obs, mask=mask, reset=reset, state=state, action=action, step=step, learn=learn
            )
            n = int(learn.sum())
            taken, self.steps = taken + n, self.steps + n
        self.head.epsilon = last_epsilon
        self.network.silence()

    def _update(self) -> tuple[Tensor, Tensor, Tensor]:
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
        if c.prioritized:
            replay.set_errors(first, sequence_priority(error, learned))

        weighted = learned if weight is None else learned * weight
        mean_loss = (weighted * loss).sum() / learned.sum().clamp(min=1)
        grad_norm = self._descend(mean_loss)
        return mean_loss, returns.mean(taken.detach()).mean(), grad_norm

    def _read(self, first: Tensor, rows: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of the T rows that are learned, and it and its target of the rows `after`."""
        self.network.draw_noise(self.generator)
        self.target_network.draw_noise(self.generator)
        replay, network, target = self.replay, self.network.outputs, self.target_network.outputs
        if not replay.states:
            obs, next_obs = replay.obs[rows[:1]], replay.obs[rows.gather(0, after)]
            with torch.no_grad():
                x_target, _ = target(next_obs, (), None)
                x_after = network(next_obs, (), None)[0] if self.config.double else x_target
            return network(obs, (), None)[0], x_after, x_target

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
    def beta(self) -> float:
        """The present exponent of the importance weights, which rises to 1 over the training."""
        start = self.config.priority_beta
        return start + (1 - start) * min(1.0, self.progress)

    def _buffers(self) -> dict[str, Tensor]:
        replay = storage.with_prefix("replay", self.replay.state())
        return replay | storage.with_prefix("target", self.target_network.state_dict())

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        self.replay.set_state(storage.under("replay", tensors))
        self.replay.cut(self.stepper.reset)  # where loading started new episodes
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
