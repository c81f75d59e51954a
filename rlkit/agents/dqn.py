"""Deep Q-networks (Mnih et al. 2015) and what has been added to them since, each a switch.

Environments are stepped into a replay memory; each update draws from it and lowers, for the n-step return
r and discount gamma (0 at termination only) from x to the true successor x',

    loss(Q(x, a), r + gamma Q_target(x', argmax_a' Q(x', a')))

Networks with memory learn from sequences, which begin in a stored state of the network and a few rows that
bring it up to date (Kapturowski et al. 2019, "R2D2").
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rlkit.errors import ConfigError
from rlkit.experience.experience import Experience, Figures, Metrics, StateDict
from rlkit.experience.memory import Due, ReplayMemory, burnt_in
from rlkit.experience.stepper import Stepper
from rlkit.nn import Encoder, EpsilonGreedy, Head, State
from rlkit.nn.actions import mask_width
from rlkit.settings import option

from .agent import ActionValueAgent
from .config import OFTEN, OffPolicyConfig
from .learner import NeuralLearner
from .q_losses import greedy, sequence_priority
from .q_network import Categorical, Expected, QConfig, QNetwork, Quantiles, Returns
from .returns import n_step_rows

DISTRIBUTIONS = ("none", "c51", "quantile")
TOGETHER = 2048  # rows that the target network is asked about at once


@dataclass(frozen=True, kw_only=True)
class DQNConfig(QConfig, OffPolicyConfig):
    """Steps are environment steps, counted over all environments."""

    probe_options: ClassVar = {**OFTEN, "target_every": 16}

    target_every: int = option(500, "Steps between two copies to the target network", least=1)
    n_step: int = option(1, "Rewards added up before bootstrapping", least=1, search=(1, 2, 3, 5, 10))
    double: bool = option(
        True, "Let the network choose the action that its target values (van Hasselt et al. 2016)"
    )
    dueling: bool = option(False, "Learn value and advantages apart (Wang et al. 2016)")
    distribution: str = option("none", "Distribution of returns to learn", choices=DISTRIBUTIONS)
    atoms: int = option(51, "Atoms of c51, or quantiles", least=2)
    v_min: float = option(-10.0, "Lowest atom of c51")
    v_max: float = option(10.0, "Highest atom of c51")
    noisy: bool = option(False, "Explore by noise in the network instead of epsilon")
    noisy_sigma: float = option(0.5, "Scale of that noise at the start", positive=True)
    prioritized: bool = option(False, "Draw in proportion to the error (Schaul et al. 2016)")
    priority_alpha: float = option(0.5, "0: draw all alike; 1: in proportion to the error", least=0, most=1)
    priority_beta: float = option(
        0.4, "Exponent of the importance weights at the start; it rises to 1", least=0, most=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -float("inf") < self.v_min < self.v_max < float("inf"):
            raise ConfigError(f"v_min must be below v_max, got {self.v_min} and {self.v_max}")

    def epsilon(self, progress: float) -> float:
        """The chance of a random action: none with noise."""
        return 0.0 if self.noisy else super().epsilon(progress)

    @property
    def last_epsilon(self) -> float:
        """The chance at the end of the training: none with noise."""
        return 0.0 if self.noisy else super().last_epsilon


class DQNLearner(NeuralLearner):
    """Updates from a replay memory, towards a target network."""

    config: DQNConfig

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """A network of action values, or of what is to be known of returns."""
        c, head = self.config, EpsilonGreedy(mask_width(self.action_space))
        head.epsilon = c.last_epsilon
        returns, sigma = returns_of(c), c.noisy_sigma if c.noisy else 0.0
        network = QNetwork(
            encoder, head.n_params, c, generator, returns=returns, dueling=c.dueling, sigma=sigma
        )
        return network, head

    def prepare(self) -> None:
        """Make the target network, too."""
        self.target = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        super().prepare()

    def experience(self, stepper: Stepper) -> Experience:
        """A replay memory."""
        memory = ReplayMemory(stepper, self)
        if self.config.prioritized:
            memory.replay.prioritise(self.config.priority_alpha)
        return memory

    def learn(self, experience: Experience, budget: int) -> Metrics:
        """Steps with the present epsilon or noise, and updates."""
        metrics = super().learn(experience, budget)
        self.network.silence()
        self.head.epsilon = self.config.last_epsilon
        return {"epsilon": self.config.epsilon(self.clock.progress), **metrics}

    def behave(self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> tuple[Tensor, State]:
        """Epsilon-greedy actions, or greedy ones by a noisy network."""
        self.network.draw_noise(self.generator, batch=(len(obs),))
        self.head.epsilon = self.config.epsilon(self.clock.progress)
        return super().behave(obs, state, reset, mask)

    def update(self, batch: Due) -> Figures:
        """As many updates as are due."""
        c, figures = self.config, Figures()
        if self.clock.steps // c.target_every > batch.since // c.target_every:
            self.target.load_state_dict(self.network.state_dict())
        # New noise and new priorities come with every update; the target network stays over all of them.
        together = 1 if c.noisy or c.prioritized else max(1, TOGETHER // c.batch_size)
        for made in range(0, batch.times, together):
            for lesson in self._lessons(batch.memory, min(together, batch.times - made)):
                figures = self._learn(batch.memory, lesson)
        return figures

    def _lessons(self, m: ReplayMemory, n: int) -> "Iterator[Lesson]":
        """What the next n updates learn from."""
        c, replay = self.config, m.replay
        size = max(1, c.batch_size // m.sequence)
        first, weight = replay.draw(n * size, generator=self.generator, beta=self.beta)
        rows = replay.rows(first, m.burn_in + m.sequence + c.n_step)
        steps = rows[m.burn_in :]  # [T + n_step, n N]
        now = steps[: m.sequence]  # [T, n N]
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
            x_target=self._target(m, rows, after),
            weight=None if weight is None else weight[None],
        )
        pieces = [repeat(None) if part is None else part.split(size, 1) for part in parts]
        return map(Lesson._make, zip(*pieces, strict=False))

    def _learn(self, m: ReplayMemory, lesson: "Lesson") -> Figures:
        returns = self.network.returns
        x, x_after = self._read(m, lesson)  # [T, N, A, K]
        taken = pick(x, lesson.action)
        with torch.no_grad():
            best = greedy(returns.mean(x_after), lesson.mask)
            following = pick(lesson.x_target, best)
        loss, error = returns.loss(taken, following, reward=lesson.reward, discount=lesson.discount)
        if m.replay.priorities is not None:
            m.replay.priorities.set_errors(lesson.rows[0], sequence_priority(error, lesson.learned))

        learned = lesson.learned
        weighted = learned if lesson.weight is None else learned * lesson.weight
        mean_loss = (weighted * loss).sum() / learned.sum().clamp(min=1)
        grad_norm = self.descend(mean_loss)
        q = returns.mean(taken.detach())[learned].mean()
        return {"loss": mean_loss.detach(), "q": q, "grad_norm": grad_norm}

    @torch.no_grad()
    def _target(self, m: ReplayMemory, rows: Tensor, after: Tensor) -> Tensor:
        """What the target network says of the rows `after` those that are learned."""
        self.target.draw_noise(self.generator)
        if not m.replay.states:
            return of_single(m, self.target, rows.gather(0, after)[0])
        return at_rows(of_sequences(m, self.target, rows), after)

    def _read(self, m: ReplayMemory, lesson: "Lesson") -> tuple[Tensor, Tensor]:
        """What the network says of the rows that are learned; it, or its target, of the rows after."""
        network, rows, after = self.network, lesson.rows, lesson.after
        x_after, double = lesson.x_target, self.config.double
        network.draw_noise(self.generator)
        if m.replay.states:
            x = of_sequences(m, network, rows)
            return x[: m.sequence], at_rows(x.detach(), after) if double else x_after
        if double:
            with torch.no_grad():
                x_after = of_single(m, network, rows.gather(0, after)[0])
        return of_single(m, network, rows[0]), x_after

    @property
    def beta(self) -> float:
        """The present exponent of the importance weights, which rises to 1 over the training."""
        start = self.config.priority_beta
        return start + (1 - start) * min(1.0, self.clock.progress)

    def state_dict(self) -> StateDict:
        """As of every learner, with the target network."""
        return super().state_dict() | {"target": self.target.state_dict()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`."""
        super().load_state_dict(saved)
        self.target.load_state_dict(saved["target"])


