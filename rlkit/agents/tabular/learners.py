"""The tabular algorithms of Sutton and Barto (2018), chapters 5 to 8; their updates are in the kernels.

Those on the policy that acts choose the next action before they learn, and then take it.
"""

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import nn

from rlkit.nn import Encoder, Head
from rlkit.settings import option

from ..agent import ActionValueAgent
from .base import Stream, TabularConfig, TabularLearner
from .records import Model, Queue, Running, Table, Trace, Window

WHOLE_EPISODES = int(np.iinfo(np.int64).max)


class ExpectedSarsaLearner(TabularLearner):
    """Targets by the policy that acts."""

    def learn_from(self, batch: Stream) -> float:
        """One step of Expected Sarsa."""
        from .kernels import expected_sarsa

        return expected_sarsa(self.table, batch.now, self.rule, self.epsilon)


class ExpectedSarsa(ActionValueAgent):
    """Expected Sarsa: r + gamma sum_a pi(a | s') Q(s', a) (Sutton and Barto, section 6.6)."""

    name = "expected_sarsa"
    Config = TabularConfig
    Learner = ExpectedSarsaLearner


class QLearner(TabularLearner):
    """Targets by the greedy policy."""

    def learn_from(self, batch: Stream) -> float:
        """One step of Q-learning."""
        from .kernels import expected_sarsa

        return expected_sarsa(self.table, batch.now, self.rule, 0.0)


class QLearning(ActionValueAgent):
    """Q-learning: r + gamma max_a Q(s', a) (Watkins 1989; Sutton and Barto, section 6.5)."""

    name = "q_learning"
    Config = TabularConfig
    Learner = QLearner


class DoubleQLearner(TabularLearner):
    """The network's `q` is the mean of `both` [2, S, A], and `visits` [2, S, A] are theirs."""

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """Two tables and their mean."""
        network, head = super().build(encoder, generator)
        network.register_buffer("both", network.get_buffer("q").repeat(2, 1, 1))
        network.visits = network.get_buffer("visits").repeat(2, 1, 1)
        return network, head

    def learn_from(self, batch: Stream) -> float:
        """One step, of one table by the other."""
        from .kernels import double_q

        both = self.policy.network.both.numpy()
        u = self.uniform(len(batch.now.state))
        return double_q(self.table.q, both, self.table.visits, batch.now, self.rule, u)


class DoubleQ(ActionValueAgent):
    """Double Q-learning: each values what the other prefers (Hasselt 2010; Sutton and Barto, section 6.7)."""

    name = "double_q"
    Config = TabularConfig
    Learner = DoubleQLearner


@dataclass(frozen=True, kw_only=True)
class SarsaConfig(TabularConfig):
    """Settings of Sarsa, which has none of its own."""

    @property
    def rewards(self) -> int:
        """How many there are in a return before bootstrapping."""
        return 1

    @property
    def counts_first(self) -> bool:
        """Whether only the first visit of a pair in an episode counts."""
        return False


@dataclass(frozen=True, kw_only=True)
class NStepConfig(SarsaConfig):
    """Settings of n-step Sarsa."""

    n_step: int = option(4, "Rewards before bootstrapping", least=1, search=(1, 2, 4, 8, 16))

    @property
    def rewards(self) -> int:
        """As configured."""
        return self.n_step


@dataclass(frozen=True, kw_only=True)
class MCConfig(SarsaConfig):
    """Settings of Monte Carlo control."""

    first_visit: bool = option(True, "Count only the first visit of a pair in an episode")

    @property
    def rewards(self) -> int:
        """All of an episode."""
        return WHOLE_EPISODES

    @property
    def counts_first(self) -> bool:
        """As configured."""
        return self.first_visit


class SarsaLearner(TabularLearner):
    """Returns of one reward, of n, or of whole episodes, on the policy that acts."""

    config: SarsaConfig

    def prepare(self) -> None:
        """Make room to note first visits, where these count alone."""
        super().prepare()
        self._first = np.zeros(self.table.q.size if self.config.counts_first else 0, dtype=np.int64)

    def running(self, num_envs: int) -> Running:
        """The latest steps of each episode."""
        return Window.empty(num_envs, min(self.config.rewards, 256))

    def learn_from(self, batch: Stream) -> float:
        """One step: updates of the pairs whose returns are complete."""
        from .kernels import n_step_sarsa

        after = batch.choose_next()
        batch.running = window = cast(Window, batch.running).with_room()
        n = self.config.rewards
        return n_step_sarsa(self.table, batch.now, after, window, self._first, self.rule, n)


class Sarsa(ActionValueAgent):
    """Sarsa: r + gamma Q(s', a') for the next action a' (Rummery 1994; Sutton and Barto, section 6.4)."""

    name = "sarsa"
    Config = SarsaConfig
    Learner = SarsaLearner


