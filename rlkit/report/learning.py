"""Grades of agents, what agents there are, and their settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rlkit.report.parts import Record, number, ruled


def grade(record: Record) -> RenderableType:
    """Sampled returns, and the exact score under each objective."""
    low, high = record["ci95"]
    facts = Table.grid(padding=(0, 2))
    about = f"{record['agent']} on {record['env_id']}, {record['steps']:,} steps, seed {record['seed']}"
    facts.add_row("agent", Text(about))
    chosen = [f"{name}={value}" for name, value in record["env_kwargs"].items()]
    if record["evaluation_seed"] is not None:
        chosen.append(f"episodes of seed {record['evaluation_seed']}")
    if chosen:
        facts.add_row("", Text(f"graded with {', '.join(chosen)}"))
    facts.add_row(
        "return",
        Text.assemble(
            (number(record["mean_return"], 5), "bold"),
            f"  95 % in [{number(low, 5)}, {number(high, 5)}] over {record['episodes']:,} episodes, "
            f"{record['policy']} policy",
        ),
    )
    if record["cut"]:
        why = f"{record['cut']:,} of them did not end and were cut; eval --max-steps N allows more"
        facts.add_row("", Text(why, style="yellow"))
    graded = record["exact"] or record["sampled"]
    if graded is None:
        facts.add_row("exact", Text(record["reason"], style="dim"))
        return facts
    if record["return_note"]:
        facts.add_row("", Text(record["return_note"], style="yellow"))
    remarks = []
    if graded["sampled"]:
        remarks.append(f"sampled: regret of {graded['episodes']:,} episodes of the exact model, ± 95 %")
    if graded["sees"] in KNOWN:
        remarks.append(f"optimum: {KNOWN[graded['sees']]}")
    objectives = tuple(record["objectives"].values())
    notes = [f"{score['objective']}: {'; '.join(said)}" for score in objectives if (said := _said(score))]
    return Group(
        facts,
        Scores(objectives, headline=graded["objective"]),
        *(Text(note, style="yellow") for note in notes),
        *(Text(remark, style="dim") for remark in remarks),
    )


@dataclass(frozen=True)
class Scores:
    """The scores under each objective: a table, or where that is too wide a few lines each."""

    scores: Sequence[Record]
    headline: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        wide = options.max_width >= WIDE
        table = ruled()
        for name in FIGURES:
            table.add_column(name, justify="left" if name == "objective" else "right")
        for score in self.scores:
            discount = f", gamma {score['gamma']:g}" if score["gamma"] < 1 else ""
            name = f"{score['objective']}{discount}{', sampled' if score['sampled'] else ''}"
            figures = [
                *(number(score[key], 5) for key in ("value", "optimum", "random")),
                _with_error(number(score["regret"], 5), score["regret_ci95"], 3),
                _percent(score),
            ]
            style = "bold" if score["objective"] == self.headline else ""
            if wide:
                table.add_row(*(Text(cell) for cell in (name, *figures)), style=style)
                continue
            yield Text(f"\n{name}", style=style)
            for label, cell in zip(FIGURES[1:], figures, strict=True):
                yield Padding(Text.assemble(f"{label:14}", (cell, style)), (0, 0, 0, 2))
        if wide:
            yield table


WIDE = 76  # characters from which there is room for a table
FIGURES = ("objective", "value", "optimum", "random", "regret", "% of optimum")


def _said(score: Record) -> list[str]:
    """What the percent of the optimum does not tell, and why there is none."""
    said = [score["note"]] if score["percent_of_optimum"] is not None else [score["reason"], score["note"]]
    return [note for note in said if note]


def _percent(score: Record) -> str:
    percent = score["percent_of_optimum"]
    rounded = "–" if percent is None else f"{round(percent, 2) + 0.0:.2f}".replace("-", "−")
    return _with_error(rounded, score["percent_ci95"], 2)


def _with_error(value: str, interval: Sequence[float] | None, digits: int) -> str:
    """A number and half its interval."""
    return value if interval is None else f"{value} ± {(interval[1] - interval[0]) / 2:.{digits}g}"


KNOWN = {
    "beliefs": "of an agent that remembers all it has seen",
    "hidden states": "of an agent that sees the states, which are hidden",
    "both players": "of the player who begins; every policy meets a best response",
}


def agents(records: Sequence[Record]) -> RenderableType:
    """The agents, a table for each kind of what they can observe and remember."""
    kinds: dict[str, Table] = {}
    for record in records:
        kind = kind_of(record)
        if kind not in kinds:
            kinds[kind] = ruled()
            kinds[kind].add_column("agent", style="bold", no_wrap=True)
            kinds[kind].add_column("actions", no_wrap=True)
            kinds[kind].add_column("method")
        kinds[kind].add_row(record["agent"], ", ".join(record["actions"]), record["summary"])
    return Group(*(part for kind, table in kinds.items() for part in (Text(kind, style="dim"), table)))


def kind_of(record: Record) -> str:
    """What an agent can observe, whether it can remember, and whether it heeds masks of actions."""
    observed = f"observe {', '.join(record['observations'])}"
    memory = "with or without memory" if record["memory"] else "without memory"
    masks = "heed masks of legal actions" if record["masks"] else "heed no masks"
    return f"{observed}; {memory}; {masks}"


def settings(record: Record) -> RenderableType:
    """One agent's settings, as `--set NAME=VALUE` changes them."""
    table = ruled()
    table.add_column("setting", style="bold")
    for name in ("type", "default", "meaning"):
        table.add_column(name)
    for setting in record["settings"]:
        table.add_row(*(setting[name] for name in ("name", "type", "default", "meaning")))
    return Group(Text(f"{record['agent']}: {record['summary']}"), table)
