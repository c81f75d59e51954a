"""What tabular agents share: a table for a network, one number per observation, and the loop over steps."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlkit import storage
from rlkit.errors import ConfigError, UnsupportedError
from rlkit.experience.environments import AnyVectorEnv
from rlkit.nn.devices import choose_device

from ...nn import Encoder, EpsilonGreedy, State
from ..base import Agent, Metrics
from ..config import EpsilonConfig
from .records import BoolArray, FloatArray, IntArray, Model, Queue, Rule, Table, Trace, Transitions, Window

R = TypeVar("R", Window, Trace, Model, Queue)

MAX_CELLS = 10_000_000
STEPS_PER_ITERATION = 8192


@dataclass(frozen=True, kw_only=True)
class TabularConfig(EpsilonConfig):
    """Fields of every tabular agent."""

    num_envs: int = 256
    learning_rate: float = 0.1  # alpha, at the start of the training
    schedule: str = "linear"
    omega: float = 0.0  # the step size of the N-th update of a pair is alpha / N^omega
    initial_value: float = 0.0  # of every action; a high one makes an agent try everything

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(0, 1, "omega")
        if not np.isfinite(self.initial_value):
            raise ConfigError(f"initial_value must be finite, got {self.initial_value}")


class QTable(nn.Module):
    """Action values in buffers: q and visits [S, A]."""

    q: Tensor
    visits: Tensor

    def __init__(self, encoder: Encoder, n_actions: int, initial_value: float) -> None:
        super().__init__()
        sizes, starts = _categories(encoder)
        n_states = int(np.prod(sizes.astype(object)))
        if n_states * n_actions > MAX_CELLS:
            shown = n_states if n_states < 10**15 else f"10^{np.log10(sizes).sum():.0f}"
            raise UnsupportedError(
                f"{shown} observations with {n_actions} actions are too many for a table; "
                f"it can have {MAX_CELLS} cells"
            )
        self._starts = torch.from_numpy(starts)
        self._strides = torch.from_numpy(n_states // sizes.cumprod())
        self.register_buffer("q", torch.full((n_states, n_actions), initial_value, dtype=torch.float64))
        self.register_buffer("visits", torch.zeros((n_states, n_actions), dtype=torch.int64))

    def index(self, obs: Tensor) -> Tensor:
        """The row [B] of packed observations [B, ...]."""
        return (obs.reshape(len(obs), -1).long() - self._starts) @ self._strides

    def forward(self, obs: Tensor) -> Tensor:
        """Q [B, A] of packed observations."""
        return self.q[self.index(obs)]


def _categories(encoder: Encoder) -> tuple[IntArray, IntArray]:
    """How many values each number of a packed observation takes, and the lowest of them."""
    sizes, starts = [], []
    for leaf in encoder.leaves:
        match leaf:
            case spaces.Discrete():
                size, start = leaf.n, leaf.start
            case spaces.MultiDiscrete():
                size, start = leaf.nvec, leaf.start
            case spaces.MultiBinary():
                size, start = np.full(leaf.shape, 2), np.zeros(leaf.shape)
            case spaces.Box() if np.issubdtype(leaf.dtype, np.integer):
                start = leaf.low
                size = np.minimum(leaf.high.astype(object) - leaf.low.astype(object) + 1, 2**62)
            case _:
                raise UnsupportedError(f"a table needs observations of Discrete parts, got {encoder.space}")
        sizes.append(np.reshape(size, -1))
        starts.append(np.reshape(start, -1))
    return np.concatenate(sizes).astype(np.int64), np.concatenate(starts).astype(np.int64)


class TabularAgent(Agent):
    """An agent with a table of action values, on the CPU.

    A subclass learns from one step of all environments at a time, in `_improve`.
    """

    config: TabularConfig
    network: QTable
    head: EpsilonGreedy
    action: IntArray  # [B] what the environments do next, where it is `chosen` already
    chosen: BoolArray  # [B]

    def __init__(
        self, env: str | AnyVectorEnv, *misplaced: object, device: str = "auto", **options: Any
    ) -> None:
        choose_device(device)
        super().__init__(env, *misplaced, device="cpu", **options)

    def _build(self, generator: torch.Generator) -> None:
        n_actions = int(cast(spaces.Discrete, self.action_space).n)
        self.head = EpsilonGreedy(n_actions)
        self.head.epsilon = self.config.epsilon_end
        self.network = QTable(self.encoder, n_actions, self.config.initial_value)
        self.table = Table(self.network.q.numpy(), self.network.visits.numpy())

    def describe(self) -> str:
        """How large the table is."""
        states, actions = self.network.q.shape
        return f"a table of {states:,} x {actions}"

    def _begin(self) -> None:
        n = self.stepper.num_envs
        self.action, self.chosen = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
        self._all_legal = np.ones((n, self.head.n_params), dtype=np.bool_)

    def _interrupted(self) -> None:
        self.chosen &= ~self.stepper.reset.numpy()

    @abstractmethod
    def _improve(self, t: Transitions) -> float:
        """Update the table; the sum of the absolute errors it had."""

    @property
    def epsilon(self) -> float:
        """The present probability of a uniformly random action in training."""
        return self.config.epsilon(self.progress)

    @property
    def rule(self) -> Rule:
        """How large an update is at present."""
        return Rule(self.config.gamma, self.config.rate(self.progress), self.config.omega)

    def _iterate(self, budget: int) -> Metrics:
        taken, errors = 0, 0.0
        while taken < min(budget, STEPS_PER_ITERATION):
            t = self._step(budget - taken)
            errors += self._improve(t)
            valid = int(t.valid.sum())
            taken += valid
            self.steps += valid
        return {"epsilon": self.epsilon, "td_error": errors / taken}

    def _step(self, budget: int) -> Transitions:
        """One step of all environments; what drifted ones take beyond the budget is not valid."""
        state, mask = self._row(self.stepper.obs), self._legal(self.stepper.mask)
        self._act(state, mask, chosen=self.chosen, action=self.action)
        step = self.stepper.step(torch.from_numpy(self.action))
        valid = step.valid & (step.valid.cumsum(0) <= budget)
        return Transitions(
            state=state,
            action=self.action,
            reward=step.reward.numpy(),
            discount=step.discount.numpy(),
            next_state=self._row(step.next_obs),
            next_mask=self._legal(step.next_mask),
            done=step.done.numpy(),
            valid=valid.numpy(),
        )

    def _act(self, state: IntArray, mask: BoolArray, *, chosen: BoolArray, action: IntArray) -> None:
        """Write what the epsilon-greedy policy does where nothing is `chosen`."""
        from .kernels import act

        act(self.table.q, state, mask, self.epsilon, self._uniform(len(state)), chosen, action)

    def _row(self, obs: Tensor) -> IntArray:
        row: IntArray = self.network.index(obs).numpy()
        return row

    def _legal(self, mask: Tensor | None) -> BoolArray:
        return self._all_legal if mask is None else mask.numpy()

    def _uniform(self, *shape: int) -> FloatArray:
        drawn: FloatArray = torch.rand(shape, generator=self.generator, dtype=torch.float64).numpy()
        return drawn

    # Acting

    def initial_state(self, batch: int) -> State:
        """A table remembers nothing."""
        return ()

    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        return self.network(obs), state

    def q_values(self, obs: Any) -> NDArray[np.float64]:
        """Q [B, A] of a batch of observations."""
        q: NDArray[np.float64] = self.network(self._tensor(self.encoder.pack_any(obs)[0])).numpy()
        return q

    # Saving

    def _buffers(self) -> dict[str, Tensor]:
        return storage.as_tensors({"action": self.action, "chosen": self.chosen})

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        action, chosen = tensors["action"].numpy(), tensors["chosen"].numpy()
        for name, x, y in (("action", action, self.action), ("chosen", chosen, self.chosen)):
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                raise ValueError(f"{name} is {x.dtype} {x.shape}, which does not fit {y.dtype} {y.shape}")
        if ((action < 0) | (action >= self.head.n_params)).any():
            raise ValueError("action holds what is not one")
        self.action, self.chosen = action, chosen

    def _loaded(self, like: R, name: str, tensors: dict[str, Tensor]) -> R:
        """What a checkpoint holds in place of the arrays `like`; ValueError for what points elsewhere."""
        found = type(like)(**storage.as_arrays(storage.under(name, tensors)))
        found.check(like, *self.table.q.shape)
        return found