class NStepSarsa(ActionValueAgent):
    """n-step Sarsa: r_0 + gamma r_1 + ... + gamma^n Q(s_n, a_n) (Sutton and Barto, section 7.2)."""

    name = "n_step_sarsa"
    Config = NStepConfig
    Learner = SarsaLearner


class MC(ActionValueAgent):
    """Monte Carlo: returns of whole episodes, bootstrapped at time limits (Sutton and Barto, section 5.4)."""

    name = "mc"
    Config = MCConfig
    Learner = SarsaLearner


@dataclass(frozen=True, kw_only=True)
class LambdaConfig(TabularConfig):
    """Settings of agents with eligibility traces."""

    watkins: ClassVar[bool] = False  # learn about the greedy policy, and cut traces where it is left

    lambda_: float = option(0.8, "How slowly traces decay", least=0, most=1, search=(0.0, 1.0))
    traces: str = option("replacing", "Kind of eligibility traces", choices=("accumulating", "replacing"))
    trace_cutoff: float = option(1e-3, "Traces that are not above this are dropped", least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class WatkinsConfig(LambdaConfig):
    """Settings of Q(lambda)."""

    watkins: ClassVar[bool] = True


class LambdaLearner(TabularLearner):
    """Each error is shared with the pairs that led to it, as far as they have a trace."""

    config: LambdaConfig

    def running(self, num_envs: int) -> Running:
        """The traces of each episode."""
        return Trace.empty(num_envs, 32)

    def learn_from(self, batch: Stream) -> float:
        """One step: updates of all pairs that have a trace."""
        from .kernels import lambda_step

        c = self.config
        after = batch.choose_next()
        batch.running = trace = cast(Trace, batch.running).with_room()
        replacing = c.traces == "replacing"
        return lambda_step(
            *(self.table, batch.now, after, trace, self.rule),
            *(c.lambda_, c.trace_cutoff, replacing, c.watkins),
        )


class TDLambda(ActionValueAgent):
    """Sarsa(lambda): errors shared with the pairs before (Rummery 1995; Sutton and Barto, section 12.7)."""

    name = "td_lambda"
    Config = LambdaConfig
    Learner = LambdaLearner


class QLambda(ActionValueAgent):
    """Watkins's Q(lambda): traces, cut where the greedy policy is left (Sutton and Barto, section 12.10)."""

    name = "q_lambda"
    Config = WatkinsConfig
    Learner = LambdaLearner


@dataclass(frozen=True, kw_only=True)
class PlanningConfig(TabularConfig):
    """Settings of agents that learn a model."""

    planning_steps: int = option(
        5, "Updates from the model after each step", least=1, search=(1, 2, 5, 10, 50)
    )


def empty_model(table: Table) -> Model:
    """What is known before the first step, with room for some outcomes."""
    n_states, n_actions = table.q.shape
    return Model.empty(n_states, n_actions, capacity=1024)


class DynaLearner(TabularLearner):
    """Q-learning from steps taken, and from outcomes of tried pairs as often as they were seen."""

    config: PlanningConfig

    def prepare(self) -> None:
        """Count what each pair leads to, for all of the training."""
        super().prepare()
        self.records["model"] = empty_model(self.table)

    def learn_from(self, batch: Stream) -> float:
        """One step, and imagined ones."""
        from .planning import dyna_q

        n = len(batch.now.state)
        self.records["model"] = model = self.records["model"].with_room(n)
        u = self.uniform(n, self.config.planning_steps, 2)
        return dyna_q(self.table, batch.now, model, self.rule, u)


class DynaQ(ActionValueAgent):
    """Dyna-Q: Q-learning from steps taken and steps imagined (Sutton 1990; Sutton and Barto, section 8.2)."""

    name = "dyna_q"
    Config = PlanningConfig
    Learner = DynaLearner


@dataclass(frozen=True, kw_only=True)
class SweepingConfig(PlanningConfig):
    """Settings of prioritized sweeping."""

    learning_rate: float = 1.0
    schedule: str = "constant"
    theta: float = option(1e-4, "Changes that are not above this do not queue", least=0)


class SweepingLearner(TabularLearner):
    """Expected updates by the model of the pairs that wait in a queue."""

    config: SweepingConfig

    def prepare(self) -> None:
        """Count what each pair leads to, and queue the pairs whose values change."""
        super().prepare()
        self.records["model"] = empty_model(self.table)
        self.records["queue"] = Queue.empty(self.table.q.size)

    def learn_from(self, batch: Stream) -> float:
        """One step, and updates of the pairs at the head of the queue."""
        from .planning import prioritized_sweeping

        c, t, queue = self.config, batch.now, self.records["queue"]
        self.records["model"] = model = self.records["model"].with_room(len(t.state))
        return prioritized_sweeping(self.table, t, model, queue, self.rule, c.theta, c.planning_steps)


class PrioritizedSweeping(ActionValueAgent):
    """Prioritized sweeping: the largest change first (Moore 1993; Sutton and Barto, section 8.4)."""

    name = "prioritized_sweeping"
    Config = SweepingConfig
    Learner = SweepingLearner
