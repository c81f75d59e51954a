"""The tabular algorithms of Sutton and Barto (2018), chapters 5 to 8; their updates are in the kernels.

Those on the policy that acts choose the next action before they learn, and then take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rlkit import storage

from ..config import AgentConfig
from .base import TabularAgent, TabularConfig
from .records import IntArray, Model, Queue, Trace, Transitions, Window

WHOLE_EPISODES = int(np.iinfo(np.int64).max)


class ExpectedSarsa(TabularAgent):
    """r + gamma sum_a pi(a | s') Q(s', a), for the epsilon-greedy policy pi that acts (section 6.6)."""

    name: ClassVar[str] = "expected_sarsa"
    Config: ClassVar[type[AgentConfig]] = TabularConfig

    def _improve(self, t: Transitions) -> float:
        return self._expected(t, self.epsilon)

    def _expected(self, t: Transitions, epsilon: float) -> float:
        from .kernels import expected_sarsa

        return expected_sarsa(self.table, t, self.rule, epsilon)


class QLearning(ExpectedSarsa):
    """r + gamma max_a Q(s', a): Expected Sarsa for the greedy policy (Watkins 1989; section 6.5)."""

    name: ClassVar[str] = "q_learning"

    def _improve(self, t: Transitions) -> float:
        return self._expected(t, 0.0)


class DoubleQ(TabularAgent):
    """Two tables, each of which values the actions that the other prefers (van Hasselt 2010; section 6.7)."""

    name: ClassVar[str] = "double_q"
    Config: ClassVar[type[AgentConfig]] = TabularConfig

    def _build(self, generator: torch.Generator) -> None:
        """The network's `q` is the mean of `both` [2, S, A], and `visits` [2, S, A] are theirs."""
        super()._build(generator)
        self.network.register_buffer("both", self.network.q.repeat(2, 1, 1))
        self.network.visits = self.network.visits.repeat(2, 1, 1)

    def _improve(self, t: Transitions) -> float:
        from .kernels import double_q

        both, visits = self.network.get_buffer("both").numpy(), self.network.visits.numpy()
        return double_q(self.table.q, both, visits, t, self.rule, self._uniform(len(t.state)))


class OnPolicy(TabularAgent):
    """Learns about the actions that it takes."""

    def _choose(self, t: Transitions) -> IntArray:
        """Actions [B] in the successors, which are taken next unless the episode ended."""
        action = np.zeros_like(t.action)
        self._act(t.next_state, t.next_mask, chosen=np.zeros_like(t.done), action=action)
        self.action, self.chosen = action, t.valid & ~t.done
        return action


@dataclass(frozen=True, kw_only=True)
class NStepConfig(TabularConfig):
    """Fields of n-step Sarsa."""

    n_step: int = 4  # rewards before bootstrapping

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "n_step")


class Sarsa(OnPolicy):
    """r + gamma Q(s', a'), for the action a' that is taken next (Rummery and Niranjan 1994; section 6.4)."""

    name: ClassVar[str] = "sarsa"
    Config: ClassVar[type[AgentConfig]] = TabularConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        self._n = 1  # steps in a return
        self._first = np.zeros(0, dtype=np.int64)  # [S * A] scratch, where first visits count alone

    def _begin(self) -> None:
        super()._begin()
        self.window = Window.empty(self.stepper.num_envs, min(self._n, 256))

    def _improve(self, t: Transitions) -> float:
        from .kernels import n_step_sarsa

        next_action = self._choose(t)
        self.window = self.window.with_room()
        return n_step_sarsa(self.table, t, next_action, self.window, self._first, self.rule, self._n)

    def _buffers(self) -> dict[str, Tensor]:
        window = storage.with_prefix("window", storage.as_tensors(self.window._asdict()))
        return super()._buffers() | window

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.window = self._loaded(self.window, "window", tensors)

    def _interrupted(self) -> None:
        super()._interrupted()
        self.window.length[self.stepper.reset.numpy()] = 0


class NStepSarsa(Sarsa):
    """r_0 + gamma r_1 + ... + gamma^n Q(s_n, a_n) (section 7.2)."""

    name: ClassVar[str] = "n_step_sarsa"
    Config: ClassVar[type[AgentConfig]] = NStepConfig
    config: NStepConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        self._n = self.config.n_step


@dataclass(frozen=True, kw_only=True)
class MCConfig(TabularConfig):
    """Fields of Monte Carlo control."""

    first_visit: bool = True  # or every visit of a pair in an episode


