"""Where everything is shown: what is not ours is text there, never markup or a command to the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rlkit.plain import plain
from rlkit.signals import reader_gone


class Terminal(Console):
    """A console that reads no markup and no emoji codes, and passes on no control character but its own.

    rich still reads markup in strings that it takes for titles and for the text of a status; give it `Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The parts of what is shown; rich's own commands to the terminal are marked as such."""
        for part in super().render(renderable, options):
            yield part if part.control or part.text.isprintable() else part._replace(text=plain(part.text))

    def on_broken_pipe(self) -> None:
        """Whoever read this is gone, as with `| head`: stop."""
        reader_gone(self.file)
