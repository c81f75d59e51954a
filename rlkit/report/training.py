"""The live view of a training run."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Mapping

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rlkit.plain import one_line
from rlkit.report.chart import chart
from rlkit.report.parts import NOTHING_KNOWN, Record, clock, number
from rlkit.report.terminal import Terminal

KNOWN = {
    "step",
    "episodes",
    "mean_return",
    "mean_length",
    "seconds",
    "steps_per_second",
    "network",
    "device",
    "settings",
    "warnings",
}
EVALUATIONS = {"eval_return", "best_return", "best_step", "stopped_early"}
ROWS = 7  # of facts
NAME, FIGURE = 15, 17  # characters of a fact, of its name and its figure, where there is room
FRAME = 4 + ROWS + 5  # lines that are neither curve nor warnings
MOST_POINTS = 2000


class TrainingView:
    """Progress of a training run: live on a terminal, a line now and then elsewhere.

    `marks` are returns to compare with, such as the optimum. What is shown keeps its place: a view is as high
    at the start as at the end.
    """

    def __init__(
        self, console: Console, *, title: str, steps: int, marks: Mapping[str, float] | None = None
    ) -> None:
        self.console, self.title, self.steps, self.marks = console, title, steps, dict(marks or {})
        self.returns: list[tuple[float, float]] = []
        self.latest: dict[str, float] = {}  # of everything that is not in every record
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
        if record.get("mean_return") is not None:
            self.returns.append((record["step"], record["mean_return"]))
            if len(self.returns) > MOST_POINTS:
                self.returns = self.returns[::2]
        self.latest |= {k: v for k, v in record.items() if k not in KNOWN and "/" not in k}
        if self.live is not None:
            self.live.update(self.panel(record), refresh=True)
            return
        for warning in record.get("warnings") or ():
            what, _, _ = warning.partition(",")
            if what not in self.warned:
                self.warned.add(what)
                message = f"rlkit: warning: {one_line(warning)}"
                Terminal(stderr=True).print(message, highlight=False, soft_wrap=True)
        if self.shown == -math.inf:
            self.console.print("\n".join(about(record)), highlight=False, soft_wrap=True)
        over = record["step"] >= self.steps or self.latest.get("stopped_early")
        if over or time.monotonic() - self.shown >= 2:
            self.shown = time.monotonic()
            self.console.print(self._line(record), highlight=False, soft_wrap=True)

    def _line(self, record: Record) -> str:
        parts = [
            f"step {record['step']}/{self.steps}",
            f"return {number(record.get('mean_return'), 4)}",
            f"{number(record['steps_per_second'], 3)} steps/s",
        ]
        if "eval_return" in self.latest:
            parts.insert(2, f"evaluation {number(self.latest['eval_return'], 4)}")
        return "  ".join(parts)

    def panel(self, record: Record) -> RenderableType:
        """The dashboard of one moment."""
        width = self.console.width - 4
        watched = record.get("warnings") is not None
        room = self.console.height - 1 - FRAME - (2 if watched else 0)
        curve = chart(
            self.returns, end=self.steps, width=width, height=max(1, min(14, room)), marks=self.marks
        )
        warnings = self._warnings(record["warnings"], width) if watched else []
        parts: list[RenderableType] = [
            self._progress(record),
            Text(),
            *curve,
            Text(),
            self._facts(record),
            *(Text(fitted(line, width), "dim") for line in about(record)),
            *warnings,
        ]
        return Panel(Group(*parts), title=Text(self.title), padding=(0, 1))

    def _progress(self, record: Record) -> Table:
        rate = record["steps_per_second"]
        left = (self.steps - record["step"]) / rate if rate else math.inf
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(justify="right", no_wrap=True)
        steps = f"{self.steps:,}"
        bar.add_row(
            ProgressBar(total=self.steps, completed=record["step"]),
            f"{record['step']:>{len(steps)},} / {steps} steps  {clock(left):>7} left",
        )
        return bar

    def _facts(self, record: Record) -> Table:
        main = [
            ("return", number(record.get("mean_return"), 5)),
            *((name, number(value, 5)) for name, value in self.marks.items()),
            ("episode length", number(record.get("mean_length"), 4)),
            ("episodes", f"{record['episodes']:,}"),
            ("steps/s", f"{record['steps_per_second']:,.0f}"),
        ]
        detail = [(k.replace("_", " "), number(v, 4)) for k, v in self.latest.items() if k not in EVALUATIONS]
        if "eval_return" in self.latest:
            main.append(("evaluation", number(self.latest["eval_return"], 4)))
            detail.insert(0, ("best so far", number(self.latest["best_return"], 4)))
        table = Table.grid(padding=(0, 2))
        figure = min(FIGURE, (self.console.width - 4 - 2 * NAME - 6) // 2)
        for width in (NAME, figure) * 2:
            table.add_column(width=width, no_wrap=True, style="dim" if width == NAME else "")
        for i in range(ROWS):
            table.add_row(
                *(main[i] if i < len(main) else ("", "")), *(detail[i] if i < len(detail) else ("", ""))
            )
        return table

    def _warnings(self, warnings: list[str], width: int) -> list[Text]:
        """The first of them in two lines, which are there if there is none as well."""
        number_of = f"1/{len(warnings)} " if len(warnings) > 1 else ""
        lines = textwrap.wrap(f"! {number_of}{warnings[0]}", width) if warnings else []
        return [Text(line, "yellow") for line in [*lines, "", ""][:2]]


def fitted(line: str, width: int) -> str:
    """As many whole words of a line as there is room for."""
    return line if cell_len(line) <= width else f"{set_cell_size(line, width - 1).rpartition(' ')[0]} …"


def about(record: Record) -> list[str]:
    """The network and the device that learn, and why these, and with which settings."""
    return [f"{name:8} {record.get(name, NOTHING_KNOWN)}" for name in ("network", "device", "settings")]
