"""Learning from a replay memory: the environments are stepped into it, and updates draw from it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlkit.errors import UnsupportedError
from rlkit.nn import State
from rlkit.nn.devices import memory

from .experience import Experience, Metrics, StateDict, Student
from .replay import Replay
from .stepper import Stepper


class Due(NamedTuple):
    """So many updates from a memory, the first round since the step `since`."""

    memory: "ReplayMemory"
    times: int
    since: int


class ReplayMemory(Experience):
    """A replay memory that the environments are stepped into, and as many updates as the steps are worth.

    Networks with memory learn from sequences of `sequence` rows, which begin in a stored state of the network
    and `burn_in` rows that bring it up to date; others learn from single rows.
    """

    def __init__(self, stepper: Stepper, learner: Student) -> None:
        super().__init__(stepper, learner)
        c = learner.config
        self.begun = self.clock.steps  # the step at which the replay was empty
        self.updated = -1  # the step of the last update
        self.burn_in: int = c.burn_in if self.state else 0
        self.sequence: int = c.sequence if self.state else 1
        empty = partial(
            Replay,
            stepper=stepper,
            head=learner.policy.head,
            state=self.state,
            stride=min(self.burn_in or self.sequence, self.sequence),
            span=self.burn_in + self.sequence,
        )
        needed, there = empty(1).bytes_per_row * c.replay_size / 1e9, memory(stepper.device) / 1e9
        if needed > there:
            raise UnsupportedError(f"replay_size {c.replay_size:,} needs {needed:,.1f} GB of {there:,.1f} GB")
        self.replay = empty(c.replay_size)

    def interrupted(self) -> None:
        """No stored row leads into the new episodes."""
        self.replay.cut(self.stepper.reset)

    def idle(self, since: int) -> str | None:
        """Why no update was made since that step, if none was."""
        if self.updated > since or self.clock.steps <= since:
            return None
        starts = self.begun + self.learner.config.learning_starts
        if self.clock.steps > starts:
            return "no update came due by updates_per_step, or no whole sequence was collected"
        return f"the first update comes after step {starts:,}, by learning_starts"

    def iterate(self, budget: int) -> Metrics:
        """About `train_every` steps, then as many updates as they are worth."""
        c, clock, since, due = self.learner.config, self.clock, self.clock.steps, None
        self.collect(min(c.train_every, budget), budget)
        starts = self.begun + c.learning_starts
        if clock.steps >= starts and self.replay.ready:
            since = max(since, starts)
            times = int(clock.steps * c.updates_per_step) - int(since * c.updates_per_step)
            due = Due(self, times, since)
            self.updated = clock.steps if times else self.updated
        return {name: value.item() for name, value in self.learner.learn_from(due).items()}

    def sequences(self, rows: Tensor) -> tuple[Tensor, State, Tensor]:
        """Observations and resets of `rows` [L, N] of the replay, and the network's state before them."""
        return self.replay.obs[rows], self.replay.state_at(rows[0]), self.replay.reset[rows]

    @torch.inference_mode()
    def collect(self, enough: int, budget: int) -> None:
        """Let all environments take turns until there are `enough` valid steps, at most `budget`."""
        stepper, taken = self.stepper, 0
        while taken < enough:
            obs, mask, reset, state = stepper.obs, stepper.mask, stepper.reset, self.state
            action, self.state = self.learner.behave(obs, state, reset, mask)
            step = self.step(action)
            # Steps beyond the budget, which drifted environments can make, are dropped.
            learn = step.valid & (step.valid.cumsum(0) <= budget - taken)
            self.replay.add(
                obs=obs, mask=mask, reset=reset, state=state, action=action, step=step, learn=learn
            )
            n = int(learn.sum())
            taken, self.clock.steps = taken + n, self.clock.steps + n

    def state_dict(self) -> StateDict:
        """As of every experience, with the memory."""
        return super().state_dict() | {"begun": self.begun, "replay": self.replay.state_dict()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> bool:
        """Go back to a state of as many environments; False if the episodes start over."""
        self.begun = int(saved["begun"])
        self.replay.load_state_dict(saved["replay"])
        return super().load_state_dict(saved)


def burnt_in(
    network: Callable[..., tuple[Tensor, State]], obs: Tensor, state: State, reset: Tensor, *, rows: int
) -> tuple[Tensor, State, Tensor]:
    """Sequences without their first `rows`, through which the network went to bring its state up to date."""
    if rows:
        with torch.no_grad():
            _, state = network(obs[:rows], state, reset[:rows])
    return obs[rows:], state, reset[rows:]