class MC(Sarsa):
    """Returns of whole episodes; a time limit bootstraps from the final observation (section 5.4)."""

    name: ClassVar[str] = "mc"
    Config: ClassVar[type[AgentConfig]] = MCConfig
    config: MCConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        self._n = WHOLE_EPISODES
        self._first = np.zeros(self.table.q.size if self.config.first_visit else 0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class LambdaConfig(TabularConfig):
    """Fields of agents with eligibility traces."""

    lambda_: float = 0.8  # how slowly traces fade
    traces: str = "replacing"  # replacing or accumulating
    trace_cutoff: float = 1e-3  # a trace that is not above this is dropped

    def __post_init__(self) -> None:
        super().__post_init__()
        self._within(0, 1, "lambda_", "trace_cutoff")
        self._one_of(("accumulating", "replacing"), "traces")


class TDLambda(OnPolicy):
    """Sarsa(lambda): each error is shared with the pairs that led to it (Rummery 1995; section 12.7)."""

    name: ClassVar[str] = "td_lambda"
    Config: ClassVar[type[AgentConfig]] = LambdaConfig
    config: LambdaConfig
    watkins: ClassVar[bool] = False

    def _begin(self) -> None:
        super()._begin()
        self.trace = Trace.empty(self.stepper.num_envs, 32)

    def _improve(self, t: Transitions) -> float:
        from .kernels import lambda_step

        c = self.config
        next_action = self._choose(t)
        self.trace = self.trace.with_room()
        replacing = c.traces == "replacing"
        return lambda_step(
            *(self.table, t, next_action, self.trace, self.rule),
            *(c.lambda_, c.trace_cutoff, replacing, self.watkins),
        )

    def _buffers(self) -> dict[str, Tensor]:
        trace = storage.with_prefix("trace", storage.as_tensors(self.trace._asdict()))
        return super()._buffers() | trace

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.trace = self._loaded(self.trace, "trace", tensors)

    def _interrupted(self) -> None:
        super()._interrupted()
        self.trace.length[self.stepper.reset.numpy()] = 0


class QLambda(TDLambda):
    """Watkins's Q(lambda): traces towards the greedy policy, cut where it is left (section 12.10)."""

    name: ClassVar[str] = "q_lambda"
    watkins: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class PlanningConfig(TabularConfig):
    """Fields of agents that learn a model."""

    planning_steps: int = 5  # updates from the model after each step

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "planning_steps")


class ModelBased(TabularAgent):
    """Counts what each pair leads to, for all of its training."""

    config: PlanningConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        n_states, n_actions = self.table.q.shape
        self.model = Model.empty(n_states, n_actions, capacity=1024)

    def _buffers(self) -> dict[str, Tensor]:
        model = storage.with_prefix("model", storage.as_tensors(self.model._asdict()))
        return super()._buffers() | model

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.model = self._loaded(self.model, "model", tensors)


class DynaQ(ModelBased):
    """Q-learning from steps taken and from steps that the model imagines (Sutton 1990; section 8.2)."""

    name: ClassVar[str] = "dyna_q"
    Config: ClassVar[type[AgentConfig]] = PlanningConfig

    def _improve(self, t: Transitions) -> float:
        from .planning import dyna_q

        self.model = self.model.with_room(len(t.state))
        u = self._uniform(len(t.state), self.config.planning_steps, 2)
        return dyna_q(self.table, t, self.model, self.rule, u)


@dataclass(frozen=True, kw_only=True)
class SweepingConfig(PlanningConfig):
    """Fields of prioritized sweeping."""

    learning_rate: float = 1.0
    schedule: str = "constant"
    theta: float = 1e-4  # a change that is not above this does not queue

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(0, "theta")


class PrioritizedSweeping(ModelBased):
    """Expected updates where they change most first (Moore and Atkeson 1993; section 8.4)."""

    name: ClassVar[str] = "prioritized_sweeping"
    Config: ClassVar[type[AgentConfig]] = SweepingConfig
    config: SweepingConfig

    def _build(self, generator: torch.Generator) -> None:
        super()._build(generator)
        self.queue = Queue.empty(self.table.q.size)

    def _improve(self, t: Transitions) -> float:
        from .planning import prioritized_sweeping

        c = self.config
        self.model = self.model.with_room(len(t.state))
        return prioritized_sweeping(
            self.table, t, self.model, self.queue, self.rule, c.theta, c.planning_steps
        )

    def _buffers(self) -> dict[str, Tensor]:
        queue = storage.with_prefix("queue", storage.as_tensors(self.queue._asdict()))
        return super()._buffers() | queue

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.queue = self._loaded(self.queue, "queue", tensors)
