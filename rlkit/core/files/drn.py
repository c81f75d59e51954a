"""Storm's DRN format: a whole model, with its labels and reward models, in one text file."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from rlkit.core.errors import ModelError
from rlkit.core.files.assemble import Choices, actions_to_write, assemble, labels_to_write, merged
from rlkit.core.files.drn_header import Header, read_header
from rlkit.core.files.format import Format
from rlkit.core.files.numbers import BadToken, decimal, decimals
from rlkit.core.files.text import Block, blocks, fail, no_number, no_state, split, write_lines
from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.core.pomdp import POMDP
from rlkit.core.rows import first

UNNAMED = b"__NOLABEL__"  # how Storm marks a choice without an action
COMMENT = b"//"
ENTRY = re.compile(rb"(?m)^([ \t]*\d+)[ \t]*:[ \t]*")
FEATURES = re.compile(  # each \s* behind a bracket, so that none can be tried in two ways
    r"(?:\{(?P<before>\d{1,18})\}\s*)?(?:\[(?P<rewards>[^\]]*)\]\s*)?"
    r"(?:\{(?P<behind>\d{1,18})\}\s*)?(?P<labels>.*)",
    re.ASCII,
)
ACTION = re.compile(r"action\s+(?P<name>[^\s\[]+)\s*(?:\[(?P<rewards>[^\]]*)\]\s*)?")
LABEL = re.compile(r'"([^"]*)"|(\S+)')


LONGEST_HEADER = 1 << 20  # bytes
CACHED = 100_000  # different ends of state lines that are remembered


def read_drn(path: Path, *, reward_model: str | None = None) -> MDP | POMDP:
    """Read a Markov decision process or chain, or a POMDP, with the rewards of one of its reward models.

    The model's only reward model is the default; where there are several and none is chosen, all rewards
    are 0 and a `ModelWarning` lists them. A state's reward is paid for each step out of it. Numbers may be
    fractions. Raises `ModelError` with file and line. Source: the DRN page of Storm's documentation.
    """
    return _Reader(path, reward_model).read()


def write_drn(mdp: MDP, path: Path) -> None:
    """Write a model with one reward model, called "reward", of expected rewards for each choice.

    Transitions of a choice to the same state are merged. The discount and the names of states are left
    out. Names of actions are one word there, joined by underscores. Raises `ModelError` for an initial
    distribution that is not uniform, and for names that would not be read back.
    """
    plain, _ = merged(mdp)
    names = [_name(word, path) for word in actions_to_write(mdp, path)]
    where = [""] * mdp.n_states
    for label, states in labels_to_write(mdp, path).items():
        if '"' in label or not label.isprintable():
            raise fail(path, None, f"a label cannot be called {label!r} in this format")
        text = label if LABEL.fullmatch(label) and "/" not in label and "[" not in label else f'"{label}"'
        for s in states.tolist():
            where[s] += f" {text}"
    header = (
        "@type: MDP\n@value_type: double\n@parameters\n\n@reward_models\nreward\n"
        f"@nr_states\n{plain.n_states}\n@nr_choices\n{plain.n_choices}\n@model"
    )
    write_lines(path, header, _lines(plain, where, names))


def _lines(mdp: MDP, labels: list[str], names: list[str]) -> Iterator[str]:
    state_ptr, choice_ptr = mdp.state_ptr.tolist(), mdp.choice_ptr.tolist()
    action, reward = mdp.action.tolist(), mdp.reward.tolist()
    successor, probability = mdp.successor.tolist(), mdp.probability.tolist()
    for s in range(mdp.n_states):
        yield f"state {s} [0]{labels[s]}"
        for c in range(state_ptr[s], state_ptr[s + 1]):
            yield f"\taction {names[action[c]]} [{reward[c]!r}]"
            for t in range(choice_ptr[c], choice_ptr[c + 1]):
                yield f"\t\t{successor[t]} : {probability[t]!r}"


def _name(name: str, path: Path) -> str:
    if not ACTION.fullmatch(f"action {name}") or not name.isprintable() or name.encode() == UNNAMED:
        raise fail(path, None, f"an action cannot be called {name!r} in this format")
    return name


class _Reader:
    """The lines of states one by one, those of actions and transitions in bulk."""

    def __init__(self, path: Path, reward_model: str | None) -> None:
        self.path, self.reward_model = path, reward_model
        self.header = Header()
        self.column: int | None = None  # which of the numbers in brackets is wanted
        self.labels: dict[str, list[int]] = {}
        self.state_reward: list[float] = []
        self.n_choices = 0
        self.owner: list[IntArray] = [np.empty(0, np.int64)]  # state of each choice
        self.reward: list[FloatArray] = [np.empty(0)]
        self.code: dict[bytes, int] = {UNNAMED: -1}
        self.name: list[IntArray] = [np.empty(0, np.int64)]
        self.line: list[IntArray] = [np.empty(0, np.int64)]  # where each choice begins
        self.observation: list[int] = []
        self.states: dict[str, tuple[float, int, list[str]]] = {}  # what stood behind the number of a state
        self.in_choice = False
        self.choice: list[IntArray] = [np.empty(0, np.int64)]  # of each transition
        self.successor: list[IntArray] = [np.empty(0, np.int32)]
        self.probability: list[FloatArray] = [np.empty(0)]

    def read(self) -> MDP | POMDP:
        pieces = blocks(self.path)
        line, text = next(pieces)
        while (model := re.search(rb"(?m)^@model[ \t\r]*\n", text)) is None:
            more = next(pieces, None) if len(text) < LONGEST_HEADER else None
            if more is None:
                raise fail(self.path, line, "there is no @model section near the beginning")
            text += more[1]
        self.header = read_header(self.path, text[: model.start()].decode("utf-8"))
        self.column = self.header.column(self.path, self.reward_model)
        body = line + text.count(b"\n", 0, model.end())
        for number, piece in chain([(body, text[model.end() :])], pieces):
            block = split(self.path, number, piece, comment=COMMENT)
            if len(block):
                self.read_block(block)
        return self.finish()

    def read_block(self, block: Block) -> None:
        """Take up whole lines of states, actions and transitions."""
        states, actions = block.starts_with(b"s"), block.starts_with(b"a")
        owner = np.cumsum(states)[actions] + len(self.state_reward) - 1
        for row in np.flatnonzero(states).tolist():
            self.read_state(block.span(row), int(block.line[row]))
        outline = states | actions
        carried = self.n_choices - 1 if self.in_choice else -1
        opened = np.where(actions, self.n_choices - 1 + np.cumsum(actions), -1)
        before = np.maximum.accumulate(np.where(outline, np.arange(len(block)), -1))
        open_choice = np.where(before >= 0, opened[before], carried)
        self.read_actions(block.rows(actions), owner)
        self.in_choice = bool(open_choice[-1] >= 0)
        entries, choice = block.rows(~outline), open_choice[~outline]
        if not len(entries):
            return
        if (bad := first(choice < 0)) is not None:
            raise self.misplaced(entries, bad, "expected a state or an action")
        entries = self.spaced(entries)
        successor = entries.integers(0)
        probability = entries.decimals(2, what="probability")
        if (bad := first(successor >= self.header.n_states)) is not None:
            raise entries.fail(bad, no_state(successor[bad], self.header.n_states))
        if (bad := first(probability < 0)) is not None:
            raise entries.fail(bad, f"probability {probability[bad]} is negative")
        self.choice.append(choice)
        self.successor.append(successor.astype(np.int32))
        self.probability.append(probability)

    def spaced(self, entries: Block) -> Block:
        """Lines of transitions as three words each, however the colon stands."""
        if not _spelled_out(entries).all():
            lines = [entries.span(row).encode() for row in range(len(entries))]
            text = b"\n".join(ENTRY.sub(rb"\1 : ", line) for line in lines) + b"\n"
            again = split(self.path, 1, text, comment=COMMENT)
            if (row := first(~_spelled_out(again))) is not None:
                raise self.misplaced(entries, row, "expected STATE : PROBABILITY")
            entries = replace(again, line=entries.line)
        return entries

    def misplaced(self, entries: Block, row: int, expected: str) -> ModelError:
        """The error for a line that is none of the three kinds."""
        _, colon, probability = entries.span(row).partition(":")
        if colon and probability.lstrip().startswith("["):
            return entries.fail(row, no_number(probability.strip(), "probability"))
        return entries.fail(row, f"{expected}, found {entries.span(row)[:80]!r}")

    def read_state(self, text: str, line: int) -> None:
        """state 3 [1, 0] goal "another label"."""
        number = len(self.state_reward)
        word, given, rest = (*text.split(None, 2), "", "")[:3]
        if word != "state" or not given.isdigit():
            raise fail(self.path, line, f"expected state NUMBER [REWARDS] LABELS, found {text[:80]!r}")
        if given != str(number) or number >= self.header.n_states:
            expected = f"state {number}" if number < self.header.n_states else "no more states"
            raise fail(self.path, line, f"expected {expected}, found state {given[:20]}")
        if rest not in self.states:
            if len(self.states) > CACHED:
                self.states.clear()
            self.states[rest] = self.read_features(rest, line)
        reward, observation, labels = self.states[rest]
        self.observation.append(observation)
        self.state_reward.append(reward)
        for label in labels:
            self.labels.setdefault(label, []).append(number)

    def read_features(self, text: str, line: int) -> tuple[float, int, list[str]]:
        """What stands behind the number of a state: rewards, an observation (-1 for none), labels."""
        match = FEATURES.fullmatch(text)
        if match is None or match["labels"].lstrip().startswith(("!", "[", "{")):
            raise fail(self.path, line, f"expected [REWARDS] LABELS behind the state, found {text[:80]!r}")
        labels = [quoted or plain for quoted, plain in LABEL.findall(match["labels"])]
        if len(set(labels)) < len(labels):
            raise fail(self.path, line, "a label appears twice")
        observation = match["before"] or match["behind"]
        if observation is None and self.header.kind == "POMDP":
            raise fail(self.path, line, f"expected an observation in braces, found {text[:80]!r}")
        return self.pick(match["rewards"], line), int(observation or -1), labels

    def read_actions(self, block: Block, owner: IntArray) -> None:
        """Lines such as action left [0, 2]; all but those with one reward model one by one."""
        if not len(block):
            return
        if owner[0] < 0:
            raise block.fail(0, "an action before the first state")
        simple = _simple_actions(block) & (len(self.header.reward_models) <= 1)
        rewards, code = np.zeros(len(block)), np.zeros(len(block), dtype=np.int64)
        try:
            rewards[simple] = _bracketed(block.rows(simple))
        except BadToken:
            simple[:] = False
        place = block.first[simple] + 1
        spans = zip(block.start[place].tolist(), block.stop[place].tolist(), strict=True)
        code[simple] = [self.code.setdefault(block.text[a:b], len(self.code) - 1) for a, b in spans]
        for row in np.flatnonzero(~simple).tolist():
            text = block.span(row)
            match = ACTION.fullmatch(text)
            if match is None:
                raise block.fail(row, f"expected action NAME [REWARDS], found {text[:80]!r}")
            code[row] = self.code.setdefault(match["name"].encode(), len(self.code) - 1)
            rewards[row] = self.pick(match["rewards"], int(block.line[row]))
        self.n_choices += len(block)
        self.owner.append(owner)
        self.name.append(code)
        self.reward.append(rewards)
        self.line.append(block.line)

    def pick(self, rewards: str | None, line: int) -> float:
        """The wanted number of a bracket; 0 without a bracket."""
        words = [] if rewards is None else rewards.replace(",", " ").split()
        if not words:
            return 0.0
        expected = max(len(self.header.reward_models), 1)
        if len(words) != expected:
            raise fail(self.path, line, f"expected {expected} rewards, found {len(words)}")
        try:
            numbers = [decimal(word) for word in words]
        except ValueError:
            raise fail(self.path, line, f"[{rewards}] does not hold numbers") from None
        return 0.0 if self.column is None else numbers[self.column]

    def finish(self) -> MDP | POMDP:
        header, lines = self.header, self.header.lines
        for name, expected, found in (
            ("nr_states", header.n_states, len(self.state_reward)),
            ("nr_choices", header.n_choices, self.n_choices),
        ):
            if name in lines and expected != found:
                message = f"@{name} promises {expected} {name.removeprefix('nr_')}, the file has {found}"
                raise fail(self.path, lines[name], message)
        if header.n_states < 1:
            raise fail(self.path, lines["nr_states"], "a model needs at least one state")
        choice, successor = np.concatenate(self.choice), np.concatenate(self.successor)
        owner, line = np.concatenate(self.owner), np.concatenate(self.line)
        sizes = np.bincount(choice, minlength=self.n_choices)
        if (c := first(sizes == 0)) is not None:
            raise fail(self.path, int(line[c]), "the choice has no successor")
        self.check_duplicates(choice, successor, line)
        choices = Choices(
            path=self.path,
            n_states=header.n_states,
            owner=owner,
            sizes=sizes,
            successor=successor,
            probability=np.concatenate(self.probability),
            name=np.concatenate(self.name),
            names=[name.decode("utf-8") for name in self.code if name != UNNAMED],
            line=lambda c: int(line[c]),
        )
        reward = np.concatenate(self.reward) + np.array(self.state_reward)[owner]
        labels = {name: np.array(states) for name, states in self.labels.items()}
        mdp = assemble(choices, reward=reward, transition_reward=None, labels=labels)
        if header.kind != "POMDP":
            return mdp
        _, observation = np.unique(self.observation, return_inverse=True)
        try:
            return POMDP(mdp=mdp, observation=observation)
        except ModelError as error:
            raise fail(self.path, None, str(error)) from error

    def check_duplicates(self, choice: IntArray, successor: IntArray, line: IntArray) -> None:
        if not ((np.diff(successor) <= 0) & (np.diff(choice) == 0)).any():
            return
        order = np.lexsort((successor, choice))
        choice, successor = choice[order], successor[order]
        if (place := first((np.diff(choice) == 0) & (np.diff(successor) == 0))) is not None:
            message = f"the choice names successor {successor[place]} twice"
            raise fail(self.path, int(line[choice[place]]), message)


def _spelled_out(block: Block) -> BoolArray:
    """Which lines [L] are a word, a colon and a word."""
    good: BoolArray = block.count == 3
    middle = block.first[good] + 1
    text = np.frombuffer(block.text, dtype=np.uint8)
    good[good] = (text[block.start[middle]] == ord(":")) & (block.stop[middle] - block.start[middle] == 1)
    return good


def _simple_actions(block: Block) -> BoolArray:
    """Which lines [L] are the word action and two more, the last of them in brackets."""
    simple: BoolArray = block.count == 3
    word = block.first[simple]
    text = np.frombuffer(block.text, dtype=np.uint8)
    start = block.start[word]
    good = block.stop[word] - start == len("action")
    for k, letter in enumerate(b"action"):
        good &= text[np.minimum(start + k, len(text) - 1)] == letter
    last = word + 2
    good &= (text[block.start[last]] == ord("[")) & (text[block.stop[last] - 1] == ord("]"))
    simple[simple] = good
    return simple


def _bracketed(block: Block) -> FloatArray:
    """The one number [L] in the brackets that end each line; raises `BadToken`."""
    last = block.first + 2
    return decimals(np.frombuffer(block.text, dtype=np.uint8), block.start[last] + 1, block.stop[last] - 1)


DRN = Format(read_drn, write_drn)
