"""Learning from a replay memory: what DQN and SAC share."""

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Self

import torch
from torch import Tensor

from rlkit import storage
from rlkit.errors import ConfigError, NothingLearned, UnsupportedError
from rlkit.experience.replay import Replay
from rlkit.nn.devices import memory

from ..nn import State
from .base import Callback, Metrics
from .config import NeuralConfig
from .neural import NeuralAgent


@dataclass(frozen=True, kw_only=True)
class OffPolicyConfig(NeuralConfig):
    """Steps are environment steps, counted over all environments."""

    replay_size: int = 100_000  # transitions that are kept
    batch_size: int = 128  # transitions in an update
    learning_starts: int = 1_000  # steps into an empty replay before the first update
    train_every: int = 64  # steps between two rounds of updates
    updates_per_step: float = 0.25  # updates for each environment step
    sequence: int = 32  # rows of a sequence that a network with memory learns from
    burn_in: int = 0  # rows before them

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "replay_size", "batch_size", "train_every", "sequence")
        self._at_least(0, "learning_starts", "burn_in")
        self._positive("updates_per_step")
        if self.replay_size < self.num_envs:
            raise ConfigError(
                f"replay_size must be at least num_envs ({self.num_envs}), got {self.replay_size}"
            )


class OffPolicyAgent(NeuralAgent):
    """Steps its environments into a replay memory, and makes as many updates as the steps are worth.

    Networks with memory learn from sequences of `sequence` rows, which begin in a stored state of the network
    and `burn_in` rows that bring it up to date; others learn from single rows.
    """

    config: OffPolicyConfig
    replay: Replay
    begun: int  # the step at which the replay was empty
    _updates = 0  # made in the present training

    def continue_to(self, horizon: int, *, callback: Callback | None = None) -> Self:
        """As every agent does; warns with `NothingLearned` if no update was made on the way."""
        before, self._updates = self.steps, 0
        super().continue_to(horizon, callback=callback)
        if not self._updates and self.steps > before:
            starts = self.begun + self.config.learning_starts
            why = f"the first update comes after step {starts:,}, by learning_starts"
            if self.steps > starts:
                why = "no update came due by updates_per_step, or no whole sequence was lived"
            steps = f"steps {before + 1:,} to {self.steps:,}"
            warnings.warn(f"{self.name} learned nothing in {steps}: {why}", NothingLearned, stacklevel=4)
        return self

    def _begin(self) -> None:
        c = self.config
        self.begun = self.steps
        self.burn_in, self.sequence = (c.burn_in, c.sequence) if self.state else (0, 1)
        empty = partial(
            Replay,
            stepper=self.stepper,
            head=self.head,
            state=self.state,
            stride=min(self.burn_in or self.sequence, self.sequence),
            span=self.burn_in + self.sequence,
        )
        needed, there = empty(1).bytes_per_row * c.replay_size / 1e9, memory(self.device) / 1e9
        if needed > there:
            raise UnsupportedError(f"replay_size {c.replay_size:,} needs {needed:,.1f} GB of {there:,.1f} GB")
        self.replay = empty(c.replay_size)

    def _interrupted(self) -> None:
        self.replay.cut(self.stepper.reset)

    @abstractmethod
    def _behave(self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None) -> tuple[Tensor, State]:
        """Actions to explore with, and the network's next state."""

    @abstractmethod
    def _update(self, times: int) -> dict[str, Tensor]:
        """Learn so many times from the memory; figures of the last, none for no time."""

    def _before_updates(self, before: int) -> None:
        """What happens by the number of steps: there were `before` at the last round of updates."""

    def _iterate(self, budget: int) -> Metrics:
        """About `train_every` steps, then as many updates as they are worth."""
        c, before = self.config, self.steps
        self._collect(min(c.train_every, budget), budget)
        starts = self.begun + c.learning_starts
        metrics: dict[str, Tensor] = {}
        if self.steps >= starts and self.replay.ready:
            before = max(before, starts)
            self._before_updates(before)
            self.network.train()
            times = int(self.steps * c.updates_per_step) - int(before * c.updates_per_step)
            metrics = self._update(times)
            self._updates += times
            self.network.eval()
        self.statistics.update()
        return {name: value.item() for name, value in metrics.items()}

    @torch.inference_mode()
    def _collect(self, enough: int, budget: int) -> None:
        """Let all environments take turns until there are `enough` valid steps, at most `budget`."""
        stepper, taken = self.stepper, 0
        while taken < enough:
            obs, mask, reset, state = stepper.obs, stepper.mask, stepper.reset, self.state
            action, self.state = self._behave(obs, state, reset, mask)
            step = stepper.step(action)
            # Steps beyond the budget, which drifted environments can make, are dropped.
            learn = step.valid & (step.valid.cumsum(0) <= budget - taken)
            self.replay.add(
                obs=obs, mask=mask, reset=reset, state=state, action=action, step=step, learn=learn
            )
            n = int(learn.sum())
            taken, self.steps = taken + n, self.steps + n

    def _buffers(self) -> dict[str, Tensor]:
        own = {"begun": torch.tensor(self.begun), **storage.with_prefix("replay", self.replay.state())}
        return super()._buffers() | own

    def _load_buffers(self, tensors: dict[str, Tensor]) -> None:
        super()._load_buffers(tensors)
        self.begun = int(tensors["begun"])
        self.replay.set_state(storage.under("replay", tensors))
