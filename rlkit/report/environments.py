"""What there is to know about environments, and what a check of one found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rlkit.report.parts import NOTHING_KNOWN, Record, number, ruled


@dataclass(frozen=True)
class Environments:
    """One row an environment id, family by family; every figure was computed by the solvers."""

    records: Sequence[Record]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for dropped in range(len(DROPPED) + 1):
            table = self._table([name for name in COLUMNS if name not in DROPPED[:dropped]])
            if console.measure(table, options=options.update(width=WIDEST)).maximum <= options.max_width:
                break
        yield table
        yield Text(NOTE, style="dim")

    def _table(self, columns: Sequence[str]) -> Table:
        table = ruled()
        table.add_column("id", style="bold", overflow="fold")
        for key in columns:
            table.add_column(COLUMNS[key], justify="left" if key == "sees" else "right", no_wrap=True)
        family = None
        for r in self.records:
            if r["family"] != family:
                family = r["family"]
                table.add_row(Text(family, "bold magenta"))
            id = r["id"].removeprefix("rlkit/").removesuffix("-v0")
            table.add_row(f" {id}", *(_cell(r, key) for key in columns))
        return table


WIDEST = 10_000  # characters, in which every table has room
COLUMNS = {
    "sees": "sees",
    "actions": "acts",
    "states": "states",
    "optimum": "optimum",
    "optimum_in_limit": "in limit",
    "max_episode_steps": "limit",
    "memoryless": "memoryless",
    "random": "random",
}
# Where there is no room, the first goes first.
DROPPED = ("sees", "max_episode_steps", "actions", "random", "memoryless", "optimum_in_limit", "states")
NOTE = (
    "optimum: best expected value without a time limit, at the problem's own discount; in limit: best "
    "expected return within the limit of steps, as graded; "
    "memoryless: the best known by the present observation alone, where that hides the state; random: of the "
    "uniform policy. ° solved for knobs that `rlkit envs ID` names."
)


def _cell(r: Record, key: str) -> str:
    if key == "sees":
        return sees(r["observation"])
    solved_for = "" if key != "states" else "°" if r["exact_knobs"] else " "
    return number(r[key], 4) + solved_for


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
        ("for agents", _unlike(r["batch_observation"], r["observation"])),
        ("actions", "  ".join([r["action_space"], ", ".join(r["action_names"] or [])]).strip()),
        ("time limit", number(r["max_episode_steps"])),
        ("signs of a map", _legend(r["signs"]) or NOTHING_KNOWN),
        ("exactly, for", ", ".join(f"{k}={v}" for k, v in r["exact_knobs"].items()) or NOTHING_KNOWN),
        ("states", number(r["states"])),
        ("observations", number(r["observations"])),
        ("optimum", number(r["optimum"])),
        ("optimum within the limit", number(r["optimum_in_limit"])),
        ("if the state were seen", number(r["full_information"])),
        ("without memory", number(r["memoryless"])),
        ("random policy", number(r["random"])),
    ):
        if value != NOTHING_KNOWN:
            facts.add_row(key, value)
    parts: list[RenderableType] = [Text(r["id"], style="bold"), Text("\n\n".join(r["doc"])), Text(), facts]
    if r["knobs"]:
        knobs = ruled()
        knobs.add_column("knob (--env NAME=VALUE)")
        knobs.add_column("default")
        for name, default in r["knobs"].items():
            knobs.add_row(name, default)
        parts += [Text(), knobs]
    return Group(*parts)


def _unlike(batch: str | None, single: str) -> str:
    """What a batch observes, where that is not what one environment does."""
    return NOTHING_KNOWN if batch in (None, single) else f"{batch}, in batches"


def _legend(signs: Record) -> str:
    """What the signs of a map stand for, those that stand for the same together."""
    alike: dict[str, str] = {}
    for sign, name in signs.items():
        if not sign.isspace():
            alike[name] = alike.get(name, "") + sign
    return ", ".join(f"{those} {name}" for name, those in alike.items())


def findings(record: Record) -> RenderableType:
    """What `rlkit check` found, part by part."""
    table = ruled()
    for column in (record["id"], ""):
        table.add_column(column)
    for check in record["checks"]:
        said = Text("\n".join(check["findings"]), "red") or Text(check["note"] or "nothing wrong", "green")
        table.add_row(check["part"], said)
    return table
