"""The answer of a solver: values, policy and certificate, as a table or over a map."""

from rlkit.report.blocks import Block, Column, Content, Facts, Paragraph, Span, Table
from rlkit.report.maps import grid
from rlkit.report.numbers import UNKNOWN, Record, counted, duration, number

MOST_ROWS = 40  # states of a table shown in full

SEES = {
    "beliefs": "observations, and remembers them",
    "hidden states": "the states, though they are partially observable",
    "both players": "the states, and moves for both players",
}


def solution(record: Record) -> list[Block]:
    """The answer of a solver: value with its bounds, then Q and policy by state, or a heat map for a grid."""
    model = record["model"]
    sizes = ", ".join(counted(model[what], what[:-1]) for what in ("states", "choices", "transitions"))
    blocks: list[Block] = [Paragraph((Span(str(model["name"]), "strong"), f"   {sizes}"))]
    if record.get("grid"):
        blocks.append(grid(record))
    elif "q" in (shown := record.get("beliefs", record)):
        blocks += q_table(shown)
    elif shown.get("all", True):
        blocks.append(_quiet("too large for a table: --all-values --json prints every value"))
    return [*blocks, _certificate(record)]


def q_table(record: Record) -> list[Block]:
    """Q of every action in every state that has a choice, the best one marked (Table 6.37's form)."""
    alive = [s for s, row in enumerate(record["q"]) if row]
    left = record.get("steps_left")
    numbers = [*(["steps left"] if left else []), *(f"Q {name}" for name in record["action_names"])]
    columns = (
        Column("belief" if "count" in record else "state", role="strong"),
        *(Column(name, "right") for name in numbers),
        Column("best"),
        Column("value", "right"),
    )
    rows = tuple(_row(record, s) for s in alive[:MOST_ROWS])
    table = Table(columns, rows, stacks=True)
    more = len(alive) - MOST_ROWS
    return [table, *([_quiet(f"… and {more:,} more (--all-values --json)")] if more > 0 else [])]


def _row(record: Record, s: int) -> tuple[Content, ...]:
    best, q = record["policy"][s], record["q"][s]
    left = record.get("steps_left")
    return (
        record["state_names"][s],
        *([f"{left[s]:,}"] if left else []),
        *(Span(number(q.get(name)), "good" if name == best else "") for name in record["action_names"]),
        best or UNKNOWN,
        number(record["values"][s]),
    )


def _quiet(text: str) -> Paragraph:
    return Paragraph(Span(text, "quiet"))


def sought(record: Record) -> str:
    """What the solver looked for, in words."""
    steps = counted(record["horizon"] or 0, "step")
    objective = {
        "total": "total reward",
        "discounted": "discounted reward",
        "finite-horizon": f"reward of the first {steps}",
        "reach-prob": "probability of reaching the target"
        + (" before any state to avoid" if record.get("avoids") else "")
        + (f" within {steps}" if record["horizon"] is not None else ""),
        "reach-reward": "reward before the target is reached",
        "average": "average reward per step",
    }[record["objective"]]
    discounts = record["objective"] in ("total", "discounted", "finite-horizon")
    gamma = f", gamma {number(record['gamma'])}" if discounts else ""
    return f"{record['direction']} {objective}{gamma}"


def _certificate(record: Record) -> Facts:
    start = record["initial"]
    bounds = f" in [{number(start['lower'], 8)}, {number(start['upper'], 8)}]  "
    certified = Span("certified", "good") if record["converged"] else Span("NOT CERTIFIED", "bad")
    rows: list[tuple[str, Content]] = [
        ("objective", sought(record)),
        ("value", (Span(number(start["value"], 8), "strong"), bounds, certified)),
    ]
    if record["objective"] == "total" and start["value"] in ("inf", "-inf"):
        rows.append(("", "the total has no end; --gamma 0.99 or --horizon N makes it finite"))
    if record.get("fraction"):
        rows.append(("exactly", record["fraction"].replace("-", "−")))
    how = (record["method"], counted(record["sweeps"], "sweep"), duration(record["seconds"]))
    rows += [("method", ", ".join(how)), ("because", record["reason"])]
    if record.get("sees") in SEES:
        rows.append(("sees", SEES[record["sees"]]))
    if record.get("beliefs"):
        rows.append(("beliefs", _beliefs(record["beliefs"])))
        rows.append(("fully observable", number(record["full_information"]["value"], 8)))
    return Facts(tuple(rows))


def _beliefs(beliefs: Record) -> str:
    """How many beliefs there are, and how many of them no longer ask for an action."""
    count = f"{beliefs['count']:,}"
    if not beliefs["all"]:
        return f"{count}, of more"
    over = sum(not row for row in beliefs.get("q", []))
    return f"{count}, {over:,} of them with nothing left to do" if over else count
