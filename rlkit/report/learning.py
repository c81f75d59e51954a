"""Grades of agents, what agents there are, and their settings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rlkit.report.parts import Record, number, ruled


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
        discount = f", gamma {score['gamma']:g}" if score["gamma"] < 1 else ""
        table.add_row(
            f"{name}{discount}{', sampled' if score['sampled'] else ''}",
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
