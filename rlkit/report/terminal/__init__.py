"""Reports on a terminal: the one part of rlkit that knows rich.

What is not ours is text there, never markup or a command to the terminal.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.text import Text

from rlkit.plain import plain
from rlkit.report.blocks import Block, Paragraph, Table
from rlkit.report.terminal.layout import laid_out
from rlkit.signals import reader_gone


class Terminal(Console):
    """A console that reads no markup and no emoji codes, and prints no control characters but its own.

    rich still reads markup in strings that it takes for titles and for the text of a status; give it `Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def show(self, blocks: Iterable[Block]) -> None:
        """Print the blocks with empty lines between them, except between paragraphs and beside tables."""
        before: Block | None = None
        for block in blocks:
            close = isinstance(before, Paragraph) and isinstance(block, Paragraph)
            if not (before is None or close or isinstance(before, Table) or isinstance(block, Table)):
                self.print()
            self.print(Group(*laid_out(block, self.width)))
            before = block

    def say(self, line: str) -> None:
        """Print a line without colours and without wrapping it."""
        self.print(line, highlight=False, soft_wrap=True)

    @contextmanager
    def waiting(self, words: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner with some words, which the function that this yields replaces."""
        with self.status(Text(words)) as status:
            yield lambda words: status.update(Text(words))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The parts of what is shown; rich's own commands to the terminal are marked as such."""
        for part in super().render(renderable, options):
            yield part if part.control or part.text.isprintable() else part._replace(text=plain(part.text))

    def on_broken_pipe(self) -> None:
        """Stop: whoever read the output is gone, as with `| head`."""
        reader_gone(self.file)
