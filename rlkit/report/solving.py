"""The answer of a solver: values, policy and certificate, as a table or over a map."""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rlkit.report.maps import HeatMap
from rlkit.report.parts import NOTHING_KNOWN, Record, duration, number, ruled

MOST_ROWS = 40  # states of a table shown in full
NARROWEST = 12  # characters a column of names is folded to

SEES = {
    "beliefs": "observations, and remembers them",
    "hidden states": "the states, which are hidden",
    "both players": "the states, and moves for both players",
}


def solution(record: Record) -> RenderableType:
    """The answer of a solver: value with its bounds, then Q and policy by state, or a heat map for a grid."""
    model = record["model"]
    head = Text.assemble(
        (str(model["name"]), "bold"),
        "   "
        + ", ".join(_number_of(model[what], what[:-1]) for what in ("states", "choices", "transitions")),
    )
    parts: list[RenderableType] = [head, Text()]
    if record.get("grid"):
        parts += [HeatMap(record), Text()]
    elif "q" in (shown := record.get("beliefs", record)):
        parts.append(QTable(shown))
    elif shown.get("all", True):
        parts += [Text("too large for a table: --all-values --json prints every value", style="dim"), Text()]
    parts.append(_certificate(record))
    return Group(*parts)


class QTable:
    """Q of every action in every state that has a choice, the best one marked (Table 6.37's form).

    Where the terminal is too narrow for a table, each state is a paragraph: no number is cut.
    """

    def __init__(self, record: Record) -> None:
        self.record = record

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or the paragraphs."""
        alive = [s for s, row in enumerate(self.record["q"]) if row]
        heads = ["belief" if "count" in self.record else "state"]
        heads += ["steps left"] if self.record.get("steps_left") else []
        heads += [*(f"Q {name}" for name in self.record["action_names"]), "best", "value"]
        rows = [self._row(s) for s in alive[:MOST_ROWS]]
        columns = list(zip(heads, *rows, strict=True))
        room = options.max_width - 2 * len(columns)
        widths = [
            max(cell_len(word) for word in [*head.split(), *map(str, cells)]) for head, *cells in columns
        ]
        widths[0] = min(widths[0], room - sum(widths[1:]))
        if widths[0] >= min(NARROWEST, max(cell_len(str(cell)) for cell in columns[0])):
            fits = sum(max(cell_len(str(cell)) for cell in column) for column in columns) <= room
            yield _table(heads, rows, None if fits else widths)
        else:
            for name, *cells in rows:
                facts = (f"{head} {cell}" for head, cell in zip(heads[1:], cells, strict=True))
                yield Text(str(name), style="bold", overflow="fold")
                yield Padding(Text(", ".join(facts)), (0, 0, 1, 2))
        if len(alive) > MOST_ROWS:
            yield Text(f"… and {len(alive) - MOST_ROWS:,} more (--all-values --json)", style="dim")

    def _row(self, s: int) -> list[str | Text]:
        record, best = self.record, self.record["policy"][s]
        left = record.get("steps_left")
        cells = [
            Text(number(record["q"][s].get(name)), style="bold green" if name == best else "")
            for name in record["action_names"]
        ]
        steps = [f"{left[s]:,}"] if left else []
        return [record["state_names"][s], *steps, *cells, best or NOTHING_KNOWN, number(record["values"][s])]


def _table(heads: list[str], rows: list[list[str | Text]], widths: list[int] | None) -> Table:
    table = ruled()
    for i, head in enumerate(heads):
        table.add_column(
            head,
            style="bold" if i == 0 else None,
            justify="left" if i == 0 or head == "best" else "right",
            overflow="fold",
            width=None if widths is None else widths[i],
        )
    for row in rows:
        table.add_row(*row)
    return table


def _number_of(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sought(record: Record) -> str:
    """What the solver looked for, in words."""
    steps = _number_of(record["horizon"] or 0, "step")
    objective = {
        "total": "total reward",
        "discounted": "discounted reward",
        "finite-horizon": f"reward of the first {steps}",
        "reach-prob": "probability of reaching the target"
        + (" without what is to be avoided" if record.get("avoids") else "")
        + (f" within {steps}" if record["horizon"] is not None else ""),
        "reach-reward": "reward before the target is reached",
        "average": "average reward a step",
    }[record["objective"]]
    discounts = record["objective"] in ("total", "discounted", "finite-horizon")
    gamma = f", gamma {number(record['gamma'])}" if discounts else ""
    return f"{record['direction']} {objective}{gamma}"


def _certificate(record: Record) -> RenderableType:
    start = record["initial"]
    sign = (
        Text("certified", style="bold green")
        if record["converged"]
        else Text("NOT CERTIFIED", style="bold red")
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_row("objective", sought(record))
    facts.add_row(
        "value",
        Text.assemble(
            (number(start["value"], 8), "bold"),
            f" in [{number(start['lower'], 8)}, {number(start['upper'], 8)}]  ",
            sign,
        ),
    )
    if record.get("fraction"):
        facts.add_row("exactly", record["fraction"].replace("-", "−"))
    facts.add_row(
        "method",
        f"{record['method']}, {_number_of(record['sweeps'], 'sweep')}, {duration(record['seconds'])}",
    )
    facts.add_row("because", record["reason"])
    if record.get("sees") in SEES:
        facts.add_row("sees", SEES[record["sees"]])
    if record.get("beliefs"):
        facts.add_row("beliefs", _counted(record["beliefs"]))
        facts.add_row("if states were seen", number(record["full_information"]["value"], 8))
    return facts


def _counted(beliefs: Record) -> str:
    """How many beliefs there are, and how many of them no longer ask for an action."""
    count = f"{beliefs['count']:,}"
    if not beliefs["all"]:
        return f"{count}, of more"
    over = sum(not row for row in beliefs.get("q", []))
    return f"{count}, {over:,} of them with nothing left to do" if over else count
