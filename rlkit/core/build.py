"""Ways to write down an MDP: lists of transitions, and a function of a state's successors."""

import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rlkit.core.errors import ModelError, ModelWarning, NoExactModel
from rlkit.core.graph import reachable
from rlkit.core.mdp import MDP, FloatArray, IntArray
from rlkit.core.rows import pointers

H = TypeVar("H", bound=Hashable)
Outcome = tuple[float, H, float]
OUTCOME = "probability, successor, reward"  # what it holds


def from_triplets(
    state: npt.ArrayLike,
    action: npt.ArrayLike,
    successor: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    n_states: int,
    reward: npt.ArrayLike = 0.0,
    initial: npt.ArrayLike | int = 0,
    discount: float = 1.0,
    state_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
    labels: Mapping[str, npt.ArrayLike] | None = None,
    warn_unreachable: bool = True,
) -> MDP:
    """Build an MDP from coordinate lists of transitions (COO), in any order.

    All of shape [T]: state, action, successor, probability, and the reward R(s, a, s') of each (a number
    serves all). Zero probabilities are dropped. `initial` is a state or a distribution [S]. A state that
    never stands on the left is terminal. Warns of unreachable states unless told not to; raises
    `ModelError` as `MDP` does.
    """
    if not isinstance(n_states, Integral) or not 0 <= n_states < 2**31:
        raise ModelError(f"n_states must be a whole number below 2^31, not {n_states!r}")
    p = real_numbers(probability, "probability")
    s, a, t = (
        _indices(x, name, p.shape)
        for name, x in (("state", state), ("action", action), ("successor", successor))
    )
    given = real_numbers(reward, "reward")
    if given.shape not in ((), p.shape):
        raise ModelError(f"reward has shape {given.shape}, expected {p.shape} or one number")
    r = np.broadcast_to(given, p.shape)
    if len(s) and (s.min() < 0 or s.max() >= n_states):
        bad = s.min() if s.min() < 0 else s.max()
        raise ModelError(f"a transition starts in state {bad}, but states are 0..{n_states - 1}")
    if len(a) and a.min() < 0:
        bad = int(s[np.argmin(a)])
        raise ModelError(f"state {bad} has the negative action {a.min()}", state=bad)
    order = np.lexsort((a, s))
    s, a, t, p, r = s[order], a[order], t[order], p[order], r[order]

    first = np.ones(len(s), dtype=np.bool_)
    first[1:] = (np.diff(s) != 0) | (np.diff(a) != 0)
    starts = np.flatnonzero(first)
    varies = bool(np.any(r != np.repeat(r[starts], np.diff(starts, append=len(s)))))

    kept = p != 0
    rows = np.cumsum(first) - 1
    mdp = MDP(
        state_ptr=pointers(np.bincount(s[starts], minlength=n_states)),
        choice_ptr=pointers(np.bincount(rows[kept], minlength=len(starts))),
        successor=t[kept],
        probability=p[kept],
        reward=expected_reward(p, r, starts) if varies else r[starts].copy(),
        transition_reward=r[kept] if varies else None,
        action=a[starts],
        initial=distribution_over(initial, n_states),
        discount=discount,
        state_names=_names(state_names),
        action_names=_names(action_names),
        labels={k: _labelled(v, k, n_states) for k, v in (labels or {}).items()},
    )
    if warn_unreachable:
        _warn_unreachable(mdp)
    return mdp


