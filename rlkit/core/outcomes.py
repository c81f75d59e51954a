"""MDPs from transitions that say whether they terminate, as Gymnasium's tables have them."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.core.build import distribution_over, from_triplets, outcomes_of
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
    columns = read_table(table)
    start = distribution_over(initial, len(table))
    return from_outcomes(*columns, initial=start, discount=discount, action_names=action_names)


def read_table(table: GymTable) -> tuple[npt.NDArray[Any], ...]:
    """The columns [T] of a table, as `from_outcomes` takes them; raises `ModelError` for what is none."""
    if not isinstance(table, Mapping | Sequence):
        raise ModelError(f"the table must map the numbers of states, or list them, not {reprlib.repr(table)}")
    rows = []
    for s, by_action in _numbered(table, "the table", "states", len(table)):
        for a, outcomes in _numbered(by_action, f"state {s} of the table", "actions", None):
            place = f"state {s}, action {a} of the table"
            found = [*outcomes_of(outcomes, OUTCOME, place)]
            if not found:
                raise ModelError(f"{place} has no outcome", state=s, action=a)
            for p, t, r, over in found:
                numbers = isinstance(t, Integral) and isinstance(p, Real) and isinstance(r, Real)
                if not numbers or not isinstance(over, bool | np.bool_ | Integral):
                    raise ModelError(f"{place} has the outcome {(p, t, r, over)}, expected ({OUTCOME})")
                if not 0 <= t < len(table):
                    raise ModelError(f"{place} leads to state {t}, but states are 0..{len(table) - 1}")
                rows.append((s, a, t, float(p), float(r), bool(over)))
    if not rows:
        raise ModelError("the table has no transitions")
    return tuple(np.array(column) for column in zip(*rows, strict=True))


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
        raise ModelError(f"{what} must map the numbers of {of}, or list them, not {reprlib.repr(given)}")


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
