"""From the choices and transitions of a file to an MDP: checks, actions, rewards, order."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rlkit.core.build import expected_reward
from rlkit.core.errors import ModelError, ModelWarning
from rlkit.core.files.text import fail
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.rows import ROUNDING, first, pointers, ranges, rescaled

ROW_TOLERANCE = 1e-5  # what a file may miss 1 by: many are written with six digits
FREE_ACTIONS = 100  # up to which an action may be called by a number larger than the choices there are


@dataclass(frozen=True, eq=False, kw_only=True)
class Choices:
    """The choices of a file in order of their states, and the transitions of each."""

    path: Path
    n_states: int
    owner: IntArray  # [C] state, not descending
    sizes: IntArray  # [C] number of transitions
    successor: IntArray  # [T]
    probability: FloatArray  # [T]
    name: IntArray  # [C] place in `names`, -1 for a choice without a name
    names: Sequence[str]
    line: Callable[[int], int]  # the line on which a choice begins

    @property
    def starts(self) -> IntArray:
        """The first transition of each choice, [C]."""
        return np.cumsum(self.sizes) - self.sizes


def assemble(
    choices: Choices,
    *,
    reward: FloatArray,
    transition_reward: FloatArray | None,
    labels: Mapping[str, IntArray],
    initial: FloatArray | None = None,
    discount: float = 1.0,
    state_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
) -> MDP:
    """Build the MDP; `transition_reward` [T] is paid on top of `reward` [C].

    `action_names` are for choices without names, which are numbered by their place in the state.

    Without `initial` [S] the states labelled "init" are equally likely, or state 0 if there are none.
    Raises `ModelError` with file and line for rows that do not sum to 1; warns of rows that are rescaled.
    """
    probability = _normalised(choices)
    if transition_reward is not None:
        total = transition_reward + np.repeat(reward, choices.sizes)
        starts = choices.starts
        if (total == np.repeat(total[starts], choices.sizes)).all():
            reward, transition_reward = total[starts], None
        else:
            reward, transition_reward = expected_reward(probability, total, starts), total
    action, own_names = _actions(choices)
    successor, sizes, owner = choices.successor, choices.sizes, choices.owner
    if ((np.diff(owner) == 0) & (np.diff(action) < 0)).any():
        order = np.lexsort((action, owner))
        source = ranges(choices.starts[order], sizes[order])
        action, reward, sizes = action[order], reward[order], sizes[order]
        successor, probability = successor[source], probability[source]
        transition_reward = None if transition_reward is None else transition_reward[source]
    if initial is None:
        marked = labels.get("init", np.empty(0, np.int64))
        initial = np.zeros(choices.n_states)
        initial[marked if len(marked) else 0] = 1 / max(len(marked), 1)
    try:
        return MDP(
            state_ptr=pointers(np.bincount(owner, minlength=choices.n_states)),
            choice_ptr=pointers(sizes),
            successor=successor,
            probability=probability,
            reward=reward,
            transition_reward=transition_reward,
            action=action,
            initial=initial,
            discount=discount,
            labels=labels,
            state_names=None if state_names is None else tuple(state_names),
            action_names=own_names if action_names is None else tuple(action_names),
        )
    except ModelError as error:
        raise fail(choices.path, None, str(error)) from error


def merged(mdp: MDP) -> tuple[MDP, FloatArray]:
    """The model without parallel transitions, for formats that have none, and its rewards R(s, a, s') [T].

    Successors of each choice ascend; the rewards of transitions that are merged are averaged.
    """
    choice = mdp.per_transition(np.arange(mdp.n_choices))
    order = np.lexsort((mdp.successor, choice))
    successor, probability = mdp.successor[order], mdp.probability[order]
    reward = mdp.reward_by_transition[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(choice) != 0) | (np.diff(successor) != 0)
    if new.all():
        starts = np.arange(len(order))
    else:
        starts = np.flatnonzero(new)
        mean = np.add.reduceat(probability * reward, starts)
        probability = np.add.reduceat(probability, starts)
        single = np.diff(starts, append=len(order)) == 1
        reward = np.where(single, reward[starts], mean / probability)
    plain = replace(
        mdp,
        choice_ptr=np.searchsorted(choice[starts], np.arange(mdp.n_choices + 1)),
        successor=successor[starts],
        probability=probability,
        transition_reward=None,
    )
    return plain, reward


def actions_to_write(mdp: MDP, path: Path) -> list[str]:
    """Names of actions as these formats take them: one word each. Raises `ModelError` for others."""
    names = [mdp.action_name(a) for a in range(mdp.n_actions)]
    words = ["_".join(name.split()) for name in names]
    count = Counter(words)
    for word, name in zip(words, names, strict=True):
        if not word or not word.isprintable() or count[word] > 1:
            message = f"an action cannot be called {name!r} here: it must be one word of its own"
            raise fail(path, None, message)
    return words


def labels_to_write(mdp: MDP, path: Path) -> dict[str, IntArray]:
    """Labels of a model with "init" on its initial states, as PRISM and Storm have them.

    Raises `ModelError` where that label says something else, and where the initial states are not equally
    likely, which those formats cannot express.
    """
    starts = np.flatnonzero(mdp.initial)
    if np.ptp(mdp.initial[starts]) > ROUNDING:
        raise fail(path, None, "this format has no initial distribution other than equally likely states")
    if "init" in mdp.labels and not np.array_equal(mdp.labels["init"], starts):
        raise fail(path, None, 'the label "init" means the initial states in this format')
    return {"init": starts} | {k: v for k, v in mdp.labels.items() if k != "init"}


def _normalised(choices: Choices) -> FloatArray:
    """Probabilities with rows scaled to sum to 1."""
    starts = choices.starts
    sums = np.add.reduceat(choices.probability, starts) if len(starts) else np.zeros(0)
    if (c := first(np.abs(sums - 1) > ROW_TOLERANCE)) is not None:
        message = f"the probabilities of state {choices.owner[c]} for this choice sum to {sums[c]:.9g}, not 1"
        raise fail(choices.path, choices.line(c), message)
    probability, rows, worst, error = rescaled(choices.probability, starts)
    if rows:
        warnings.warn(
            f"{choices.path.name}:{choices.line(worst)}: {rows} rows renormalised to sum to 1; "
            f"the worst, here, was off by {error:.2g}",
            ModelWarning,
            stacklevel=4,
        )
    return probability


def _actions(choices: Choices) -> tuple[IntArray, tuple[str, ...] | None]:
    """The action of each choice [C], no two alike in a state, and the actions' names.

    A choice without a name is called by its place in the state; a name that a state has given already is
    followed by its count. Names that are numbers throughout are taken for action numbers.
    """
    owner, name, names = choices.owner, choices.name.astype(np.int64), list(choices.names)
    position = np.arange(len(owner)) - np.searchsorted(owner, owner)
    if (name < 0).all():
        return position, None
    if (name < 0).any():
        code = {text: i for i, text in enumerate(names)}
        for p in np.unique(position[name < 0]):
            if str(p) not in code:
                code[str(p)] = len(names)
                names.append(str(p))
            name[(name < 0) & (position == p)] = code[str(p)]
    order = np.lexsort((position, name, owner))
    same = (np.diff(owner[order]) == 0) & (np.diff(name[order]) == 0)
    if not same.any() and all(text == "0" or _is_number(text) for text in names):
        numbers = np.array([int(text) for text in names])
        if numbers.max() < max(len(owner), FREE_ACTIONS):
            return numbers[name], None
    if same.any():
        run = np.append(0, np.cumsum(~same))
        count = np.empty(len(owner), dtype=np.int64)
        count[order] = np.arange(len(owner)) - np.searchsorted(run, run)
        pairs, name = np.unique(name * (count.max() + 1) + count, return_inverse=True)
        parts = [divmod(int(pair), int(count.max()) + 1) for pair in pairs]
        names = [names[n] if k == 0 else f"{names[n]}#{k + 1}" for n, k in parts]
    used, place = np.unique(name, return_index=True)
    ranked = np.argsort(place)
    number = np.zeros(len(names), dtype=np.int64)
    number[used[ranked]] = np.arange(len(used))
    return number[name], tuple(names[i] for i in used[ranked])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and not text.startswith("0") and len(text) < 10
