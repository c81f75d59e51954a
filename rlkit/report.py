"""What the command line shows, made from plain records: tables, heat maps, a live view of training."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

Record = Mapping[str, Any]

MOST_ROWS = 40  # states of a table shown in full
ARROWS = {
    "left": "←",
    "down": "↓",
    "right": "→",
    "up": "↑",
    "south": "↓",
    "north": "↑",
    "east": "→",
    "west": "←",
}
NOTHING_KNOWN = "–"
NOTHING = 1e-14  # what rounding leaves of a difference that is 0
SPARKS = "▁▂▃▄▅▆▇█"
HEAT = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # low to high


def number(x: float | str | None, digits: int = 6) -> str:
    """A number for people: six digits, and a dash where there is none."""
    if x is None:
        return NOTHING_KNOWN
    if isinstance(x, str):
        return x
    if abs(x) < NOTHING:
        return "0"
    if 10.0**digits <= abs(x) < 1e9:
        return f"{x:,.0f}".replace("-", "−")
    small = abs(x) < 1e-3 and digits <= 4
    return (f"{x:.1e}" if small else f"{x:.{digits}g}").replace("-", "−")


SEES = {
    "beliefs": "observations, and remembers them: each state here is a belief",
    "states": "the states, which the environment hides",
}


def solution(record: Record) -> RenderableType:
    """The answer of a solver: value with its bounds, then Q and policy by state, or a heat map for a grid."""
    model = record["model"]
    head = Text.assemble(
        (str(model["name"]), "bold"),
        f"   {model['states']:,} states, {model['choices']:,} choices, {model['transitions']:,} transitions",
    )
    parts: list[RenderableType] = [head, Text()]
    if record.get("grid"):
        parts += [heat_map(record), Text()]
    elif "q" in record:
        parts.append(q_table(record))
    parts.append(_certificate(record))
    return Group(*parts)


def q_table(record: Record) -> RenderableType:
    """Q of every action in every state that has a choice, the best one marked (Table 6.37's form)."""
    alive = [s for s, row in enumerate(record["q"]) if row]
    table = _table()
    table.add_column("state", style="bold")
    for name in record["action_names"]:
        table.add_column(f"Q {name}", justify="right")
    table.add_column("best")
    table.add_column("value", justify="right")
    for s in alive[:MOST_ROWS]:
        row, best = record["q"][s], record["policy"][s]
        cells = [
            Text(number(row.get(name)), style="bold green" if name == best else "")
            for name in record["action_names"]
        ]
        table.add_row(record["state_names"][s], *cells, str(best), number(record["values"][s]))
    if len(alive) <= MOST_ROWS:
        return table
    return Group(
        table, Text(f"… and {len(alive) - MOST_ROWS:,} more states (--all-values --json)", style="dim")
    )


def heat_map(record: Record) -> RenderableType:
    """Values of a grid as colours, with the policy's arrow and the value in each cell."""
    rows, cells = record["grid"]["rows"], record["grid"]["cells"]
    finite = [v for row in cells for s in row if s is not None and (v := _value(record, s)) is not None]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    room = 80 // len(rows[0])
    width = min(room, 7) if room >= 6 else 2
    lines = []
    for row, states in zip(rows, cells, strict=True):
        line, under = Text(), Text()
        for kind, s in zip(row, states, strict=True):
            label, style, value = _cell(record, kind, s, low, high)
            line.append(f"{label:^{width}}", style)
            under.append(f"{value:^{width}}", style)
        lines += [line, under] if width > 2 else [line]
    return Group(*lines)


def _cell(record: Record, kind: str, s: int | None, low: float, high: float) -> tuple[str, Style, str]:
    if s is None:
        return "", Style(bgcolor="grey23"), ""
    if kind == "C":  # the cliff, from which one is sent back
        return "C", Style(bgcolor="grey15", color="grey70"), ""
    if record["policy"][s] is None:
        ends = {"G": ("G", Style(bgcolor="green4", color="white", bold=True))}
        label, style = ends.get(kind, (kind, Style(bgcolor="grey15", color="grey70")))
        return label, style, ""
    value = _value(record, s)
    share = 0.5 if value is None or high == low else (value - low) / (high - low)
    style = Style.parse(f"{'black' if share > 0.45 else 'white'} on {_heat(share)}")
    arrow = ARROWS.get(record["policy"][s], str(record["policy"][s])[:2])
    return arrow, style, number(record["values"][s], 3)


def _heat(share: float) -> str:
    """Colour of a number between 0 and 1, between the neighbouring ones of `HEAT`."""
    place = share * (len(HEAT) - 1)
    k = min(int(place), len(HEAT) - 2)
    red, green, blue = (round(a + (place - k) * (b - a)) for a, b in zip(HEAT[k], HEAT[k + 1], strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _value(record: Record, s: int) -> float | None:
    value = record["values"][s]
    return None if isinstance(value, str) or record["policy"][s] is None else value


def _certificate(record: Record) -> RenderableType:
    start = record["initial"]
    sign = (
        Text("certified", style="bold green")
        if record["converged"]
        else Text("NOT CERTIFIED", style="bold red")
    )
    objective = {
        "total": "total reward",
        "discounted": "discounted reward",
        "finite-horizon": f"reward of the first {record['horizon']} steps",
        "reach-prob": "probability of reaching the target",
        "reach-reward": "reward before the target is reached",
        "average": "average reward a step",
    }[record["objective"]]
    facts = Table.grid(padding=(0, 2))
    facts.add_row("objective", f"{record['direction']} {objective}, gamma {number(record['gamma'])}")
    facts.add_row(
        "value",
        Text.assemble(
            (number(start["value"], 8), "bold"),
            f" in [{number(start['lower'], 8)}, {number(start['upper'], 8)}]  ",
            sign,
        ),
    )
    sweeps = "1 sweep" if record["sweeps"] == 1 else f"{record['sweeps']:,} sweeps"
    if record.get("fraction"):
        facts.add_row("exactly", record["fraction"].replace("-", "−"))
    facts.add_row("method", f"{record['method']}, {sweeps}, {1000 * record['seconds']:.3g} ms")
    facts.add_row("because", record["reason"])
    if record.get("sees"):
        facts.add_row("sees", SEES[record["sees"]])
    return facts


@dataclass(frozen=True)
class Environments:
    """One row an environment id, family by family; every figure was computed by the solvers."""

    records: Sequence[Record]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        wide = options.max_width >= WIDE
        table = _table()
        table.add_column("id", style="bold", no_wrap=True)
        if wide:
            table.add_column("sees", no_wrap=True)
        columns = COLUMNS if wide else {k: v for k, v in COLUMNS.items() if k != "max_episode_steps"}
        for name in columns.values():
            table.add_column(name, justify="right", no_wrap=True)
        family = None
        for r in self.records:
            if r["family"] != family:
                family = r["family"]
                table.add_row(Text(family, "bold magenta"))
            seen = [sees(r["observation"])] if wide else []
            id = r["id"].removeprefix("rlkit/").removesuffix("-v0")
            cells = {key: number(r[key], 4) for key in columns}
            cells["states"] += "°" if r["exact_knobs"] else " "
            table.add_row(f" {id}", *seen, *cells.values())
        yield table
        yield Text(NOTE, style="dim")


WIDE = 110  # characters from which there is room for every column
COLUMNS = {
    "actions": "acts",
    "states": "states",
    "optimum": "optimum",
    "optimum_in_limit": "in limit",
    "max_episode_steps": "limit",
    "memoryless": "memoryless",
    "random": "random",
}
NOTE = (
    "optimum: best expected return, at the problem's own discount; in limit: within its limit of steps; "
    "memoryless: the best known by the present observation alone, where that hides the state; random: of the "
    "uniform policy. ° solved for knobs that `rlkit envs ID` names."
)


def sees(space: str) -> str:
    """An observation space in a few characters."""
    kind = space.partition("(")[0]
    if kind == "Box":
        shape = space.rpartition("(")[2].partition(")")[0].strip(", ")
        return f"{shape.replace(', ', '×')} numbers"
    if kind == "Dict":
        return "Dict(" + ", ".join(re.findall(r"'(\w+)':", space)) + ")"
    return space if len(space) <= 24 else f"{kind}(…)"


def environment(r: Record) -> RenderableType:
    """All about one environment: spaces, knobs, and what can be gained in it."""
    facts = Table.grid(padding=(0, 2))
    for key, value in (
        ("observation", r["observation"]),
        ("actions", "  ".join([r["action_space"], ", ".join(r["action_names"] or [])]).strip()),
        ("time limit", number(r["max_episode_steps"])),
        ("exactly, for", ", ".join(f"{k}={v}" for k, v in r["exact_knobs"].items()) or NOTHING_KNOWN),
        ("states", number(r["states"])),
        ("observations", number(r["observations"])),
        ("optimum", number(r["optimum"])),
        ("optimum in the limit", number(r["optimum_in_limit"])),
        ("if the state were seen", number(r["full_information"])),
        ("without memory", number(r["memoryless"])),
        ("random policy", number(r["random"])),
    ):
        if value != NOTHING_KNOWN:
            facts.add_row(key, value)
    parts: list[RenderableType] = [Text(r["id"], style="bold"), Text("\n\n".join(r["doc"])), Text(), facts]
    if r["knobs"]:
        knobs = _table()
        knobs.add_column("knob (--env NAME=VALUE)")
        knobs.add_column("default")
        for name, default in r["knobs"].items():
            knobs.add_row(name, default)
        parts += [Text(), knobs]
    return Group(*parts)


def findings(record: Record) -> RenderableType:
    """What `rlkit check` found, part by part."""
    table = _table()
    for column in (record["id"], ""):
        table.add_column(column)
    for check in record["checks"]:
        found = check["findings"]
        table.add_row(
            check["part"], Text("\n".join(found), "red") if found else Text("nothing wrong", "green")
        )
    return table


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
    table = _table()
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
        main = _facts(
            ("return", number(record.get("mean_return"), 5)),
            ("episode length", number(record.get("mean_length"), 4)),
            ("episodes", f"{record['episodes']:,}"),
            ("steps/s", f"{rate:,.0f}"),
            ("time left", _clock(left)),
        )
        detail = _facts(*((k.replace("_", " "), number(record[k], 4)) for k in losses))
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


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def _facts(*rows: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for key, value in rows:
        table.add_row(key, value)
    return table


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
