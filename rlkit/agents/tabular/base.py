"""What tabular agents share: a table for a network, one number per observation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import ConfigError, UnsupportedError
from rlkit.experience.experience import Experience, Metrics, StateDict
from rlkit.experience.stepper import Stepper
from rlkit.nn import Encoder, EpsilonGreedy, Head, State
from rlkit.settings import option

from ..config import EpsilonConfig
from ..learner import Learner
from .records import (
    BoolArray,
    FloatArray,
    IntArray,
    Model,
    Queue,
    Rule,
    Running,
    Table,
    Trace,
    Transitions,
    Window,
)

R = TypeVar("R", Window, Trace, Model, Queue)

STEPS_PER_ITERATION = 8192
MAX_CELLS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class TabularConfig(EpsilonConfig):
    """Options of every tabular agent."""

    probe_options: ClassVar = {"learning_rate": 0.2, "epsilon_end": 0.2}

    num_envs: int = 256
    learning_rate: float = 0.1  # alpha, at the start of the training
    schedule: str = "linear"
    omega: float = option(
        0.0,
        "The step size of a pair's N-th update is learning_rate / N^omega",
        least=0,
        most=1,
        search=(0.0, 1.0),
    )
    initial_value: float = option(0.0, "Initial value of every action; a high one makes an agent try all")

    def __post_init__(self) -> None:
        super().__post_init__()
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
        return (obs.reshape(len(obs), len(self._strides)).long() - self._starts) @ self._strides

    def initial_state(self, batch: int) -> State:
        """A table remembers nothing."""
        return ()

    def scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """Q [B, A] of packed observations."""
        return self.q[self.index(obs)], state


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


class TabularLearner(Learner):
    """A table of action values, on the CPU.

    A subclass learns from one step of all environments at a time. What it keeps beside the table are its
    `records`, by name.
    """

    config: TabularConfig
    devices = ("cpu",)

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """A table with a row for each observation."""
        n_actions = int(cast(spaces.Discrete, self.action_space).n)
        head = EpsilonGreedy(n_actions)
        head.epsilon = self.config.last_epsilon
        return QTable(encoder, n_actions, self.config.initial_value), head

    def prepare(self) -> None:
        """Share the table's memory with the kernels."""
        network = self.policy.network
        self.table = Table(network.q.numpy(), network.visits.numpy())
        self.records: dict[str, Any] = {}

    def experience(self, stepper: Stepper) -> Stream:
        """A stream of steps."""
        return Stream(stepper, self)

    def running(self, num_envs: int) -> Running | None:
        """An empty record of the running episodes, for an algorithm that keeps one."""
        return None

    @abstractmethod
    def learn_from(self, batch: Stream) -> float:
        """Update the table by the stream's step; the sum of the absolute errors it had."""

    def learn(self, experience: Experience, budget: int) -> Metrics:
        """Steps with the present epsilon, each learned from at once."""
        metrics = experience.iterate(budget)
        return {"epsilon": self.epsilon, **metrics}

    @property
    def epsilon(self) -> float:
        """The present probability of a uniformly random action in training."""
        return self.config.epsilon(self.clock.progress)

    @property
    def rule(self) -> Rule:
        """How large an update is at present."""
        return Rule(self.config.gamma, self.config.rate(self.clock.progress), self.config.omega)

    def choose(self, state: IntArray, mask: BoolArray, *, chosen: BoolArray, action: IntArray) -> None:
        """Write what the epsilon-greedy policy does into `action` [B] where nothing is `chosen` [B]."""
        from .kernels import act

        act(self.table.q, state, mask, self.epsilon, self.uniform(len(state)), chosen, action)

    def uniform(self, *shape: int) -> FloatArray:
        """Random numbers from [0, 1)."""
        drawn: FloatArray = torch.rand(shape, generator=self.generator, dtype=torch.float64).numpy()
        return drawn

    def describe(self) -> str:
        """How large the table is."""
        states, actions = self.table.q.shape
        return f"a table of {states:,} x {actions}"

    def state_dict(self) -> StateDict:
        """As of every learner, with its records."""
        return super().state_dict() | {"records": {k: x._asdict() for k, x in self.records.items()}}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`; ValueError for a record that points outside the table."""
        super().load_state_dict(saved)
        for name, like in self.records.items():
            self.records[name] = self.loaded(like, saved["records"][name])

    def loaded(self, like: R, saved: Mapping[str, Any]) -> R:
        """A saved record in place of `like`; ValueError for one that does not fit or points elsewhere."""
        found = type(like)(**{name: np.asarray(x) for name, x in saved.items()})
        found.check(like, *self.table.q.shape)
        return found


class Stream(Experience):
    """Steps of all environments, each learned from before the next is taken; `now` is the present one."""

    learner: TabularLearner
    now: Transitions
    action: IntArray  # [B] what the environments do next, where it is `chosen` already
    chosen: BoolArray  # [B]

    def __init__(self, stepper: Stepper, learner: TabularLearner) -> None:
        super().__init__(stepper, learner)
        n = stepper.num_envs
        self.action, self.chosen = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
        self._all_legal = np.ones((n, learner.table.q.shape[1]), dtype=np.bool_)
        self.running = learner.running(n)

    def interrupted(self) -> None:
        """No action is chosen for new episodes, and what ran before them is forgotten."""
        reset = self.stepper.reset.numpy()
        self.chosen &= ~reset
        if self.running is not None:
            self.running.length[reset] = 0

    def iterate(self, budget: int) -> Metrics:
        """Some thousand steps, each learned from at once."""
        taken, errors = 0, 0.0
        while taken < min(budget, STEPS_PER_ITERATION):
            self.now = self._stepped(budget - taken)
            errors += self.learner.learn_from(self)
            valid = int(self.now.valid.sum())
            taken += valid
            self.clock.steps += valid
        return {"td_error": errors / taken}

    def _stepped(self, budget: int) -> Transitions:
        """One step of all environments; what drifted ones take beyond the budget is not valid."""
        state, mask = self._row(self.stepper.obs), self._legal(self.stepper.mask)
        self.learner.choose(state, mask, chosen=self.chosen, action=self.action)
        step = self.step(torch.from_numpy(self.action))
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

    def choose_next(self) -> IntArray:
        """Actions [B] in the successors, which are taken next unless the episode ended."""
        t, action = self.now, np.zeros_like(self.now.action)
        self.learner.choose(t.next_state, t.next_mask, chosen=np.zeros_like(t.done), action=action)
        self.action, self.chosen = action, t.valid & ~t.done
        return action

    def _row(self, obs: Tensor) -> IntArray:
        row: IntArray = self.learner.policy.network.index(obs).numpy()
        return row

    def _legal(self, mask: Tensor | None) -> BoolArray:
        return self._all_legal if mask is None else mask.numpy()

    def state_dict(self) -> StateDict:
        """As of every experience, with what is chosen and what runs."""
        own = {"action": self.action, "chosen": self.chosen}
        running = {} if self.running is None else {"running": self.running._asdict()}
        return super().state_dict() | own | running

    def load_state_dict(self, saved: Mapping[str, Any]) -> bool:
        """Go back to a state of as many environments; False if the episodes start over."""
        action, chosen = np.asarray(saved["action"]), np.asarray(saved["chosen"])
        for name, x, y in (("action", action, self.action), ("chosen", chosen, self.chosen)):
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                raise ValueError(f"{name} is {x.dtype} {x.shape}, which does not fit {y.dtype} {y.shape}")
        if ((action < 0) | (action >= self._all_legal.shape[1])).any():
            raise ValueError("action holds what is not one")
        self.action, self.chosen = action, chosen
        if self.running is not None:
            like: Any = self.running
            self.running = self.learner.loaded(like, saved["running"])
        return super().load_state_dict(saved)
