"""Rollouts: T steps of B environments by the present policy, and minibatches of them.

A network without memory learns from single steps in any order, one with memory from whole sequences. Both
are one form: a batch [T, N] whose columns are drawn, where a step by itself is a column of length 1.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from rlkit.nn import Head, State

from .captured import Captured
from .experience import Experience, Figures, Metrics, Student
from .stepper import Step, Stepper
from .torch_stepper import TorchStepper

Policy: TypeAlias = Callable[[Tensor, State, Tensor], tuple[Tensor, State]]


class Final(NamedTuple):
    """Where episodes ended by a time limit: what was last observed, before the new episode."""

    at: Tensor  # [N] t B + b of the step, or 0, the first, whose successor then only gets its value again
    obs: Tensor  # [N, ...]
    mask: Tensor | None  # [N, A]
    state: State  # of the network after the step, [N, ...]


class Rollout(NamedTuple):
    """T steps of B environments; `obs`, `reset` and `mask` have one row more: where it stands after."""

    obs: Tensor  # [T + 1, B, ...] packed
    reset: Tensor  # [T + 1, B] bool, the first of an episode
    mask: Tensor | None  # [T + 1, B, A]
    params: Tensor  # [T, B, P] of the policy that acted
    action: Tensor  # [T, B, ...]
    reward: Tensor  # [T, B]
    discount: Tensor  # [T, B] 0 at termination, else 1
    cut: Tensor  # [T, B] bool, the next row does not follow on this one
    valid: Tensor | None  # [T, B] bool, a step to learn from; None: all
    state: State  # of the network before the first row, [B, ...]
    finals: list[Final]

    def successors(self, value: Tensor, of_final: Callable[[Final], Tensor]) -> Tensor:
        """Values [T, B] of the true successors, from `value` [T + 1, B] of `obs`."""
        after = value[1:].clone()
        for final in self.finals:
            after.view(-1)[final.at] = of_final(final)
        return after


@torch.no_grad()
def collect(
    stepper: Stepper,
    policy: Policy,
    head: Head,
    *,
    rows: int,
    budget: int,
    state: State,
    generator: torch.Generator,
    take: Callable[[Tensor], Step] | None = None,
) -> tuple[Rollout, State, int]:
    """At most `budget` valid steps in at most `rows` rows; the network's state after, and how many steps.

    `take` steps the environments, by default as the stepper does. Steps beyond the budget, which drifted
    environments can make, are dropped. Nothing is read from the device before the last row, unless the budget
    may end sooner; nothing at all if it can be captured.
    """
    drifts = stepper.mode is AutoresetMode.NEXT_STEP
    if not drifts:
        rows = min(rows, budget // stepper.num_envs)
    take = take or stepper.step
    noise = head.noise((rows, stepper.num_envs), generator)
    start = state
    stand = [(stepper.obs, stepper.reset)]
    masks = [stepper.mask]
    acted: list[tuple[Tensor, Tensor]] = []
    steps: list[Step] = []
    states: list[State] = []
    for t in range(rows):
        params, state = policy(stepper.obs, state, stepper.reset)
        action = head.act(params, noise[t], stepper.mask)
        acted.append((params, action))
        steps.append(take(action))
        states.append(state)
        stand.append((stepper.obs, stepper.reset))
        masks.append(stepper.mask)
        may_end = drifts and len(steps) * stepper.num_envs >= budget
        if may_end and sum(int(s.valid.sum()) for s in steps) >= budget:
            break

    obs, reset = (torch.stack(column) for column in zip(*stand, strict=True))
    params, action = (torch.stack(column) for column in zip(*acted, strict=True))
    columns = [(s.reward, s.discount, s.done) for s in steps]
    reward, discount, cut = (torch.stack(column) for column in zip(*columns, strict=True))
    legal = torch.stack([m for m in masks if m is not None]) if masks[0] is not None else None
    finals = finals_of(cut & (discount > 0), steps, states, most=stepper.most_limits(rows))
    kept, taken = None, cut.numel()
    if drifts:
        valid = torch.stack([s.valid for s in steps])
        kept = valid & (valid.flatten().cumsum(0) <= budget).view_as(valid)
        cut[:-1] |= (valid & ~kept)[1:]
        taken = int(kept.sum())
    rollout = Rollout(obs, reset, legal, params, action, reward, discount, cut, kept, start, finals)
    return rollout, state, taken


def finals_of(limited: Tensor, steps: list[Step], states: list[State], *, most: int | None) -> list[Final]:
    """What was last observed where steps were `limited` [T, B], a row after the other.

    If it is known that there are at most `most`, all are one, in a form that nothing else decides.
    """
    if most is None:
        ends = limited.any(1).nonzero().flatten().tolist()
        return [final_of(t, steps[t], states[t], limited[t]) for t in ends]
    if most == 0:
        return []
    at = torch.nonzero_static(limited.flatten(), size=most, fill_value=0).squeeze(-1)

    def there(rows: Sequence[Tensor]) -> Tensor:
        return torch.stack(tuple(rows)).flatten(0, 1)[at]

    masks = [s.next_mask for s in steps if s.next_mask is not None]
    state = tuple(there(part) for part in zip(*states, strict=True))
    return [Final(at, there([s.next_obs for s in steps]), there(masks) if masks else None, state)]


def final_of(t: int, step: Step, state: State, limited: Tensor) -> Final:
    """What the step of row t last observed in the environments that are `limited` [B]."""
    where = limited.nonzero().squeeze(-1)
    legal = None if step.next_mask is None else step.next_mask[where]
    at = t * len(limited) + where
    return Final(at, step.next_obs[where], legal, tuple(part[where] for part in state))


class Batch(NamedTuple):
    """Columns [T, N] to learn from."""

    obs: Tensor  # [T, N, ...] packed
    reset: Tensor | None  # [T, N]
    mask: Tensor | None  # [T, N, A]
    state: State  # [N, ...] before the first row
    valid: Tensor | None  # [T, N] rows that count; None: all
    columns: tuple[Tensor, ...]  # what else belongs to each step, [T, N, ...]

    def minibatches(self, count: int, generator: torch.Generator) -> Iterator["Batch"]:
        """The columns in random order, in `count` parts of nearly equal size."""
        n = self.obs.shape[1]
        order = torch.randperm(n, generator=generator, device=generator.device)
        for i in order.tensor_split(min(count, n)):
            yield self.take(i)

    def take(self, i: Tensor) -> "Batch":
        """The columns with these numbers."""
        return Batch(
            self.obs.index_select(1, i),
            None if self.reset is None else self.reset.index_select(1, i),
            None if self.mask is None else self.mask.index_select(1, i),
            tuple(part.index_select(0, i) for part in self.state),
            None if self.valid is None else self.valid.index_select(1, i),
            tuple(column.index_select(1, i) for column in self.columns),
        )

    def keep(self, x: Tensor) -> Tensor:
        """The entries [N, ...] of `x` [T, N, ...] that count."""
        return x.flatten(0, 1) if self.valid is None else x[self.valid]


def batch_of(rollout: Rollout, *columns: Tensor) -> Batch:
    """The valid steps of a rollout, each with its entries of `columns` [T, B, ...]."""
    obs, reset, valid = rollout.obs[:-1], rollout.reset[:-1], rollout.valid
    mask = None if rollout.mask is None else rollout.mask[:-1]
    if rollout.state:
        batch = Batch(obs, reset, mask, rollout.state, valid, columns)
        if valid is None:
            return batch
        some = valid.any(0)
        batch = batch if some.all() else batch.take(some.nonzero().squeeze(-1))
        return batch._replace(valid=None) if valid.all() else batch

    def row(x: Tensor) -> Tensor:
        return (x.flatten(0, 1) if valid is None else x[valid]).unsqueeze(0)

    return Batch(row(obs), None, None if mask is None else row(mask), (), None, tuple(map(row, columns)))


class Rollouts(Experience):
    """Rollouts of the present policy, each learned from once and forgotten.

    A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over. Where
    the environments allow it, whole iterations on a GPU are replayed from a CUDA graph.
    """

    def __init__(self, stepper: Stepper, learner: Student) -> None:
        super().__init__(stepper, learner)
        c = learner.config
        self.rows = max(1, c.num_envs * c.rollout_steps // stepper.num_envs)
        self.size = self.rows * stepper.num_envs
        can = c.capture and not c.monitor and stepper.can_be_captured(self.rows)
        self.captured = Captured(self._whole_iteration, self, learner.generator) if can else None

    def iterate(self, budget: int) -> Metrics:
        """One rollout, cut short where the budget ends, and what is learned from it."""
        if self.captured is None or budget < self.size:
            taken, figures = self._iteration(budget)
        else:
            self._torch_stepper.read()
            taken, figures, unread = self.captured()
            self._torch_stepper.replayed(unread)
        self.clock.steps += taken
        return {name: x.item() for name, x in figures.items()}

    @property
    def _torch_stepper(self) -> TorchStepper:
        """The stepper, where its steps can be captured."""
        return cast(TorchStepper, self.stepper)

    def _whole_iteration(self) -> tuple[int, Figures, Any]:
        """An iteration that is not cut short, and what is to be read of the episodes that ended in it."""
        return (*self._iteration(self.size), self._torch_stepper.unread)

    def _iteration(self, budget: int) -> tuple[int, Figures]:
        policy = self.learner.policy
        rollout, self.state, taken = collect(
            self.stepper,
            policy.scores,
            policy.head,
            rows=self.rows,
            budget=budget,
            state=self.state,
            generator=self.learner.generator,
            take=self.step,
        )
        return taken, self.learner.learn_from(rollout)