def _warn_unreachable(mdp: MDP) -> None:
    """Warn when states cannot be reached from the initial distribution."""
    lost = np.flatnonzero(~reachable(mdp))
    if len(lost):
        names = ", ".join(mdp.state_name(int(s)) for s in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        warnings.warn(f"unreachable from the initial states: {names}{more}", ModelWarning, stacklevel=3)


def from_successors(
    successors: Callable[[H], Mapping[str, Iterable[Outcome[H]]]],
    initial: Mapping[H, float] | H,
    *,
    discount: float = 1.0,
    action_names: Sequence[str] | None = None,
    max_states: int = 1_000_000,
) -> MDP:
    """Explore a successor function breadth-first and build the MDP of all it reaches.

    `successors(state)` returns, for each action name, its outcomes (probability, successor, reward);
    a terminal state returns an empty mapping. `initial` is a state or a mapping state -> probability.
    States are numbered in the order they are found and named by `str(state)`. Raises `NoExactModel` with
    the count so far beyond `max_states`, and `ModelError` as `MDP` does, and for anything else that
    `successors` returns.
    """
    start: Mapping[H, float]
    start = initial if isinstance(initial, Mapping) else {_hashed(initial, "the initial state"): 1.0}
    index = {state: i for i, state in enumerate(start)}
    actions = {name: i for i, name in enumerate(action_names or ())}
    rows: list[tuple[int, int, int, float, float]] = []
    queue = list(start)
    for state in queue:
        offered = successors(state)
        if not isinstance(offered, Mapping):
            raise ModelError(
                f"successors({state!r}) must map actions to outcomes, and be empty for a terminal state, "
                f"not {offered!r}"
            )
        for name, outcomes in offered.items():
            if name not in actions and action_names is not None:
                message = f"state {state} offers {name!r}, which is none of {', '.join(map(str, actions))}"
                raise ModelError(message)
            action = actions.setdefault(name, len(actions))
            place = f"state {state}, action {name}"
            empty = True
            for probability, successor, reward in outcomes_of(outcomes, OUTCOME, place):
                empty = False
                if _hashed(successor, f"{place}: the successor") not in index:
                    if len(index) >= max_states:
                        raise NoExactModel(f"more than {max_states} states: {len(index)} found so far")
                    index[successor] = len(index)
                    queue.append(successor)
                rows.append((index[state], action, index[successor], probability, reward))
            if empty:
                raise ModelError(f"{place} has no successor", state=index[state])
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), (), ()]
    distribution = np.zeros(len(index))
    distribution[: len(start)] = real_numbers(list(start.values()), "initial")
    state_of, action_of, into = (np.array(column, dtype=np.int64) for column in columns[:3])
    return from_triplets(
        state_of,
        action_of,
        into,
        columns[3],
        n_states=len(index),
        reward=columns[4],
        initial=distribution,
        discount=discount,
        state_names=[str(state) for state in index],
        action_names=list(actions),
        warn_unreachable=False,
    )


def outcomes_of(given: Any, parts: str, place: str) -> Iterator[tuple[Any, ...]]:
    """The outcomes of a choice, each of which must hold so many `parts`, as in "a, b, c"."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise ModelError(f"{place} must have a list of outcomes ({parts}), not {given!r}")
    for outcome in given:
        if not isinstance(outcome, Sequence | np.ndarray) or len(outcome) != parts.count(",") + 1:
            raise ModelError(f"{place} has the outcome {outcome!r}, expected ({parts})")
        yield tuple(outcome)


def _hashed(state: H, what: str) -> H:
    """A state, which must be hashable."""
    try:
        hash(state)
    except TypeError:
        raise ModelError(f"{what} {state!r} cannot be hashed: let a state be a tuple, for example") from None
    return state


def expected_reward(probability: FloatArray, reward: FloatArray, starts: IntArray) -> FloatArray:
    """Mean reward [C] over the transitions [T] of each choice, which begin at `starts` [C].

    Rewards that cancel out give 0 and not what rounding leaves of them: without discount, the sign of a
    reward that can be collected for ever decides between 0 and inf.
    """
    if not len(starts):
        return np.zeros(0)
    product = np.where(probability == 0, 0.0, probability * reward)
    mean: FloatArray = np.add.reduceat(product, starts)
    sizes = np.diff(starts, append=len(product))
    rounding = np.finfo(np.float64).eps * sizes * np.add.reduceat(np.abs(product), starts)
    mean[np.abs(mean) <= rounding] = 0.0
    return mean


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(map(str, names))


def _labelled(states: npt.ArrayLike, label: str, n_states: int) -> IntArray:
    """States in order, from their numbers or from a mask [S]."""
    given = np.asarray(states)
    if given.dtype == np.bool_ and given.shape == (n_states,):
        return np.flatnonzero(given)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise ModelError(f"label {label!r} must be state numbers or a mask ({n_states},), not {states!r}")
    return np.unique(given.astype(np.int64))


def real_numbers(given: npt.ArrayLike, name: str) -> FloatArray:
    """Real numbers as float64, or a `ModelError` that says what was given instead."""
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"not {array.dtype}")
        if array.dtype == object and any(x is None or isinstance(x, str | bytes) for x in array.flat):
            raise TypeError("not text or None")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} must hold real numbers in a regular array: {error}") from None


def _indices(given: npt.ArrayLike, name: str, shape: tuple[int, ...]) -> IntArray:
    """Integers of the shape of the probabilities."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ModelError(f"{name} must hold integers in a regular array: {error}") from None
    if array.shape != shape or len(shape) != 1:
        raise ModelError(f"{name} has shape {array.shape}, expected {shape} like probability")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{name} must hold integers, not {array.dtype}")
    return array.astype(np.int64)


def distribution_over(initial: npt.ArrayLike | int, n_states: int) -> FloatArray:
    """The distribution [S] of the first state, from that or from one state's number."""
    given = real_numbers(initial, "initial")
    if given.ndim == 0:
        if given not in range(n_states):
            raise ModelError(f"initial state {given:g} is none of 0..{n_states - 1}")
        state = int(given)
        distribution = np.zeros(n_states)
        distribution[state] = 1.0
        return distribution
    if given.shape != (n_states,):
        raise ModelError(f"initial has shape {given.shape}, expected ({n_states},)")
    return given
