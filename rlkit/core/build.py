"""Ways to write down an MDP: dense arrays, triplets, a Gymnasium table, a successor function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rlkit.core.graph import reachable
from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.core.validation import ModelError, NoExactModel, warn_unreachable

H = TypeVar("H", bound=Hashable)
Outcome = tuple[float, H, float]  # probability, successor, reward
GymTable = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]


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
) -> MDP:
    """Build an MDP from coordinate lists of transitions (COO), in any order.

    All of shape [T]: state, action, successor, probability, and the reward R(s, a, s') of each (a number
    serves all). Zero probabilities are dropped. `initial` is a state or a distribution [S]. A state that
    never stands on the left is terminal. Warns of unreachable states; raises `ModelError` as `MDP` does.
    """
    mdp = _assemble(
        state,
        action,
        successor,
        probability,
        n_states=n_states,
        reward=reward,
        initial=initial,
        discount=discount,
        state_names=state_names,
        action_names=action_names,
        labels=labels,
    )
    warn_unreachable(mdp, reachable(mdp))
    return mdp


def from_arrays(
    transition: npt.ArrayLike,
    reward: npt.ArrayLike,
    *,
    terminal: npt.ArrayLike | None = None,
    legal: npt.ArrayLike | None = None,
    initial: npt.ArrayLike | int = 0,
    discount: float = 1.0,
    state_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
) -> MDP:
    """Build an MDP from dense arrays: transition [S, A, S], reward [S], [S, A] or [S, A, S].

    `terminal` [S] and `legal` [S, A] are boolean masks; the rows they exclude are not read. A reward
    R(s) is paid on leaving s, so a terminal state, which is never left, must have R(s) = 0.
    Raises `ModelError` for a wrong shape, a state left without an action, and whatever `MDP` refuses.
    """
    p, r = _numbers(transition, "transition"), _numbers(reward, "reward")
    if p.ndim != 3 or p.shape[0] != p.shape[2]:
        raise ModelError(f"transition has shape {p.shape}, expected (S, A, S)")
    n_states, n_actions, _ = p.shape
    if r.shape not in ((n_states,), (n_states, n_actions), p.shape):
        raise ModelError(
            f"reward has shape {r.shape}, expected ({n_states},), ({n_states}, {n_actions}) or {p.shape}"
        )
    ends = _mask(terminal, (n_states,), default=False, name="terminal")
    offered = _mask(legal, (n_states, n_actions), default=True, name="legal") & ~ends[:, None]
    stuck = ~ends & ~offered.any(axis=1)
    if stuck.any():
        s = int(np.argmax(stuck))
        raise ModelError(f"state {s if state_names is None else state_names[s]} has no action", state=s)
    if r.ndim == 1 and (r[ends] != 0).any():
        s = int(np.flatnonzero(ends & (r != 0))[0])
        raise ModelError(
            f"terminal state {s} has reward {r[s]}, but is never left: pay it on the way in, as R(s, a, s')",
            state=s,
        )
    full = r if r.ndim == 3 else r[:, :, None] if r.ndim == 2 else r[:, None, None]
    empty = offered & ~(p != 0).any(axis=2)
    if empty.any():
        s, a = (int(i) for i in np.argwhere(empty)[0])
        raise ModelError(f"state {s}, action {a} has probabilities that sum to 0, not 1", state=s, action=a)
    source, taken, target = np.nonzero((p != 0) & offered[:, :, None])
    return from_triplets(
        source,
        taken,
        target,
        p[source, taken, target],
        n_states=n_states,
        reward=np.broadcast_to(full, p.shape)[source, taken, target],
        initial=initial,
        discount=discount,
        state_names=state_names,
        action_names=action_names or [str(i) for i in range(n_actions)],
    )


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
    the count so far beyond `max_states`, and `ModelError` as `MDP` does.
    """
    start: Mapping[H, float] = initial if isinstance(initial, Mapping) else {initial: 1.0}
    index = {state: i for i, state in enumerate(start)}
    actions = {name: i for i, name in enumerate(action_names or ())}
    rows: list[tuple[int, int, int, float, float]] = []
    queue = list(start)
    for state in queue:
        for name, outcomes in successors(state).items():
            if name not in actions and action_names is not None:
                raise ModelError(f"state {state} offers {name!r}, which is none of {', '.join(actions)}")
            action = actions.setdefault(name, len(actions))
            empty = True
            for probability, successor, reward in outcomes:
                empty = False
                if successor not in index:
                    if len(index) >= max_states:
                        raise NoExactModel(f"more than {max_states} states: {len(index)} found so far")
                    index[successor] = len(index)
                    queue.append(successor)
                rows.append((index[state], action, index[successor], probability, reward))
            if empty:
                raise ModelError(f"state {state}, action {name} has no successor", state=index[state])
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), (), ()]
    distribution = np.zeros(len(index))
    for state, probability in start.items():
        distribution[index[state]] = probability
    return _assemble(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.int64),
        columns[3],
        n_states=len(index),
        reward=np.array(columns[4], dtype=np.float64),
        initial=distribution,
        discount=discount,
        state_names=[str(state) for state in index],
        action_names=list(actions),
    )


