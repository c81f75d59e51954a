"""Say the symbol of some steps ago."""

from dataclasses import dataclass

from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import OptionError, whole
from ..rendering.sheet import AGENT, CARD, FILL, Image, Sheet

LARGEST_CODE = 2**62  # of a window of symbols kept as one number


@dataclass(frozen=True)
class Window:
    """The last few symbols as the digits of one number, the present one last."""

    code: Array  # [B] int64


class RepeatPrevious(Model[Window]):
    """Say the symbol of `delay` steps ago; every right answer pays 1.

    Digit 0 stands for the time before the first symbol, digit i + 1 for symbol i.
    """

    partially_observable = True

    def __init__(self, symbols: int, delay: int) -> None:
        self.symbols, self.delay = whole("symbols", symbols, 2), whole("delay", delay, 1)
        self.base = self.symbols + 1
        self.oldest = self.base**self.delay  # value of the oldest digit
        if self.base * self.oldest > LARGEST_CODE:
            raise OptionError(f"(symbols + 1)^(delay + 1) must be at most 2^62, not {self.base}^{delay + 1}")
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
