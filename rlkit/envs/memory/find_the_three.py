"""Where in a sequence was the 3?"""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import whole
from ..rendering.sheet import AGENT, CARD, Image, Sheet


@dataclass(frozen=True)
class SequenceState:
    """How many numbers were shown before, where the sought one is, and the number shown now."""

    time: Array  # [B] int64; `length` when the question is asked
    where: Array  # [B] int64
    number: Array  # [B] int64


class FindTheThree(Model[SequenceState]):
    """Watch a sequence with exactly one 3, and name its place when asked."""

    partially_observable = True
    sought = 3

    def __init__(self, length: int, largest: int) -> None:
        self.length = whole("length", length, 2, 1_000)
        self.max_episode_steps = 2 * length
        largest = whole("largest", largest, self.sought, 1_000)
        self.others = np.array([x for x in range(-largest, largest + 1) if x != self.sought])
        self.n_actions, self.n_events = self.length, len(self.others)
        self.n_starts = self.length * self.n_events
        low, high = np.array([-largest, 0]), np.array([largest, 1])
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))

    def initial(self, event: Array) -> SequenceState:
        """The first number; the event says where the 3 is, and which number is first if it is not."""
        where = event // self.n_events
        return SequenceState(event * 0, where, self._number(event * 0, where, event % self.n_events))

    def transition(self, state: SequenceState, action: Array, event: Array) -> Step[SequenceState]:
        """Show the next number; at the question, end."""
        xp = namespace(action)
        asked = state.time >= self.length
        reward = xp.astype(asked & (action == state.where), xp.float64)
        time = state.time + 1
        return Step(SequenceState(time, state.where, self._number(time, state.where, event)), reward, asked)

    def observe(self, state: SequenceState) -> Array:
        """The number, and whether the question is asked, float32 [B, 2]."""
        xp = namespace(state.number)
        asked = xp.astype(state.time == self.length, xp.int64)
        return xp.astype(xp.stack([state.number, asked], axis=1), xp.float32)

    def text(self, state: SequenceState) -> str:
        """The number shown, or the question."""
        if int(state.time[0]) == self.length:
            return f"where was the {self.sought}?   at {int(state.where[0])}"
        return f"{int(state.time[0])}: {int(state.number[0])}"

    def picture(self, state: SequenceState) -> Image:
        """A tile for each number, the one that is shown open; question marks in the end, [H, W, 3]."""
        sheet, time = Sheet(1, self.length), int(state.time[0])
        for column in range(self.length):
            sheet.box((0, column), 0.42, radius=0.1, fill=AGENT if column == time else CARD)
            mark = "?" if time == self.length else str(int(state.number[0])) if column == time else ""
            sheet.text((0, column), mark, size=0.45)
        return sheet.pixels()

    def _number(self, time: Array, where: Array, event: Array) -> Array:
        shown = namespace(time).where(time == where, self.sought, self.others[event])
        return shown * (time < self.length)


def find_the_three(*, length: int = 5, largest: int = 9) -> FindTheThree:
    """Numbers are shown one by one, one of them is 3; asked afterwards, name its place for a reward of 1.

    The other numbers are drawn from -`largest` .. `largest`. Action a says that number a, counted from 0,
    was the 3; before the question it has no effect. Source: Example 6.26.
    """
    return FindTheThree(length, largest)
