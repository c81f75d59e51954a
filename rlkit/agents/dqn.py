"""Deep Q-networks (Mnih et al. 2015) with the double target (van Hasselt et al. 2016) and n-step returns.

Environments are stepped epsilon-greedily into a replay memory; each update takes a batch from it and lowers

    Huber(Q(x, a) - [r + gamma Q_target(x', argmax_a' Q(x', a'))])

where gamma is 0 at termination only, and x' is the final observation where a time limit ended the episode.
"""

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlkit.settings import ConfigError

from ..nn import MLP, Encoder, State, linear, mask_logits
from . import storage
from .base import Agent, Metrics
from .config import AgentConfig
from .losses import double_q_target, q_loss
from .replay import Replay
from .returns import n_step
from .stepper import BoolArray


@dataclass(frozen=True, kw_only=True)
class DQNConfig(AgentConfig):
    """Steps are environment steps, counted over all environments."""

    activation: str = "relu"
    max_grad_norm: float = 10.0
    replay_size: int = 100_000
    batch_size: int = 128
    learning_starts: int = 1_000  # steps before the first update
    train_every: int = 64  # steps between two rounds of updates
    updates_per_step: float = 0.25
    target_every: int = 500  # steps between two copies to the target network
    n_step: int = 1
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
    epsilon_fraction: float = 0.3  # part of the training over which epsilon falls linearly
    anneal: bool = False  # the learning rate, linearly to 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "replay_size", "batch_size", "train_every", "target_every", "n_step")
        self._at_least(0, "learning_starts")
        self._positive("updates_per_step")
        self._within(0, 1, "epsilon_start", "epsilon_end", "epsilon_fraction")
        if self.replay_size < self.num_envs:
            raise ConfigError(
                f"replay_size must be at least num_envs ({self.num_envs}), got {self.replay_size}"
            )


class QNetwork(nn.Module):
    """Action values from one backbone."""

    def __init__(
        self, encoder: Encoder, n_actions: int, config: DQNConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.backbone = MLP(
            encoder.n_features, config.hidden, activation=config.activation, generator=generator
        )
        self.head = linear(self.backbone.n_features, n_actions, gain=1.0, generator=generator)

    def forward(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Q [..., A] of packed observations."""
        features, state = self.backbone(self.encoder(obs), state, reset)
        return self.head(features), state


class DQN(Agent):
    """Double deep Q-learning for discrete actions."""

    name: ClassVar[str] = "dqn"
    Config: ClassVar[type[AgentConfig]] = DQNConfig
    config: DQNConfig
    network: QNetwork

    def _build(self, generator: torch.Generator) -> None:
        self.network = QNetwork(self.encoder, self.n_actions, self.config, generator).to(self.device)
        self.target_network = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, fused=True)

    def _begin(self) -> None:
        self.replay = Replay(self.config.replay_size, stepper=self.stepper, encoder=self.encoder)

    @property
    def epsilon(self) -> float:
        """The current probability of a uniformly random action."""
        c = self.config
        part = min(1.0, self.progress / c.epsilon_fraction) if c.epsilon_fraction else 1.0
        return c.epsilon_start + part * (c.epsilon_end - c.epsilon_start)

    def _iterate(self, budget: int) -> Metrics:
        """About `train_every` steps, then as many updates as they are worth."""
        c, before = self.config, self.steps
        if c.anneal:
            self.optimizer.param_groups[0]["lr"] = c.learning_rate * (1 - self.progress)
        self._collect(min(c.train_every, budget), budget)
        metrics = {"epsilon": self.epsilon}
        if self.steps < c.learning_starts or not len(self.replay):
            return metrics
        before = max(before, c.learning_starts)
        updates = int(self.steps * c.updates_per_step) - int(before * c.updates_per_step)
        if self.steps // c.target_every > before // c.target_every:
            self.target_network.load_state_dict(self.network.state_dict())
        for _ in range(updates):
            loss, q, grad_norm = self._update()
        if updates:
            metrics |= {"loss": loss.item(), "q": q.item(), "grad_norm": grad_norm.item()}
        return metrics

    @torch.inference_mode()
    def _collect(self, enough: int, budget: int) -> None:
        """Let all environments take turns until there are `enough` valid steps, at most `budget`."""
        stepper, taken = self.stepper, 0
        while taken < enough:
            obs, mask = stepper.obs, stepper.mask
            q, _ = self.network(self._tensor(obs), (), None)
            greedy = mask_logits(q, None if mask is None else self._tensor(mask)).argmax(-1).cpu().numpy()
            explore = self.rng.random(stepper.num_envs) < self.epsilon
            action = np.where(explore, self._random_actions(mask), greedy)
            step = stepper.step(action)
            # Steps beyond the budget, which drifted environments can make, are dropped.
            valid = step.valid & (taken + step.valid.cumsum() <= budget)
            self.replay.add(obs, action, step, valid=valid)
            taken += int(valid.sum())
            self.steps += int(valid.sum())

    def _update(self) -> tuple[Tensor, Tensor, Tensor]:
        c = self.config
        window = self.replay.sample(c.batch_size, n=c.n_step, rng=self.rng)
        reward, discount, last = n_step(
            reward=self._tensor(window.reward),
            discount=c.gamma * self._tensor(window.discount),
            cut=self._tensor(window.cut),
        )
        next_obs, next_mask = self.replay.successor(
            np.take_along_axis(window.steps, last.cpu().numpy()[None], axis=0)[0]
        )
        with torch.no_grad():
            target = double_q_target(
                reward=reward,
                discount=discount,
                next_q=self.network(self._tensor(next_obs), (), None)[0],
                next_q_target=self.target_network(self._tensor(next_obs), (), None)[0],
                next_mask=None if next_mask is None else self._tensor(next_mask),
            )
        q, _ = self.network(self._tensor(window.obs), (), None)
        loss = q_loss(q=q, action=self._tensor(window.action), target=target)

        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        grad_norm = nn.utils.clip_grad_norm_(self.network.parameters(), c.max_grad_norm)
        self.optimizer.step()
        return loss, q.mean(), grad_norm

    def _random_actions(self, mask: BoolArray | None) -> NDArray[np.int64]:
        """One uniformly random legal action for each environment."""
        noise = self.rng.random((self.stepper.num_envs, self.n_actions))
        choice: NDArray[np.int64] = (noise if mask is None else np.where(mask, noise, -1.0)).argmax(-1)
        return choice

    def initial_state(self, batch: int) -> State:
        """The backbone's state at the start of episodes."""
        return self.network.backbone.initial_state(batch)

    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        q, state = self.network(obs, state, reset)
        return q, state

    def _probabilities(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Epsilon-greedy, with the final epsilon."""
        legal = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
        greedy = nn.functional.one_hot(mask_logits(scores, mask).argmax(-1), self.n_actions)
        epsilon = self.config.epsilon_end
        return (1 - epsilon) * greedy + epsilon * legal / legal.sum(-1, keepdim=True)

    def _buffers(self) -> dict[str, Tensor]:
        replay = storage.with_prefix("replay", storage.as_tensors(self.replay.state()))
        return replay | storage.with_prefix("target", self.target_network.state_dict())

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        self.replay.set_state(storage.as_arrays(storage.under("replay", tensors)))
        self.replay.cut_newest(self.stepper.reset)  # also where loading started new episodes
        self.target_network.load_state_dict(storage.under("target", tensors))
