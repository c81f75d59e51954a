"""PRISM explicit files: transitions (.tra), labels (.lab), state and transition rewards (.srew, .trew).

A state keeps the self loop that PRISM gives it where it stops; only one without any choice is terminal.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from rlkit.core.errors import ModelError
from rlkit.core.files.assemble import Choices, actions_to_write, assemble, labels_to_write, merged
from rlkit.core.files.format import Format
from rlkit.core.files.labels import read_labels
from rlkit.core.files.text import Block, fail, no_number, no_state, split_blocks, suffix, write_lines
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.rows import first

FREE_STATES = 1_000_000  # how many more states than its transitions name a header may claim
STATE_REWARDS, TRANSITION_REWARDS = (".srew", ".rews"), (".trew", ".rewt")  # PRISM has renamed them


@dataclass(frozen=True, eq=False)
class Table:
    """Lines of whole numbers with one number behind them, under a header of counts."""

    path: Path
    header: tuple[int, ...]
    header_line: int
    index: tuple[IntArray, ...]  # [N] each column of whole numbers
    value: FloatArray  # [N]
    name: IntArray  # [N] place in `names` of the word that ends the line, -1 for none
    names: tuple[str, ...]
    order: IntArray | None = None  # [N] which row of the file each one is, None if the same

    def line(self, row: int) -> int:
        """The line on which a row stands, found by reading the file again."""
        row = row if self.order is None else int(self.order[row])
        blocks = split_blocks(self.path, comment=b"#")
        lines = chain.from_iterable(block.line for block in blocks)
        return int(next(line for i, line in enumerate(lines) if i == row + 1))

    def fail(self, row: int, message: str) -> ModelError:
        """The error for a defect of a row."""
        return fail(self.path, self.line(row), message)

    def fail_header(self, message: str) -> ModelError:
        """The error for a header that does not go with the rows or the model."""
        return fail(self.path, self.header_line, f"the header {message}")


def read_prism(
    path: Path,
    *,
    labels: str | os.PathLike[str] | None = None,
    rewards: Sequence[str | os.PathLike[str]] = (),
) -> MDP:
    """Read a Markov decision process or chain from its .tra file, with labels and rewards from others.

    The rewards of all files are added up; a state's reward is paid for each step out of it. Initial is the
    label "init", else state 0. Raises `ModelError` with file and line. Source: the PRISM manual, appendix
    "Explicit model files".
    """
    table = _read_table(path, columns={3: 3, 2: 2}, what="probability", named=True)
    n_states = table.header[0]
    if n_states < 1:
        raise fail(path, table.header_line, "a model needs at least one state")
    if n_states > FREE_STATES + 2 * len(table.value):
        message = f"{n_states} states are more than {len(table.value)} transitions account for"
        raise fail(path, table.header_line, message)
    for column in (table.index[0], table.index[-1]):
        if (row := first(column >= n_states)) is not None:
            raise table.fail(row, no_state(column[row], n_states))
    if (row := first(table.value < 0)) is not None:
        raise table.fail(row, f"probability {table.value[row]} is negative")
    choices = _choices(_sorted(table))
    reward = np.zeros(len(choices.owner))
    extra: FloatArray | None = None
    for file in map(Path, rewards):
        if suffix(file) in STATE_REWARDS:
            reward += _state_rewards(file, n_states)[choices.owner]
        elif suffix(file) in TRANSITION_REWARDS:
            paid = _transition_rewards(file, choices)
            extra = paid if extra is None else extra + paid
        else:
            raise fail(file, None, "rewards must be in a .srew or .trew file")
    named = {} if labels is None else read_labels(Path(labels), n_states)
    return assemble(choices, reward=reward, transition_reward=extra, labels=named)


def write_prism(mdp: MDP, path: Path) -> None:
    """Write a model as .tra, and beside it its labels as .lab and its rewards as .trew.

    Transitions of a choice to the same state are merged. The discount and the names of states are left
    out; PRISM has no place for them. Names of actions are one word there, joined by underscores. Raises
    `ModelError` for an initial distribution that is not uniform, and for names that would not be read back.
    """
    plain, reward = merged(mdp)
    owner = plain.per_transition(plain.state_of_choice).tolist()
    place = np.arange(plain.n_choices) - plain.state_ptr[plain.state_of_choice]
    choice = plain.per_transition(place).tolist()
    target = plain.successor.tolist()
    named = mdp.action_names is not None or not np.array_equal(place, mdp.action)
    action = [f" {word}" if named else "" for word in actions_to_write(mdp, path)]
    ends = plain.per_transition(plain.action).tolist()
    sizes = f"{plain.n_states} {plain.n_choices}"
    labels = labels_to_write(mdp, path)
    if "deadlock" not in labels:
        labels = {"init": labels["init"], "deadlock": np.flatnonzero(mdp.terminal)} | labels
    if bad := [name for name in labels if '"' in name or not name.isprintable()]:
        raise fail(path, None, f"a label cannot be called {bad[0]!r} in this format")
    rows = zip(owner, choice, target, plain.probability.tolist(), ends, strict=True)
    write_lines(
        path, f"{sizes} {plain.n_transitions}", (f"{s} {c} {t} {p!r}{action[a]}" for s, c, t, p, a in rows)
    )
    where = [""] * plain.n_states
    for i, states in enumerate(labels.values()):
        for s in states.tolist():
            where[s] += f" {i}"
    write_lines(
        _beside(path, ".lab"),
        " ".join(f'{i}="{name}"' for i, name in enumerate(labels)),
        (f"{s}:{numbers}" for s, numbers in enumerate(where) if numbers),
    )
    paid = zip(owner, choice, target, reward.tolist(), strict=True)
    write_lines(
        _beside(path, ".trew"),
        f"{sizes} {np.count_nonzero(reward)}",
        (f"{s} {c} {t} {r!r}" for s, c, t, r in paid if r),
    )


def _read_table(
    path: Path, *, columns: Mapping[int, int], what: str, named: bool = False, short: bool = False
) -> Table:
    """Read a table whose header of k counts, the last of them its rows, has columns[k] whole numbers a line.

    `named` allows a word behind each line, `short` lines that all lack the last whole number.
    """
    blocks = split_blocks(path, comment=b"#")
    head = next(blocks, None)
    if head is None:
        raise fail(path, 1, "there is no header")
    header_line, words = int(head.line[0]), head.words(0)
    if storm := named and len(words) == 1 and words[0].isalpha():
        words = _storm_header(path, header_line, words[0].lower())
    if named and len(words) == 4:
        raise fail(
            path, header_line, "four counts: PRISM's files of POMDPs are not supported (.POMDP and .drn are)"
        )
    if len(words) not in columns or not all(w.isascii() and w.isdigit() and len(w) < 19 for w in words):
        counts = " or ".join(str(n) for n in sorted(columns))
        raise fail(path, header_line, f"the header must hold {counts} counts, not {' '.join(words)!r}")
    header = tuple(int(w) for w in words)
    width = columns[len(words)]
    body = head.rows(np.arange(len(head)) > 0)
    if short and len(body) and body.count[0] == width:
        width -= 1
    code: dict[str, int] = {}
    parts: list[tuple[IntArray, ...]] = []
    values, name, n_rows = [], [], 0
    for block in chain([body], blocks):
        _check_widths(block, width + 1, named=named)
        if not storm and n_rows + len(block) > header[-1]:
            message = f"the header promises {header[-1]} lines, and here is one more"
            raise block.fail(header[-1] - n_rows, message)
        n_rows += len(block)
        parts.append(tuple(_narrow(block.integers(j)) for j in range(width)))
        values.append(block.decimals(width, what=what))
        name.append(_names(block, width + 1, code))
    index = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
    if storm:
        header = _counted(index)
    elif n_rows != header[-1]:
        raise fail(path, header_line, f"the header promises {header[-1]} lines, the file has {n_rows}")
    return Table(path, header, header_line, index, np.concatenate(values), np.concatenate(name), tuple(code))


def _storm_header(path: Path, line: int, kind: str) -> list[str]:
    """As many counts, not known yet, as PRISM has for the kind of model that Storm names instead."""
    columns = {"dtmc": 2, "mdp": 3}
    if kind not in columns:
        raise fail(path, line, f"{kind} models are not supported ({', '.join(columns)} are)")
    return ["0"] * columns[kind]


def _counted(index: tuple[IntArray, ...]) -> tuple[int, ...]:
    """The counts of a file without them: states, choices where they are numbered, lines."""
    n_states = 1 + max(int(column.max(initial=-1)) for column in (index[0], index[-1]))
    n_choices = len(np.unique(np.stack(index[:2]), axis=1).T) if len(index) == 3 else None
    return tuple(n for n in (n_states, n_choices, len(index[0])) if n is not None)


def _check_widths(block: Block, width: int, *, named: bool) -> None:
    wrong = (block.count < width) | (block.count > width + named)
    if (row := first(wrong)) is not None:
        words = block.words(row)
        interval = next((word for word in words if word.startswith("[")), None)
        message = f"expected {width} numbers, found {' '.join(words)!r}"
        raise block.fail(row, message if interval is None else no_number(interval, "number"))


def _names(block: Block, column: int, code: dict[str, int]) -> IntArray:
    """Number the words [N] in a column that not every line has; -1 where it has none."""
    numbers = np.full(len(block), -1, dtype=np.int32)
    has = np.flatnonzero(block.count > column)
    if len(has):
        place = block.first[has] + column
        spans = zip(block.start[place].tolist(), block.stop[place].tolist(), strict=True)
        seen: dict[bytes, int] = {}
        local = [seen.setdefault(block.text[a:b], len(seen)) for a, b in spans]
        known = np.array([code.setdefault(word.decode("utf-8"), len(code)) for word in seen])
        numbers[has] = known[local]
    return numbers


def _narrow(column: IntArray) -> IntArray:
    """Half the memory, for any number that can still be valid."""
    return column.astype(np.int32) if column.max(initial=0) < 2**31 else column


def _sorted(table: Table) -> Table:
    """The table in order of its whole numbers; refuses a line given twice."""
    if (order := _order(table.index)) is not None:
        index = tuple(column[order] for column in table.index)
        table = replace(table, index=index, value=table.value[order], name=table.name[order], order=order)
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in table.index])
    if (row := first(same)) is not None:
        numbers = " ".join(str(column[row + 1]) for column in table.index)
        raise table.fail(row + 1, f"{numbers} appears twice")
    return table


def _order(index: tuple[IntArray, ...]) -> IntArray | None:
    """The permutation that sorts, None where the columns are in order already."""
    tied = np.ones(max(len(index[0]) - 1, 0), dtype=np.bool_)
    for column in index:
        step = np.diff(column)
        if (tied & (step < 0)).any():
            return np.lexsort(index[::-1])
        tied &= step == 0
    return None


def _choices(table: Table) -> Choices:
    """Group sorted lines into choices, numbered 0, 1, 2, ... in every state."""
    state, successor = table.index[0], table.index[-1]
    number = table.index[1] if len(table.index) == 3 else np.zeros_like(state)
    new = np.ones(len(state), dtype=np.bool_)
    new[1:] = (np.diff(state) != 0) | (np.diff(number) != 0)
    starts = np.flatnonzero(new)
    owner = state[starts]
    expected = np.arange(len(starts)) - np.searchsorted(owner, owner)
    if (c := first(number[starts] != expected)) is not None:
        message = f"state {owner[c]} has a choice {number[starts[c]]}, but no choice {expected[c]}"
        raise table.fail(int(starts[c]), message)
    if len(table.header) == 3 and len(starts) != table.header[1]:
        raise table.fail_header(f"promises {table.header[1]} choices, the file has {len(starts)}")
    sizes = np.diff(starts, append=len(state))
    name = table.name[starts]
    if len(table.index) == 2:
        name = np.full(len(starts), -1)
    elif (row := first(table.name != np.repeat(name, sizes))) is not None:
        raise table.fail(row, "the choice has another action on an earlier line")
    return Choices(
        path=table.path,
        n_states=table.header[0],
        owner=owner,
        sizes=sizes,
        successor=successor,
        probability=table.value,
        name=name,
        names=table.names,
        line=lambda c: table.line(int(starts[c])),
    )


def _state_rewards(path: Path, n_states: int) -> FloatArray:
    """Rewards [S] from a .srew file."""
    table = _read_table(path, columns={2: 1}, what="reward")
    _check_header(table, n_states)
    state = table.index[0]
    if (row := first(state >= n_states)) is not None:
        raise table.fail(row, no_state(state[row], n_states))
    table = _sorted(table)
    reward = np.zeros(n_states)
    reward[table.index[0]] = table.value
    return reward


def _transition_rewards(path: Path, choices: Choices) -> FloatArray:
    """Rewards [T] from a .trew file; a line without a successor pays for the whole choice."""
    table = _read_table(path, columns={3: 3, 2: 2}, what="reward", short=True)
    _check_header(table, choices.n_states)
    _sorted(table)
    owner = choices.owner.astype(np.int64)
    chain_like = len(table.header) == 2
    state, rest = table.index[0], table.index[1:]
    number, target = (np.zeros_like(state), rest) if chain_like else (rest[0], rest[1:])
    place = np.searchsorted(owner, state) + number
    choice = np.minimum(place, max(len(owner) - 1, 0))
    known = (number < len(owner)) & (place < len(owner))
    if len(owner):
        known &= owner[choice] == state
    reward = np.zeros(len(choices.successor))
    if target and known.any():
        of_choice = np.repeat(np.arange(len(owner)), choices.sizes)
        keys = of_choice * choices.n_states + choices.successor
        wanted = choice * choices.n_states + np.minimum(target[0], choices.n_states - 1).astype(np.int64)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known &= (keys[place] == wanted) & (target[0] < choices.n_states)
        reward[place[known]] = table.value[known]
    elif known.any():
        per_choice = np.zeros(len(owner))
        per_choice[choice[known]] = table.value[known]
        reward = np.repeat(per_choice, choices.sizes)
    if (row := first(~known)) is not None:
        numbers = " ".join(str(column[row]) for column in table.index)
        raise table.fail(row, f"the model has no transition {numbers} to reward")
    return reward


def _check_header(table: Table, n_states: int) -> None:
    if table.header[0] != n_states:
        raise table.fail_header(f"says {table.header[0]} states, the model has {n_states}")


def _beside(path: Path, suffix: str) -> Path:
    end = ".gz" if path.suffix == ".gz" else ""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".tra") + suffix + end)


PRISM = Format(read_prism, write_prism)