class DQN(ActionValueAgent):
    """Deep Q-learning for discrete actions."""

    name = "dqn"
    Config = DQNConfig
    Learner = DQNLearner


@dataclass(frozen=True, kw_only=True)
class RainbowConfig(DQNConfig):
    """All switches on."""

    probe_options: ClassVar = {**DQNConfig.probe_options, "v_min": -6.0, "v_max": 12.0, "learning_rate": 3e-3}
    probe_times: ClassVar = 2

    n_step: int = 3
    dueling: bool = True
    distribution: str = "c51"
    noisy: bool = True
    prioritized: bool = True


class Rainbow(ActionValueAgent):
    """Deep Q-learning with all of its extensions (Hessel et al. 2018)."""

    name = "rainbow"
    Config = RainbowConfig
    Learner = DQNLearner


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


def of_single(m: ReplayMemory, network: QNetwork, rows: Tensor) -> Tensor:
    """What a network without memory says of rows [N], [1, N, A, K]."""
    return network.outputs(m.replay.obs.index_select(0, rows), (), None)[0][None]


def of_sequences(m: ReplayMemory, network: QNetwork, rows: Tensor) -> Tensor:
    """What a network with memory says of rows [burn_in + L, N], of the last L."""
    return network.outputs(*burnt_in(network.backbone, *m.sequences(rows), rows=m.burn_in))[0]
