"""Networks of action values, and what agents that act on them share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..nn import Encoder, EpsilonGreedy, State, build, linear
from .base import Agent
from .config import AgentConfig


@dataclass(frozen=True, kw_only=True)
class QConfig(AgentConfig):
    """How an agent that acts on action values explores."""

    activation: str = "relu"
    max_grad_norm: float = 10.0
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
    epsilon_fraction: float = 0.3  # part of the training over which epsilon falls linearly

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(0, 1, "epsilon_start", "epsilon_end", "epsilon_fraction")


class QNetwork(nn.Module):
    """Action values from one backbone."""

    def __init__(
        self, encoder: Encoder, n_actions: int, config: AgentConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.backbone = build(encoder, config, generator=generator)
        self.head = linear(self.backbone.n_features, n_actions, gain=1.0, generator=generator)

    def forward(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Q [..., A] of packed observations."""
        features, state = self.backbone(obs, state, reset)
        return self.head(features), state


class QAgent(Agent):
    """An agent that acts on action values."""

    config: QConfig
    network: QNetwork
    head: EpsilonGreedy

    def _build(self, generator: torch.Generator) -> None:
        self.head = EpsilonGreedy(int(self.action_space.n))
        self.head.epsilon = self.config.epsilon_end
        self.network = QNetwork(self.encoder, self.head.n_params, self.config, generator)

    @property
    def epsilon(self) -> float:
        """The present probability of a uniformly random action in training."""
        c = self.config
        part = min(1.0, self.progress / c.epsilon_fraction) if c.epsilon_fraction else 1.0
        return c.epsilon_start + part * (c.epsilon_end - c.epsilon_start)

    def initial_state(self, batch: int) -> State:
        """The backbone's state at the start of episodes."""
        return self.network.backbone.initial_state(batch)

    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        q, state = self.network(obs, state, reset)
        return q, state

    def q_values(self, obs: Any, state: State | None = None) -> NDArray[np.float32]:
        """Q [B, A] of a batch of observations, at the start of episodes unless `state` is given."""
        packed = self._tensor(self.encoder.pack(obs))
        reset = torch.full((len(packed),), state is None, device=self.device)
        with torch.inference_mode():
            q, _ = self._scores(packed, self.initial_state(len(packed)) if state is None else state, reset)
        found: NDArray[np.float32] = q.cpu().numpy()
        return found
