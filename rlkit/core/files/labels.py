"""Label files (.lab), as PRISM and as older versions of Storm write them."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from rlkit.core.files.text import Block, fail, no_state, open_reader, split_blocks
from rlkit.core.mdp import IntArray

DECLARATION = re.compile(r'(\d{1,18})="([^"]*)"')
STORM = b"#DECLARATION"  # the first line of Storm's own files, whose second line names the labels


def read_labels(path: Path, n_states: int) -> dict[str, IntArray]:
    """The states of each label, from a .lab file."""
    blocks = split_blocks(path, comment=b"#")
    head = next(blocks, None)
    if head is None:
        raise fail(path, 1, "there are no labels")
    line = int(head.line[0])
    with open_reader(path) as stream:
        if stream.read(len(STORM)) == STORM:
            rows = chain([head.rows(np.arange(len(head)) > 0)], blocks)
            return _named_labels(path, head.words(0), rows, n_states)
    header = head.span(0)
    declared = DECLARATION.findall(header)
    if not declared or DECLARATION.sub("", header).strip():
        raise fail(path, line, f'expected declarations such as 0="init", found {header[:80]!r}')
    names = {int(number): name for number, name in declared}
    if len(names) < len(declared) or len(set(names.values())) < len(declared):
        raise fail(path, line, "a label is declared twice")
    found: dict[int, list[int]] = {number: [] for number in names}
    seen: set[int] = set()
    for block in chain([head.rows(np.arange(len(head)) > 0)], blocks):
        for row, place in enumerate(block.line.tolist()):
            first, *numbers = " ".join(block.words(row)).replace(":", " : ", 1).split()
            if not numbers or numbers[0] != ":" or not all(_is_index(x) for x in (first, *numbers[1:])):
                raise fail(path, place, f"expected STATE: LABEL ..., found {' '.join(block.words(row))!r}")
            state = int(first)
            if state >= n_states:
                raise fail(path, place, no_state(state, n_states))
            if state in seen:
                raise fail(path, place, f"state {state} appears twice")
            seen.add(state)
            for label in map(int, numbers[1:]):
                if label not in found:
                    known = ", ".join(str(n) for n in names)
                    raise fail(path, place, f"label {label} is not declared (declared: {known})")
                found[label].append(state)
    return {name: np.unique(np.array(found[number], dtype=np.int64)) for number, name in names.items()}


def _named_labels(
    path: Path, names: list[str], blocks: Iterable[Block], n_states: int
) -> dict[str, IntArray]:
    """The states of each label from lines of a state and its labels by name."""
    found: dict[str, list[int]] = {name: [] for name in names}
    for block in blocks:
        for row, place in enumerate(block.line.tolist()):
            first, *labels = block.words(row)
            if not _is_index(first) or int(first) >= n_states:
                raise fail(path, place, f"there is no state {first!r}: states are 0..{n_states - 1}")
            for label in labels:
                if label not in found:
                    raise fail(path, place, f"label {label!r} is not declared (declared: {', '.join(names)})")
                found[label].append(int(first))
    return {name: np.unique(np.array(states, dtype=np.int64)) for name, states in found.items()}


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19
