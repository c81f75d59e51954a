"""Grades of agents, and the live view of a training run."""

from __future__ import annotations

import math
import time

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rlkit.report.parts import Record, clock, facts, number, ruled

SPARKS = "▁▂▃▄▅▆▇█"


def grade(record: Record) -> RenderableType:
    """Sampled returns, and the exact score under each objective."""
    low, high = record["ci95"]
    facts = Table.grid(padding=(0, 2))
    facts.add_row(
        "agent", f"{record['agent']} on {record['env_id']}, {record['steps']:,} steps, seed {record['seed']}"
    )
    facts.add_row(
        "return",
        Text.assemble(
            (number(record["mean_return"], 5), "bold"),
            f"  95 % in [{number(low, 5)}, {number(high, 5)}] over {record['episodes']:,} episodes, "
            f"{record['policy']} policy",
        ),
    )
    if record["cut"]:
        facts.add_row("", Text(f"{record['cut']:,} of them did not end and were cut", style="yellow"))
    if record["exact"] is None:
        facts.add_row("exact", Text(record["reason"], style="dim"))
        return facts
    table = ruled()
    for name in ("objective", "value", "optimum", "random", "regret", "% of optimum"):
        table.add_column(name, justify="left" if name == "objective" else "right")
    for name, score in record["objectives"].items():
        headline = name == record["exact"]["objective"]
        percent = score["percent_of_optimum"]
        table.add_row(
            name,
            *(number(score[key]) for key in ("value", "optimum", "random", "regret")),
            f"{percent:.2f}" if percent is not None else f"– ({score['reason']})",
            style="bold" if headline else "",
        )
    known = KNOWN.get(record["exact"]["sees"])
    return Group(facts, table, Text(f"optimum: {known}", style="dim")) if known else Group(facts, table)


KNOWN = {
    "observations": "of an agent that remembers all it has seen",
    "hidden states": "of an agent that sees the states, which are hidden",
}


class TrainingView:
    """Progress of a training run: live on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, *, title: str, steps: int) -> None:
        self.console, self.title, self.steps = console, title, steps
        self.returns: list[float] = []
        self.shown = -math.inf
        self.live = (
            Live(console=console, refresh_per_second=8, transient=False) if console.is_terminal else None
        )

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
            self.returns.append(record["mean_return"])
        if self.live is not None:
            self.live.update(self.panel(record))
        elif record["step"] >= self.steps or time.monotonic() - self.shown >= 2:
            self.shown = time.monotonic()
            self.console.print(
                f"step {record['step']}/{self.steps}  return {number(record.get('mean_return'), 4)}"
                f"  {number(record['steps_per_second'], 3)} steps/s",
                highlight=False,
                soft_wrap=True,
            )

    def panel(self, record: Record) -> RenderableType:
        """The dashboard of one moment."""
        rate = record["steps_per_second"]
        left = (self.steps - record["step"]) / rate if rate else math.inf
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(justify="right")
        bar.add_row(
            ProgressBar(total=self.steps, completed=record["step"]),
            f"{record['step']:,} / {self.steps:,} steps",
        )
        known = ("mean_return", "mean_length", "episodes")
        losses = [k for k in record if k not in {*known, "step", "seconds", "steps_per_second"}]
        main = facts(
            ("return", number(record.get("mean_return"), 5)),
            ("episode length", number(record.get("mean_length"), 4)),
            ("episodes", f"{record['episodes']:,}"),
            ("steps/s", f"{rate:,.0f}"),
            ("time left", clock(left)),
        )
        detail = facts(*((k.replace("_", " "), number(record[k], 4)) for k in losses))
        body = Columns([main, detail], padding=(0, 6))
        return Panel(Group(bar, Text(), body, Text(), self._curve()), title=self.title, padding=(1, 2))

    def _curve(self) -> Text:
        points = self.returns[-self.console.width + 30 :]
        if not points:
            return Text("return  no episode has ended yet", style="dim")
        low, high = min(points), max(points)
        scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
        line = "".join(SPARKS[round((x - low) * scale)] for x in points)
        return Text.assemble(
            ("return  ", "dim"), (line, "cyan"), (f"  {number(low, 3)} to {number(high, 3)}", "dim")
        )
