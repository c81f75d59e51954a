"""What became of an agent on the probes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from rlkit.report.parts import NOTHING_KNOWN, Record, ruled

SHOWN = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "refused": ("refused", "dim")}
GRAVEST_FIRST = ("failed", "passed", "refused", "skipped")


def verdicts(record: Record) -> RenderableType:
    """A row a probe and a column an autoreset mode; below, what failed and what was not compared, and why."""
    cells = record["cells"]
    modes = list(dict.fromkeys(cell["autoreset_mode"] for cell in cells))
    with_backbone = any(cell["backbone"] for cell in cells)
    table = ruled()
    table.add_column("probe", style="bold", no_wrap=True)
    if with_backbone:
        table.add_column("backbone", no_wrap=True)
    for mode in sorted(modes):
        table.add_column(mode.replace("_", " "), justify="center", no_wrap=True)
    table.add_column("what it tests", style="dim")
    rows = dict.fromkeys((cell["probe"], cell["backbone"], cell["rule"]) for cell in cells)
    for probe, backbone, rule in rows:
        own = [cell for cell in cells if (cell["probe"], cell["backbone"]) == (probe, backbone)]
        marks = [_mark([cell for cell in own if cell["autoreset_mode"] == mode]) for mode in sorted(modes)]
        table.add_row(probe, *[backbone or NOTHING_KNOWN] * with_backbone, *marks, rule)
    return Group(
        Text(record["agent"], "bold magenta"),
        table,
        *_failures(cells),
        *_not_compared(cells),
        _summary(cells),
    )


def _mark(cells: Sequence[Record]) -> Text:
    """The gravest verdict of some cells."""
    found = {cell["verdict"] for cell in cells}
    verdict = next((verdict for verdict in GRAVEST_FIRST if verdict in found), "")
    text, style = SHOWN.get(verdict, ("" if not cells else NOTHING_KNOWN, "dim"))
    return Text(text, style)


def _failures(cells: Sequence[Record]) -> list[Text]:
    """One line a failed cell: where, what was got and expected, and the rule behind it."""
    lines = []
    for cell in cells:
        if cell["verdict"] == "failed":
            parts = (cell["backbone"], cell["autoreset_mode"].replace("_", " "), cell["face"])
            where = ", ".join(part for part in parts if part)
            found = "; ".join(cell["findings"])
            lines.append(Text(f"✗ {cell['probe']} ({where}): {found}: {cell['rule']}", "red"))
    return lines


def _not_compared(cells: Sequence[Record]) -> list[Text]:
    """Why probes were refused or skipped, each reason once."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for cell in cells:
        if cell["verdict"] in ("refused", "skipped"):
            reasons.setdefault((cell["verdict"], cell["findings"][0]), {})[cell["probe"]] = None
    return [
        Text(f"{verdict} {', '.join(probes)}: {why}", "dim") for (verdict, why), probes in reasons.items()
    ]


def _summary(cells: Sequence[Record]) -> Text:
    counts = Counter(cell["verdict"] for cell in cells)
    return Text(", ".join(f"{counts[verdict]} {verdict}" for verdict in GRAVEST_FIRST if counts[verdict]))
