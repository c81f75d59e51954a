"""MDPs from transitions that say whether they terminate, as Gymnasium's tables have them."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.core.build import distribution_over, from_triplets, outcomes_of, real_numbers
from rlkit.core.errors import ModelError
from rlkit.core.graph import reached
from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.core.rows import pointers

Outcome = tuple[float, int, float, bool]
OUTCOME = "probability, successor, reward, terminated"  # what it holds
GymTable = Mapping[int, Mapping[int, Sequence[Outcome]]] | Sequence[Sequence[Sequence[Outcome]]]


def from_gymnasium(
    table: GymTable,
    initial: npt.ArrayLike | int = 0,
    *,
    discount: float = 1.0,
    action_names: Sequence[str] | None = None,
) -> MDP:
    """Build an MDP from a table `P[state][action] = [(probability, successor, reward, terminated), ...]`.

    Mappings from numbers or lists. States keep their numbers, so that observations of the environment index
    the result; `from_outcomes` says what becomes of `terminated`. Raises `ModelError` as `MDP` does, and for
    an outcome that holds something else.
    """
    if not isinstance(table, Mapping | Sequence):
        raise ModelError(f"the table must map the numbers of states, or list them, not {table!r}")
    rows = []
    for s, by_action in _numbered(table, "the table", "states", len(table)):
        for a, outcomes in _numbered(by_action, f"state {s} of the table", "actions", None):
            place = f"state {s}, action {a} of the table"
            found = [*outcomes_of(outcomes, OUTCOME, place)]
            if not found:
                raise ModelError(f"{place} has no outcome", state=s, action=a)
            rows += [(s, a, t, p, r, done) for p, t, r, done in found]
    if not rows:
        raise ModelError("the table has no transitions")
    state, action, successor, probability, reward, terminated = zip(*rows, strict=True)
    for s, a, t, over in zip(state, action, successor, terminated, strict=True):
        if not isinstance(t, Integral):
            raise ModelError(f"state {s}, action {a} of the table leads to {t!r}, which is no state's number")
        if not isinstance(over, bool | np.bool_ | Integral):
            raise ModelError(f"state {s}, action {a} of the table has {over!r} for terminated")
    return from_outcomes(
        np.array(state),
        np.array(action),
        np.array(successor, dtype=np.int64),
        real_numbers(probability, "the probabilities of the table"),
        real_numbers(reward, "the rewards of the table"),
        np.array([bool(done) for done in terminated]),
        initial=distribution_over(initial, len(table)),
        discount=discount,
        action_names=action_names,
    )


def _numbered(given: Any, what: str, of: str, size: int | None) -> Iterator[tuple[int, Any]]:
    """The entries of a mapping from numbers, or of a list, each with its number."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            if not isinstance(key, Integral) or int(key) < 0 or (size is not None and int(key) >= size):
                numbers = "whole numbers from 0" if size is None else f"0..{size - 1}"
                raise ModelError(f"{what} has {key!r} among its {of}, which must be {numbers}")
            yield int(key), value
    elif isinstance(given, Sequence) and not isinstance(given, str):
        yield from enumerate(given)
    else:
        raise ModelError(f"{what} must map the numbers of {of}, or list them, not {given!r}")


def from_outcomes(
    state: IntArray,
    action: IntArray,
    successor: IntArray,
    probability: FloatArray,
    reward: FloatArray,
    terminated: BoolArray,
    *,
    initial: FloatArray,
    discount: float = 1.0,
    action_names: Sequence[str] | None = None,
    state_names: Sequence[str] | None = None,
) -> MDP:
    """Build an MDP from transitions [T] that each say whether they terminate.

    Termination belongs to a transition in an environment, and to a state in an MDP. A state entered only
    by terminating transitions becomes terminal. A state with choices that is entered by both kinds keeps
    them, and a terminal twin of it is appended behind the last state. Raises `ModelError` as `MDP` does.
    """
    n = len(initial)
    if successor.min() < 0 or successor.max() >= n:
        bad = successor.min() if successor.min() < 0 else successor.max()
        raise ModelError(f"a transition leads to state {bad}, but states are 0..{n - 1}")
    twins, over = entered_to_end(state, successor, probability, terminated, initial)
    twin_of = np.arange(n)
    twin_of[twins] = n + np.arange(len(twins))
    kept = ~over[state]
    if len(twins):
        names = state_names or [str(s) for s in range(n)]
        state_names = [*names, *(f"{names[int(s)]} (end)" for s in twins)]
    return from_triplets(
        state[kept],
        action[kept],
        np.where(terminated, twin_of[successor], successor)[kept],
        probability[kept],
        n_states=n + len(twins),
        reward=reward[kept],
        initial=np.concatenate([initial, np.zeros(len(twins))]),
        discount=discount,
        action_names=action_names,
        state_names=state_names,
        warn_unreachable=False,
    )


def entered_to_end(
    state: IntArray, successor: IntArray, probability: FloatArray, terminated: BoolArray, initial: FloatArray
) -> tuple[IntArray, BoolArray]:
    """Which states are entered both to end there and to go on (their numbers), and which [S] only to end."""
    n = len(initial)
    goes_on = ~terminated & (probability != 0)
    order = np.argsort(state[goes_on], kind="stable")
    edges = pointers(np.bincount(state[goes_on], minlength=n))
    live = reached(np.flatnonzero(initial > 0), edges, successor[goes_on][order])
    ends = np.zeros(n, dtype=np.bool_)
    ends[successor[terminated & (probability != 0)]] = True
    acts = np.zeros(n, dtype=np.bool_)
    acts[state] = True
    return np.flatnonzero(ends & live & acts), ends & ~live
