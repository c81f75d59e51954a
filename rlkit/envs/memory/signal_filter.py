"""A signal to be told from its echoes."""

from collections.abc import Mapping

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import OptionError, number, whole
from ..rendering.sheet import AGENT, CARD, FILL, Image, Sheet
from .repeat_previous import LARGEST_CODE, Window


class SignalFilter(Model[Window]):
    """Say the level of a signal that is received together with delayed copies of itself.

    Digits are levels, 0 before the first. Strengths are kept in thousandths, so that equal sums are equal.
    """

    partially_observable = True

    def __init__(self, levels: int, echoes: Mapping[int, float]) -> None:
        self.levels = whole("levels", levels, 2)
        if not isinstance(echoes, Mapping) or not echoes:
            raise OptionError(f"echoes must map delays to strengths, as {{3: 0.3, 4: 0.1}}, not {echoes!r}")
        self.strength = {
            whole("delays of echoes", d, 1): round(1000 * number("strengths of echoes", s, 0.001, 1000))
            for d, s in echoes.items()
        }
        self.top = self.levels ** (max(self.strength) + 1)
        if self.top > LARGEST_CODE:
            raise OptionError(f"levels^(longest delay + 1) must be at most 2^62, not {self.top}")
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
