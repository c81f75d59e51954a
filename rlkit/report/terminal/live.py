"""The live view of a training run.

Everything keeps its place: facts and warnings have a fixed number of lines, the curve gets what the
terminal has left, and what has no room is left out.
"""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rlkit.plain import one_line
from rlkit.report.blocks import text_of
from rlkit.report.numbers import Record, clock
from rlkit.report.terminal import Terminal
from rlkit.report.terminal.curve import chart
from rlkit.report.training import Progress

ROWS = 7  # of facts
NAME, FIGURE = 15, 17  # characters of a fact, of its name and its figure, where there is room
FRAME = 4 + ROWS + 5  # lines that are neither curve nor warnings
HIGHEST = 14  # lines of the curve
PAUSE = 2  # seconds between two lines, without a terminal


class TrainingView:
    """Progress of a training run: a live view on a terminal, a line now and then elsewhere."""

    def __init__(
        self, console: Terminal, *, title: str, steps: int, marks: Mapping[str, float] | None = None
    ) -> None:
        self.console, self.title = console, title
        self.progress = Progress(steps=steps, marks=marks)
        self.warned: set[str] = set()
        self.shown = -math.inf
        self.live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> TrainingView:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.live is not None:
            self.live.stop()

    def __call__(self, record: Record) -> None:
        """Show a progress record; without a terminal at most one every two seconds, and the last."""
        self.progress.add(record)
        if self.live is not None:
            self.live.update(self.panel(), refresh=True)
            return
        for warning in record.get("warnings") or ():
            what, _, _ = warning.partition(",")
            if what not in self.warned:
                self.warned.add(what)
                Terminal(stderr=True).say(f"rlkit: warning: {one_line(warning)}")
        with suppress(OSError):  # a full disk, which ends no training
            if self.shown == -math.inf:
                self.console.say("\n".join(self._about()))
            if self.progress.over or time.monotonic() - self.shown >= PAUSE:
                self.shown = time.monotonic()
                self.console.say(self.progress.line())

    def panel(self) -> RenderableType:
        """The dashboard of this moment."""
        width = self.console.width - 4
        warnings = self.progress.record.get("warnings")
        room = self.console.height - 1 - FRAME - (0 if warnings is None else 2)
        parts: list[RenderableType] = [
            self._bar(),
            Text(),
            *chart(self.progress.curve(), width=width, height=max(1, min(HIGHEST, room))),
            Text(),
            self._facts(),
            *(Text(fitted(line, width), "dim") for line in self._about()),
            *([] if warnings is None else _two_lines(warnings, width)),
        ]
        return Panel(Group(*parts), title=Text(self.title), padding=(0, 1))

    def _bar(self) -> Table:
        step, steps = self.progress.record["step"], f"{self.progress.steps:,}"
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(justify="right", no_wrap=True)
        left = clock(self.progress.seconds_left)
        bar.add_row(
            ProgressBar(total=self.progress.steps, completed=step),
            f"{step:>{len(steps)},} / {steps} steps  {left:>7} left",
        )
        return bar

    def _facts(self) -> Table:
        """Two columns of facts."""
        table = Table.grid(padding=(0, 2))
        room = min(FIGURE, (self.console.width - 4 - 2 * NAME - 6) // 2)
        for width in (NAME, room) * 2:
            table.add_column(width=width, no_wrap=True, style="dim" if width == NAME else "")
        sides = (self.progress.figures().rows, self.progress.details().rows)
        for rows in [*zip_longest(*sides, fillvalue=("", "")), *[(("", ""),)] * ROWS][:ROWS]:
            table.add_row(*(part for name, figure in rows for part in (name, text_of(figure))))
        return table

    def _about(self) -> list[str]:
        return [f"{name:8} {text_of(what)}" for name, what in self.progress.about().rows]


def _two_lines(warnings: list[str], width: int) -> list[Text]:
    """The first warning in two lines, which are empty if there is none."""
    which = f"1/{len(warnings)} " if len(warnings) > 1 else ""
    lines = textwrap.wrap(f"! {which}{warnings[0]}", width) if warnings else []
    return [Text(line, "yellow") for line in [*lines, "", ""][:2]]


def fitted(line: str, width: int) -> str:
    """As many whole words of a line as there is room for."""
    return line if cell_len(line) <= width else f"{set_cell_size(line, width - 1).rpartition(' ')[0]} …"
