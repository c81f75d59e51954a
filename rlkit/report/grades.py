"""How good a trained agent is: sampled returns, and percent of the optimum."""

from collections.abc import Sequence

from rlkit.report.blocks import Block, Column, Content, Facts, Paragraph, Role, Span, Table
from rlkit.report.numbers import UNKNOWN, Record, number

FIGURES = ("value", "optimum", "random", "regret", "% of optimum")
SEES = {
    "beliefs": "of an agent that remembers all it has seen",
    "hidden states": "of an agent that sees the states, though they are partially observable",
    "both players": "of the player who begins; every policy meets a best response",
}


def grade(record: Record) -> list[Block]:
    """Sampled returns, and the exact score under each objective."""
    graded = record["exact"] or record["sampled"]
    facts = _played(record)
    if graded is None:
        return [Facts((*facts, ("exact", Span(record["reason"], "quiet"))))]
    if record["return_note"]:
        facts.append(("", Span(record["return_note"], "warning")))
    scores = tuple(record["objectives"].values())
    columns = (Column("objective"), *(Column(name, "right") for name in FIGURES))
    rows = tuple(_score(s, "strong" if s["objective"] == graded["objective"] else "") for s in scores)
    blocks: list[Block] = [Facts(tuple(facts)), Table(columns, rows, stacks=True)]
    for score in scores:
        why = score["reason"] if score["percent_of_optimum"] is None else None
        if said := [words for words in (why, score["note"]) if words]:
            blocks.append(Paragraph(Span(f"{score['objective']}: {'; '.join(said)}", "warning")))
    if graded["sampled"]:
        remark = f"sampled: regret of {graded['episodes']:,} episodes of the exact model, ± 95 %"
        blocks.append(Paragraph(Span(remark, "quiet")))
    if graded["sees"] in SEES:
        blocks.append(Paragraph(Span(f"optimum: {SEES[graded['sees']]}", "quiet")))
    return blocks


def _played(record: Record) -> list[tuple[str, Content]]:
    """Who played, and what came of it."""
    about = f"{record['agent']} on {record['env_id']}, {record['steps']:,} steps, seed {record['seed']}"
    facts: list[tuple[str, Content]] = [("agent", about)]
    chosen = [f"{name}={value}" for name, value in record["env_kwargs"].items()]
    if record["evaluation_seed"] is not None:
        chosen.append(f"episodes of seed {record['evaluation_seed']}")
    if chosen:
        facts.append(("", f"graded with {', '.join(chosen)}"))
    low, high = (number(end, 5) for end in record["ci95"])
    sample = f"  95 % in [{low}, {high}] over {record['episodes']:,} episodes, {record['policy']} policy"
    facts.append(("return", (Span(number(record["mean_return"], 5), "strong"), sample)))
    if record["cut"]:
        why = f"{record['cut']:,} of them did not end and were cut; eval --max-steps N allows more"
        facts.append(("", Span(why, "warning")))
    return facts


def _score(score: Record, role: Role) -> tuple[Content, ...]:
    """The row of an objective."""
    discount = f", gamma {score['gamma']:g}" if score["gamma"] < 1 else ""
    percent = score["percent_of_optimum"]
    rounded = UNKNOWN if percent is None else f"{round(percent, 2) + 0.0:.2f}".replace("-", "−")
    cells = (
        f"{score['objective']}{discount}{', sampled' if score['sampled'] else ''}",
        *(number(score[key], 5) for key in ("value", "optimum", "random")),
        _with_error(number(score["regret"], 5), score["regret_ci95"], 3),
        _with_error(rounded, score["percent_ci95"], 2),
    )
    return tuple(Span(cell, role) for cell in cells)


def _with_error(value: str, interval: Sequence[float] | None, digits: int) -> str:
    """A number and half its interval."""
    return value if interval is None else f"{value} ± {(interval[1] - interval[0]) / 2:.{digits}g}"
