"""What there is to know about environments, and what a check of one found."""

import re
from collections.abc import Iterator

from rlkit.report.blocks import Block, Column, Content, Facts, Paragraph, Span, Table
from rlkit.report.numbers import UNKNOWN, Record, number

COLUMNS = (
    Column("id", role="strong"),
    Column("sees", whole=True, expendable=1),
    Column("acts", "right", whole=True, expendable=3),
    Column("states", "right", whole=True, expendable=7),
    Column("optimum", "right", whole=True),
    Column("in limit", "right", whole=True, expendable=6),
    Column("limit", "right", whole=True, expendable=2),
    Column("memoryless", "right", whole=True, expendable=5),
    Column("random", "right", whole=True, expendable=4),
)
FINE = "nothing wrong"
FIGURES = ("optimum", "optimum_in_limit", "max_episode_steps", "memoryless", "random")
NOTE = (
    "optimum: best expected value without a time limit, at the problem's own discount; in limit: best "
    "expected return within the time limit, as graded; memoryless: best known policy that acts on the "
    "present observation alone, where the state is partially observable; random: uniformly random policy. "
    "° solved for the options that `rlkit envs ID` names."
)


def environments(record: Record) -> list[Block]:
    """One row an environment id, family by family; every figure was computed by the solvers."""
    return [Table(COLUMNS, tuple(_rows(record))), Paragraph(Span(NOTE, "quiet"))]


def _rows(record: Record) -> Iterator[tuple[Content, ...]]:
    family = None
    for r in record["environments"]:
        if r["family"] != family:
            family = r["family"]
            yield (Span(family, "title"),)
        id = r["id"].removeprefix("rlkit/").removesuffix("-v0")
        states = number(r["states"], 4) + ("°" if r["exact_options"] else " ")
        figures = (number(r[name], 4) for name in FIGURES)
        yield f" {id}", sees(r["observation"]), number(r["actions"], 4), states, *figures


def sees(space: str) -> str:
    """An observation space in a few characters."""
    kind = space.partition("(")[0]
    if kind == "Box":
        shape = space.rpartition("(")[2].partition(")")[0].strip(", ")
        return "1 number" if shape == "1" else f"{shape.replace(', ', '×')} numbers"
    if kind == "Dict":
        return "Dict(" + ", ".join(re.findall(r"'(\w+)':", space)) + ")"
    return space if len(space) <= 24 else f"{kind}(…)"


def environment(r: Record) -> list[Block]:
    """All about one environment: spaces, options, and what can be gained in it."""
    in_batches = f"{r['batch_observation']}, in batches"
    facts = (
        ("observation", r["observation"]),
        ("for agents", UNKNOWN if r["batch_observation"] in (None, r["observation"]) else in_batches),
        ("actions", "  ".join([r["action_space"], ", ".join(r["action_names"] or [])]).strip()),
        ("time limit", number(r["max_episode_steps"])),
        ("signs of a map", _legend(r["signs"]) or UNKNOWN),
        ("solved for", ", ".join(f"{k}={v}" for k, v in r["exact_options"].items()) or UNKNOWN),
        ("states", number(r["states"])),
        ("observations", number(r["observations"])),
        ("optimum", number(r["optimum"])),
        ("optimum within the limit", number(r["optimum_in_limit"])),
        ("with full observability", number(r["full_information"])),
        ("without memory", number(r["memoryless"])),
        ("random policy", number(r["random"])),
    )
    blocks: list[Block] = [
        Paragraph(Span(r["id"], "strong")),
        Paragraph("\n\n".join(r["doc"])),
        Facts(tuple(fact for fact in facts if fact[1] != UNKNOWN)),
    ]
    if r["options"]:
        columns = Column("option (--env NAME=VALUE)"), Column("default")
        blocks.append(Table(columns, tuple(r["options"].items())))
    return blocks


def _legend(signs: Record) -> str:
    """What the signs of a map stand for, those that stand for the same together."""
    alike: dict[str, str] = {}
    for sign, name in signs.items():
        if not sign.isspace():
            alike[name] = alike.get(name, "") + sign
    return ", ".join(f"{those} {name}" for name, those in alike.items())


def findings(record: Record) -> list[Block]:
    """What `rlkit check` found, part by part."""
    rows = []
    for check in record["checks"]:
        wrong = "\n".join(check["findings"])
        rows.append((check["part"], Span(wrong, "bad") if wrong else Span(check["note"] or FINE, "good")))
    return [Table((Column(record["id"]), Column("")), tuple(rows))]
