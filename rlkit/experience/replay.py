"""A replay memory: one ring of rows per environment, in the environment's own order.

A row is a moment: what was observed and, where a transition to learn from starts, what was done and what came
of it. The successor of a row is the row after it, so every observation is stored once, in its own data type.
At the end of an episode one row more holds the final observation, the true successor also where a time limit
ended it; the next episode begins in the row after that. The newest row of a ring holds the present
observation. Neither of these starts a transition, and so one rule stands for the ends of episodes, for the
newest step and for gaps: what follows a row can be used up to the next row that starts nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from rlkit.nn import Head, State

from .priorities import Priorities, draw, importance_weights
from .stepper import Step, Stepper


class Drawn(NamedTuple):
    """N sequences: the row that each begins in, and how much it weighs."""

    first: Tensor  # [N]
    weight: Tensor | None  # [N] importance weights, or None where all are drawn alike


class Replay:
    """The last rows of B environments, about `capacity` in all, and never fewer than one sequence needs.

    Row t of environment b has the number t B + b in every column. Sequences begin in rows t that are
    multiples of `stride`, where the network's state is stored, and need `span` rows; where `span` is 1 they
    begin in any row that starts a transition. All are drawn alike, or after `prioritise` by their errors.
    """

    def __init__(
        self,
        capacity: int,
        *,
        stepper: Stepper,
        head: Head,
        state: State = (),
        stride: int = 1,
        span: int = 1,
    ) -> None:
        b, like = stepper.num_envs, stepper.obs
        length = max(span + stride + 2, -(-capacity // b))  # at least one sequence fits
        self.length = -(-length // stride) * stride
        self.num_envs, self.stride, self.span = b, stride, span
        n = self.size = self.length * b
        self.obs = like.new_zeros((n, *like.shape[1:]))
        self.mask = None if stepper.mask is None else stepper.mask.new_zeros((n, stepper.mask.shape[1]))
        self.action = like.new_zeros((n, *head.shape), dtype=head.dtype)
        self.reward = like.new_zeros(n, dtype=torch.float32)
        self.discount = like.new_zeros(n, dtype=torch.float32)  # 0 at termination, else 1
        self.start = like.new_zeros(n, dtype=torch.bool)  # a transition to learn from starts here
        self.reset = like.new_zeros(n, dtype=torch.bool)  # the first of an episode
        self.states = tuple(part.new_zeros((n // stride, *part.shape[1:])) for part in state)
        self.priorities: Priorities | None = None
        self.present = like.new_zeros(b, dtype=torch.int64)  # [B] the row of the present observation
        self.stored = like.new_zeros(b, dtype=torch.int64)  # [B] rows before it that can be used
        self._written = 0  # rows of the longest ring, at most
        self._ready = False
        self._b = torch.arange(b, device=like.device)

    def prioritise(self, alpha: float) -> None:
        """From now on draw in proportion to |error|^alpha (prioritized replay, Schaul et al. 2016)."""
        self.priorities = Priorities(self.size, alpha=alpha, device=self.obs.device)

    def add(
        self,
        *,
        obs: Tensor,
        mask: Tensor | None,
        reset: Tensor,
        state: State,
        action: Tensor,
        step: Step,
        learn: Tensor,
    ) -> None:
        """Append a step of all environments from where they stood, to learn from where `learn` [B] says so.

        `state` is the network's before it read `obs`. Steps that are not valid are left out.
        """
        here = self.present * self.num_envs + self._b
        after = (here + self.num_envs) % self.size
        nowhere = torch.zeros_like(learn)
        self._put(here, obs, mask, reset, learn)
        self._put(after, step.next_obs, step.next_mask, nowhere, nowhere)
        self.action[here], self.reward[here], self.discount[here] = action, step.reward, step.discount
        if self.states:
            kept = (step.valid & (self.present % self.stride == 0)).nonzero().squeeze(-1)
            for stored, part in zip(self.states, state, strict=True):
                stored[self._place(here[kept])] = part[kept]
        self._advance(torch.where(step.valid, 1 + step.done.long(), 0))
        self._written = min(self._written + 2, self.length)

    def cut(self, where: Tensor) -> None:
        """Note for the environments `where` [B] that their next step does not follow on their newest."""
        newest = (self.present - 1) % self.length * self.num_envs + self._b
        self._advance((where & self.start[newest]).long())

    def draw(self, size: int, *, generator: torch.Generator, beta: float = 1.0) -> Drawn:
        """Sequences that are stored in full."""
        if self.priorities is None:
            return Drawn(self._uniform(size, generator), None)
        weight = self.priorities.weight
        if self.span == 1:
            first = draw(weight, size, generator=generator)
        else:
            places = torch.arange(self.size // self.stride, device=weight.device)
            firsts = self._first(places)
            first = firsts[draw(weight[firsts] * self._stored_in_full(firsts), size, generator=generator)]
        return Drawn(first, importance_weights(weight[first], beta=beta))

    def rows(self, first: Tensor, n: int) -> Tensor:
        """The numbers [n, N] of the rows that follow on `first` [N], and of itself."""
        ahead = torch.arange(0, n * self.num_envs, self.num_envs, device=first.device)
        return (first + ahead[:, None]) % self.size

    def state_at(self, first: Tensor) -> State:
        """The network's stored state [N, ...] before the rows that sequences begin in."""
        place = self._place(first)
        return tuple(part[place] for part in self.states)

    @property
    def bytes_per_row(self) -> float:
        """The memory that a row of one environment takes."""
        columns = [column for column, _ in self._columns(self.length).values()]
        return sum(column.nbytes for column in columns) / self.size

    @property
    def ready(self) -> bool:
        """Whether there is anything to draw, which never changes back."""
        if not self._ready:
            filled = int(self.stored.max()) >= self.span + self.stride - 1
            self._ready = filled and bool(self.start.any())
        return self._ready

    def state_dict(self) -> dict[str, Tensor]:
        """All that is stored, in the order of the rows written so far."""
        own = {"present": self.present, "stored": self.stored}
        if self.priorities is not None:
            own["highest"] = self.priorities.highest
        return own | {name: column[:n] for name, (column, n) in self._columns(self._written).items()}

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to a saved state, of a memory of the same size."""
        self._written = len(tensors["start"]) // self.num_envs
        for name, (column, n) in self._columns(self._written).items():
            column[:n] = tensors[name]
            column[n:] = 0
        self.present[:], self.stored[:] = tensors["present"], tensors["stored"]
        if self.priorities is not None:
            self.priorities.highest.copy_(tensors["highest"])

    def _columns(self, rows: int) -> dict[str, tuple[Tensor, int]]:
        """Every column, and how much of it belongs to the first rows."""
        names = ("obs", "mask", "action", "reward", "discount", "start", "reset")
        columns = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.priorities is not None:
            columns["priority"] = self.priorities.weight
        n = rows * self.num_envs
        states = {
            f"state{i}": (part, -(-rows // self.stride) * self.num_envs) for i, part in enumerate(self.states)
        }
        return {name: (column, n) for name, column in columns.items()} | states

    def _put(self, at: Tensor, obs: Tensor, mask: Tensor | None, reset: Tensor, start: Tensor) -> None:
        self.obs[at], self.reset[at], self.start[at] = obs, reset, start
        if self.mask is not None and mask is not None:
            self.mask[at] = mask
        if self.priorities is not None:
            # A sequence can begin anywhere, a single transition only where one starts.
            self.priorities.renew(at, start | (self.span > 1))

    def _advance(self, rows: Tensor) -> None:
        self.present.add_(rows).remainder_(self.length)
        # Of the oldest row, which the present step may have overwritten, nothing is used.
        self.stored.add_(rows).clamp_(max=self.length - 2)
        at = self.present * self.num_envs + self._b
        self.start[at] = False
        if self.priorities is not None:
            self.priorities.weight[at] = 0.0

    def _uniform(self, size: int, generator: torch.Generator) -> Tensor:
        """Places are drawn until enough of them hold something."""
        places = -(-self._written // self.stride) * self.num_envs
        found, missing = [], size
        while missing:
            drawn = torch.randint(places, (2 * size,), generator=generator, device=generator.device)
            first = self._first(drawn)
            first = first[self._stored_in_full(first)][:missing]
            found.append(first)
            missing -= len(first)
        return torch.cat(found)

    def _stored_in_full(self, first: Tensor) -> Tensor:
        if self.span == 1:
            return self.start[first]
        row, b = first // self.num_envs, first % self.num_envs
        age = (self.present[b] - row) % self.length
        return (age >= self.span) & (age <= self.stored[b])

    def _first(self, place: Tensor) -> Tensor:
        """The rows at which the sequences of these places begin."""
        if self.stride == 1:
            return place
        return place // self.num_envs * self.stride * self.num_envs + place % self.num_envs

    def _place(self, first: Tensor) -> Tensor:
        """Undo `_first`."""
        return first // (self.stride * self.num_envs) * self.num_envs + first % self.num_envs
