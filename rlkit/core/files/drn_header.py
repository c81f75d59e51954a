"""What stands before the model in a DRN file."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from rlkit.core.errors import ModelWarning
from rlkit.core.files.text import fail

KINDS = ("MDP", "DTMC", "POMDP")


@dataclass
class Header:
    """The sections before @model."""

    kind: str = ""
    reward_models: list[str] = field(default_factory=list)
    n_states: int = -1
    n_choices: int = -1
    lines: dict[str, int] = field(default_factory=dict)  # where each section begins

    def column(self, path: Path, chosen: str | None) -> int | None:
        """Which of a state's rewards is the one asked for; None, with a `ModelWarning`, where none is."""
        models = self.reward_models
        if chosen is not None and (chosen in models or (chosen == "" and not models)):
            return models.index(chosen) if models else 0
        if chosen is not None:
            known = ", ".join(models) or "none"
            message = f"there is no reward model {chosen!r} (reward models: {known})"
            raise fail(path, self.lines.get("reward_models", 1), message)
        if len(models) <= 1:
            return 0
        message = f"all rewards are 0, since none of the reward models {', '.join(models)} was chosen"
        warnings.warn(f"{path.name}: {message}", ModelWarning, stacklevel=6)
        return None


def read_header(path: Path, text: str) -> Header:
    """Read sections "@name: value", or "@name" with the value on the next line.

    Raises `ModelError` for kinds of models that are not supported, and for parameters and placeholders.
    """
    header, lines = Header(), text.split("\n")
    for i, line in enumerate(lines):
        if not line.startswith("@"):
            continue
        name, _, inline = line[1:].partition(":")
        name = name.strip()
        if name in header.lines:
            raise fail(path, i + 1, f"@{name} appears twice")
        header.lines[name] = i + 1
        value = inline.strip() or (lines[i + 1].strip() if i + 1 < len(lines) else "")
        if name == "type":
            header.kind = value.upper()
        elif name == "reward_models":
            header.reward_models = [] if value.startswith("@") else value.split()
        elif name in ("nr_states", "nr_choices"):
            if not (value.isascii() and value.isdigit() and len(value) < 19):
                raise fail(path, i + 1, f"@{name} must be followed by a count, not {value[:40]!r}")
            setattr(header, name.replace("nr_", "n_"), int(value))
        elif name == "parameters" and value and not value.startswith("@"):
            raise fail(path, i + 1, f"the model has parameters: {value}")
        elif name == "value_type" and "interval" in value.lower():
            raise fail(path, i + 1, f"{value}: models of intervals are not supported")
        elif name == "placeholders":
            raise fail(path, i + 1, "placeholders are not supported")
    if header.kind not in KINDS:
        message = f"{header.kind} models are not supported" if header.kind else "there is no @type"
        raise fail(path, header.lines.get("type", 1), f"{message}: it must be one of {', '.join(KINDS)}")
    if "nr_states" not in header.lines:
        raise fail(path, 1, "there is no @nr_states section")
    return header
