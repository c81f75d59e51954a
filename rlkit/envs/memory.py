"""Tasks that ask for memory: what is seen now does not say what to do, what was seen before does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ..core.arrays import Array, namespace
from ..core.model import Model, Step
from .knobs import KnobError, number, whole

S = TypeVar("S")
Image = npt.NDArray[np.uint8]

LARGEST_CODE = 2**62  # of a window of symbols kept as one number


class Hidden(Model[S]):
    """A partially observable task whose starts, and whose events, are equally likely."""

    hidden = True

    def start_probs(self) -> Array:
        """Every start is equally likely, [n_starts]."""
        return np.full(self.n_starts, 1 / self.n_starts)

    def start_event(self, u: Array) -> Array:
        """The equal part of [0, 1) that holds u [B]."""
        xp = namespace(u)
        return xp.astype(u * self.n_starts, xp.int64)

    def event_probs(self, state: S, action: Array) -> Array:
        """Every event is equally likely, [B, n_events]."""
        xp = namespace(action)
        shape = (action.shape[0], self.n_events)
        return xp.full(shape, 1 / self.n_events, dtype=xp.float64, device=action.device)

    def sample_event(self, state: S, action: Array, u: Array) -> Array:
        """The equal part of [0, 1) that holds u [B]."""
        xp = namespace(u)
        return xp.astype(u * self.n_events, xp.int64)


@dataclass(frozen=True)
class Window:
    """The last few symbols as the digits of one number, the present one last."""

    code: Array  # [B] int64


class RepeatPrevious(Hidden[Window]):
    """Say the symbol of `delay` steps ago; every right answer pays 1.

    Digit 0 stands for the time before the first symbol, digit i + 1 for symbol i.
    """

    def __init__(self, symbols: int, delay: int) -> None:
        self.symbols, self.delay = whole("symbols", symbols, 2), whole("delay", delay, 1)
        self.base = self.symbols + 1
        self.oldest = self.base**self.delay  # value of the oldest digit
        if self.base * self.oldest > LARGEST_CODE:
            raise KnobError(f"(symbols + 1)^(delay + 1) must be at most 2^62, not {self.base}^{delay + 1}")
        self.n_actions = self.n_events = self.n_starts = self.symbols
        self.observation_space = spaces.Discrete(self.symbols)

    def initial(self, event: Array) -> Window:
        """The first symbol."""
        return Window(event + 1)

    def transition(self, state: Window, action: Array, event: Array) -> Step[Window]:
        """Compare with the oldest digit, drop it, and show the next symbol."""
        xp = namespace(action)
        right = action + 1 == state.code // self.oldest
        code = (state.code % self.oldest) * self.base + event + 1
        return Step(Window(code), xp.astype(right, xp.float64), code < 0)

    def observe(self, state: Window) -> Array:
        """The present symbol, [B]."""
        return state.code % self.base - 1

    def text(self, state: Window) -> str:
        """The symbols of the last steps, and the one to say."""
        code = int(state.code[0])
        digits = [code // self.base**k % self.base for k in range(self.delay, -1, -1)]
        shown = " ".join("." if d == 0 else str(d - 1) for d in digits)
        return f"{shown}   say {'anything' if digits[0] == 0 else digits[0] - 1}"

    def picture(self, state: Window) -> Image:
        """The symbols of the last steps, the present one orange, the one to say green, [H, W, 3]."""
        from .drawing import AGENT, CARD, FILL, Sheet

        sheet = Sheet(1, self.delay + 1)
        for column in range(self.delay + 1):
            digit = int(state.code[0]) // self.base ** (self.delay - column) % self.base
            fill = FILL["G"] if column == 0 else AGENT if column == self.delay else CARD
            if digit:
                sheet.box((0, column), 0.42, radius=0.1, fill=fill)
                sheet.text((0, column), str(digit - 1), size=0.5)
        return sheet.pixels()


def repeat_previous(*, symbols: int = 4, delay: int = 4) -> RepeatPrevious:
    """Say at every step which symbol was shown `delay` steps before; each right answer pays 1.

    Source: Morad et al. 2023 (POPGym), Repeat Previous.
    """
    return RepeatPrevious(symbols, delay)


class SignalFilter(Hidden[Window]):
    """Say the level of a signal that is received together with delayed copies of itself.

    Digits are levels, 0 before the first. Strengths are kept in thousandths, so that equal sums are equal.
    """

    def __init__(self, levels: int, echoes: Mapping[int, float]) -> None:
        self.levels = whole("levels", levels, 2)
        if not isinstance(echoes, Mapping) or not echoes:
            raise KnobError(f"echoes must map delays to strengths, as {{3: 0.3, 4: 0.1}}, not {echoes!r}")
        self.strength = {
            whole("delays of echoes", d, 1): round(1000 * number("strengths of echoes", s, 0.001, 1000))
            for d, s in echoes.items()
        }
        self.top = self.levels ** (max(self.strength) + 1)
        if self.top > LARGEST_CODE:
            raise KnobError(f"levels^(longest delay + 1) must be at most 2^62, not {self.top}")
        self.n_actions = self.n_events = self.n_starts = self.levels
        self.loudest = (self.levels - 1) * (1000 + sum(self.strength.values())) / 1000
        self.observation_space = spaces.Box(0, np.float32(self.loudest), (1,), np.float32)

    def initial(self, event: Array) -> Window:
        """The first level, after silence."""
        return Window(event)

    def transition(self, state: Window, action: Array, event: Array) -> Step[Window]:
        """Compare with the present level, and send the next."""
        xp = namespace(action)
        right = action == state.code % self.levels
        code = state.code * self.levels % self.top + event
        return Step(Window(code), xp.astype(right, xp.float64), code < 0)

    def observe(self, state: Window) -> Array:
        """What is received: the level and its echoes, float32 [B, 1]."""
        xp = namespace(state.code)
        received = state.code % self.levels * 1000
        for delay, strength in self.strength.items():
            received = received + state.code // self.levels**delay % self.levels * strength
        return xp.astype(received[:, None] / 1000, xp.float32)

    def text(self, state: Window) -> str:
        """What is received, and the level behind it."""
        return f"received {float(self.observe(state)[0, 0]):g}   level {int(state.code[0]) % self.levels}"

    def picture(self, state: Window) -> Image:
        """The levels of the last steps as bars, and on the right what is received, [H, W, 3]."""
        from .drawing import AGENT, CARD, FILL, Sheet

        past = max(self.strength)
        sheet, height = Sheet(3, past + 2), 2.8 / self.loudest
        bars = [(int(state.code[0]) // self.levels**d % self.levels, CARD) for d in range(past, 0, -1)]
        bars += [(int(state.code[0]) % self.levels, FILL["G"]), (float(self.observe(state)[0, 0]), AGENT)]
        for column, (level, fill) in enumerate(bars):
            tall = max(0.03, level * height / 2)
            sheet.box((2.4 - tall, column), 0.36, tall=tall, fill=fill)
        return sheet.pixels()


def signal_filter(*, levels: int = 5, echoes: Mapping[int, float] | None = None) -> SignalFilter:
    """Hear a signal with its echoes, say the clean level; each right answer pays 1 (multi-path filter).

    The level of a step is one of 0 .. `levels` - 1, each equally likely, and action a says a. `echoes` maps
    delays to strengths; those of the source are 0.3 after 3 steps and 0.1 after 4. Source: Example 6.23.
    """
    return SignalFilter(levels, {3: 0.3, 4: 0.1} if echoes is None else echoes)


@dataclass(frozen=True)
class SequenceState:
    """How many numbers were shown before, where the sought one is, and the number shown now."""

    time: Array  # [B] int64; `length` when the question is asked
    where: Array  # [B] int64
    number: Array  # [B] int64


class FindTheThree(Hidden[SequenceState]):
    """Watch a sequence with exactly one 3, and name its place when asked."""

    sought = 3

    def __init__(self, length: int, largest: int) -> None:
        self.length = whole("length", length, 2, 1_000)
        self.limit = 2 * length
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
        from .drawing import AGENT, CARD, Sheet

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


@dataclass(frozen=True)
class TigerState:
    """Behind which door the tiger is, and what was heard last."""

    side: Array  # [B] int64, 0 left, 1 right
    heard: Array  # [B] int64, 0 nothing, 1 left, 2 right


class Tiger(Hidden[TigerState]):
    """Listen for a tiger behind one of two doors, and open the other."""

    n_actions, n_events, n_starts = 3, 2, 2
    action_names = ("listen", "open left", "open right")
    observation_space = spaces.Discrete(3)

    def __init__(self, accuracy: float) -> None:
        self.chance = np.array([number("accuracy", accuracy, 0.5, 1), 0.5, 0.5])  # of the first event
        self.pays = np.array([[-1.0, -1.0], [-100.0, 10.0], [10.0, -100.0]])  # [action, side]

    def initial(self, event: Array) -> TigerState:
        """Nothing heard yet; the event is the tiger's door."""
        return TigerState(event, event * 0)

    def event_probs(self, state: TigerState, action: Array) -> Array:
        """Heard rightly or wrongly; after a door, the tiger's new place, [B, 2]."""
        xp = namespace(action)
        first = self.chance[action]
        return xp.stack([first, 1 - first], axis=1)

    def sample_event(self, state: TigerState, action: Array, u: Array) -> Array:
        """Whether u [B] is beyond the probability of the first event."""
        xp = namespace(u)
        return xp.astype(u >= self.chance[action], xp.int64)

    def transition(self, state: TigerState, action: Array, event: Array) -> Step[TigerState]:
        """Hear something, or open a door and begin again."""
        xp = namespace(action)
        listened = action == 0
        side = xp.where(listened, state.side, event)
        heard = (1 + (state.side ^ event)) * listened
        return Step(TigerState(side, heard), self.pays[action, state.side], side < 0)

    def observe(self, state: TigerState) -> Array:
        """What was heard last: nothing, left, right, [B]."""
        return state.heard

    def text(self, state: TigerState) -> str:
        """Where the tiger is, and what was heard."""
        where = ("left", "right")[int(state.side[0])]
        return f"tiger {where}   heard {('nothing', 'left', 'right')[int(state.heard[0])]}"

    def picture(self, state: TigerState) -> Image:
        """Two doors, the tiger's red, and a mark before the one where it was heard, [H, W, 3]."""
        from .drawing import PADS, Sheet

        sheet, side, heard = Sheet(3, 4), int(state.side[0]), int(state.heard[0])
        for door in range(2):
            at = (0.75, 2 * door + 0.5)
            sheet.box(at, 0.7, tall=1.05, radius=0.1, fill=PADS[0 if door == side else 1])
            sheet.text(at, "tiger" if door == side else "", size=0.4)
        if heard:
            sheet.agent((2.2, 2 * heard - 1.5))
        return sheet.pixels()


def tiger(*, accuracy: float = 0.85) -> Tiger:
    """A tiger is behind one of two doors: listen for -1, or open one for 10, or -100 if it is there.

    What is heard is right with probability `accuracy`. After a door is opened the tiger takes a new place,
    and nothing is heard until one listens again; there is no end. Source: Kaelbling, Littman and Cassandra
    1998, section 5.1, where gamma is 0.95.
    """
    return Tiger(accuracy)
