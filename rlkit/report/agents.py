"""What agents there are, and their options."""

from rlkit.report.blocks import Block, Column, Content, Paragraph, Span, Table
from rlkit.report.numbers import Record


def agents(record: Record) -> list[Block]:
    """The agents, a table for each kind."""
    kinds: dict[str, list[tuple[Content, ...]]] = {}
    for r in record["agents"]:
        kinds.setdefault(kind_of(r), []).append((r["agent"], ", ".join(r["actions"]), r["summary"]))
    columns = (Column("agent", role="strong", whole=True), Column("actions", whole=True), Column("method"))
    return [
        block
        for kind, rows in kinds.items()
        for block in (Paragraph(Span(kind, "quiet")), Table(columns, tuple(rows)))
    ]


def kind_of(record: Record) -> str:
    """What an agent can observe, whether it can have memory, and whether it respects action masks."""
    observed = f"observe {', '.join(record['observations'])}"
    memory = "with or without memory" if record["memory"] else "without memory"
    masks = "respect action masks" if record["masks"] else "ignore action masks"
    return f"{observed}; {memory}; {masks}"


def options(record: Record) -> list[Block]:
    """One agent's options, as `--set NAME=VALUE` changes them."""
    columns = (Column("option", role="strong", whole=True), *map(Column, ("type", "default", "meaning")))
    rows = tuple(
        (r["name"], r["type"], r["default"], ": ".join(filter(None, (r["meaning"], ", ".join(r["choices"])))))
        for r in record["options"]
    )
    return [Paragraph(f"{record['agent']}: {record['summary']}"), Table(columns, rows)]
