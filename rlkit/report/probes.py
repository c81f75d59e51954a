"""What became of an agent on the probes."""

from collections import Counter
from collections.abc import Sequence

from rlkit.report.blocks import Block, Column, Paragraph, Role, Span, Table
from rlkit.report.numbers import UNKNOWN, Record

SHOWN: dict[str, tuple[str, Role]] = {
    "passed": ("✓", "good"),
    "failed": ("✗", "bad"),
    "refused": ("refused", "quiet"),
}
WITH_DEFAULTS = "trained with its defaults: name better options by --set, or as probe_options of its Config"
GRAVEST_FIRST = ("failed", "passed", "refused", "skipped")


def verdicts(record: Record) -> list[Block]:
    """A row a probe and a column an autoreset mode; below, what failed and what was not compared, and why."""
    cells = record["cells"]
    modes = sorted({cell["autoreset_mode"] for cell in cells})
    with_backbone = any(cell["backbone"] for cell in cells)
    columns = (
        Column("probe", role="strong", whole=True),
        *[Column("backbone", whole=True)] * with_backbone,
        *(Column(mode.replace("_", " "), "center", whole=True) for mode in modes),
        Column("what it tests", role="quiet", expendable=1),
    )
    rows = []
    for probe, backbone, rule in dict.fromkeys((c["probe"], c["backbone"], c["rule"]) for c in cells):
        own = [cell for cell in cells if (cell["probe"], cell["backbone"]) == (probe, backbone)]
        marks = [_mark([cell for cell in own if cell["autoreset_mode"] == mode]) for mode in modes]
        rows.append((probe, *[backbone or UNKNOWN] * with_backbone, *marks, rule))
    counts = Counter(cell["verdict"] for cell in cells)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in GRAVEST_FIRST if counts[verdict])
    return [
        Paragraph(Span(record["agent"], "title")),
        Table(columns, tuple(rows)),
        *_failures(cells),
        *_not_compared(cells),
        *[Paragraph(Span(WITH_DEFAULTS, "quiet"))] * (not record["options"]),
        Paragraph(summary),
    ]


def _mark(cells: Sequence[Record]) -> Span:
    """The gravest verdict of some cells."""
    found = {cell["verdict"] for cell in cells}
    verdict = next((verdict for verdict in GRAVEST_FIRST if verdict in found), "")
    return Span(*SHOWN.get(verdict, (UNKNOWN if cells else "", "quiet")))


def _failures(cells: Sequence[Record]) -> list[Paragraph]:
    """One line a failed cell: where, what was got and expected, and the rule behind it."""
    lines = []
    for cell in (cell for cell in cells if cell["verdict"] == "failed"):
        parts = (cell["backbone"], cell["autoreset_mode"].replace("_", " "), cell["interface"])
        line = f"✗ {cell['probe']} ({', '.join(filter(None, parts))}): {'; '.join(cell['findings'])}"
        lines.append(Paragraph(Span(f"{line}: {cell['rule']}", "bad")))
    return lines


def _not_compared(cells: Sequence[Record]) -> list[Paragraph]:
    """Why probes were refused or skipped, each reason once."""
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for cell in cells:
        if cell["verdict"] in ("refused", "skipped"):
            reasons.setdefault((cell["verdict"], cell["findings"][0]), {})[cell["probe"]] = None
    return [
        Paragraph(Span(f"{verdict} {', '.join(probes)}: {why}", "quiet"))
        for (verdict, why), probes in reasons.items()
    ]