def from_gymnasium(
    table: GymTable,
    initial: npt.ArrayLike | int = 0,
    *,
    discount: float = 1.0,
    action_names: Sequence[str] | None = None,
) -> MDP:
    """Build an MDP from a table `P[state][action] = [(probability, successor, reward, terminated), ...]`.

    States keep their numbers, so that observations of the environment index the result; `from_outcomes`
    says what becomes of `terminated`. Raises `ModelError` as `MDP` does.
    """
    n = len(table)
    rows = [
        (s, a, t, p, r, bool(done))
        for s, by_action in table.items()
        for a, outcomes in by_action.items()
        for p, t, r, done in outcomes
    ]
    if not rows:
        raise ModelError("the table has no transitions")
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    for name, column in zip(("states", "actions", "successors"), columns, strict=False):
        if not np.issubdtype(column.dtype, np.integer):
            raise ModelError(f"the {name} of the table must be integers, not {column.dtype}")
    return from_outcomes(
        *columns, initial=_distribution(initial, n), discount=discount, action_names=action_names
    )


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
    live = _reached_alive(state, successor, terminated | (probability == 0), initial > 0)
    ends = np.zeros(n, dtype=np.bool_)
    ends[successor[terminated & (probability != 0)]] = True
    acts = np.zeros(n, dtype=np.bool_)
    acts[state] = True
    twins = np.flatnonzero(ends & live & acts)
    twin_of = np.arange(n)
    twin_of[twins] = n + np.arange(len(twins))
    kept = ~(ends & ~live)[state]
    if len(twins):
        names = state_names or [str(s) for s in range(n)]
        state_names = [*names, *(f"{names[int(s)]} (end)" for s in twins)]
    return _assemble(
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
    )


def _assemble(
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
) -> MDP:
    p = _numbers(probability, "probability")
    s, a, t = (
        _indices(x, name, p.shape)
        for name, x in (("state", state), ("action", action), ("successor", successor))
    )
    given = _numbers(reward, "reward")
    if given.shape not in ((), p.shape):
        raise ModelError(f"reward has shape {given.shape}, expected {p.shape} or one number")
    r = np.broadcast_to(given, p.shape)
    if len(s) and (s.min() < 0 or s.max() >= n_states):
        bad = s.min() if s.min() < 0 else s.max()
        raise ModelError(f"a transition starts in state {bad}, but states are 0..{n_states - 1}")
    if len(a) and a.min() < 0:
        raise ModelError(
            f"state {s[np.argmin(a)]} has the negative action {a.min()}", state=int(s[np.argmin(a)])
        )
    order = np.lexsort((a, s))
    s, a, t, p, r = s[order], a[order], t[order], p[order], r[order]

    first = np.ones(len(s), dtype=np.bool_)
    first[1:] = (np.diff(s) != 0) | (np.diff(a) != 0)
    starts = np.flatnonzero(first)
    choices_per_state = np.bincount(s[starts], minlength=n_states) if len(s) else np.zeros(n_states, np.int64)
    expected = expected_reward(p, r, starts)
    varies = bool(np.any(r != np.repeat(r[starts], np.diff(starts, append=len(s))))) if len(s) else False

    kept = p != 0
    rows = np.cumsum(first) - 1
    sizes = np.bincount(rows[kept], minlength=len(starts)) if len(s) else np.zeros(0, np.int64)
    return MDP(
        state_ptr=_pointer(choices_per_state),
        choice_ptr=_pointer(sizes),
        successor=t[kept],
        probability=p[kept],
        reward=expected if varies else r[starts].copy(),
        transition_reward=r[kept] if varies else None,
        action=a[starts],
        initial=_distribution(initial, n_states),
        discount=discount,
        state_names=_names(state_names),
        action_names=_names(action_names),
        labels={k: np.unique(np.asarray(v, dtype=np.int64)) for k, v in (labels or {}).items()},
    )


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


def _reached_alive(state: IntArray, successor: IntArray, cut: BoolArray, start: BoolArray) -> BoolArray:
    """Which states [S] can be reached from the start by transitions that are not cut."""
    live = start.copy()
    while True:
        found = np.zeros_like(live)
        found[successor[live[state] & ~cut]] = True
        if not (found & ~live).any():
            return live
        live |= found


def _pointer(sizes: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _mask(value: npt.ArrayLike | None, shape: tuple[int, ...], *, default: bool, name: str) -> Any:
    mask = np.full(shape, default) if value is None else np.asarray(value, dtype=np.bool_)
    if mask.shape != shape:
        raise ModelError(f"{name} has shape {mask.shape}, expected {shape}")
    return mask


def _numbers(given: npt.ArrayLike, name: str) -> FloatArray:
    """Real numbers as float64, or a `ModelError` that says what was given instead."""
    try:
        array = np.asarray(given)
        if np.iscomplexobj(array):
            raise TypeError("complex numbers")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name} must hold real numbers in a regular array: {error}") from None


def _indices(given: npt.ArrayLike, name: str, shape: tuple[int, ...]) -> IntArray:
    """Integers of the shape of the probabilities."""
    array = np.asarray(given)
    if array.shape != shape or len(shape) != 1:
        raise ModelError(f"{name} has shape {array.shape}, expected {shape} like probability")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ModelError(f"{name} must hold integers, not {array.dtype}")
    return array.astype(np.int64)


def _distribution(initial: npt.ArrayLike | int, n_states: int) -> FloatArray:
    given = _numbers(initial, "initial")
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
