"""MDPs from matrices: dense arrays in either order, or a sparse matrix for each action."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from rlkit.core.build import from_triplets, real_numbers
from rlkit.core.errors import ModelError
from rlkit.core.mdp import MDP, FloatArray, IntArray

Order = Literal["SAS", "ASS"]


def from_arrays(
    transition: npt.ArrayLike | Sequence[Any],
    reward: npt.ArrayLike | Sequence[Any],
    *,
    order: Order | None = None,
    terminal: npt.ArrayLike | None = None,
    legal: npt.ArrayLike | None = None,
    initial: npt.ArrayLike | int = 0,
    discount: float = 1.0,
    state_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
) -> MDP:
    """Build an MDP from arrays: transition [S, A, S] or [A, S, S], reward [S], [S, A] or as the transition.

    `order` says which, "SAS" (as QuantEcon has it) or "ASS" (as pymdptoolbox has it); it can be left out
    where the shape tells. Both may be lists of one scipy.sparse matrix [S, S] for each action. `terminal` [S]
    and `legal` [S, A] are boolean masks; the rows they exclude are not read. A reward R(s) is paid on leaving
    s, so a terminal state, which is never left, must have R(s) = 0. Raises `ModelError` for a wrong shape,
    one that can be read either way, a state left without an action, and whatever `MDP` refuses.
    """
    transition, reward = (
        list(x) if isinstance(x, np.ndarray) and x.dtype == object and x.ndim else x
        for x in (transition, reward)
    )
    p, order = _transitions(transition, order)
    (n_states, n_actions) = (p[0].shape[0], len(p)) if isinstance(p, list) else p.shape[:2]
    ends = _mask(terminal, (n_states,), default=False, name="terminal")
    offered = _mask(legal, (n_states, n_actions), default=True, name="legal") & ~ends[:, None]
    stuck = ~ends & ~offered.any(axis=1)
    if stuck.any():
        s = int(np.argmax(stuck))
        raise ModelError(f"state {s if state_names is None else state_names[s]} has no action", state=s)
    place = _places(p)  # of what is not 0: state, action, successor
    given = np.zeros_like(offered)
    given[place[0], place[1]] = True
    if (empty := offered & ~given).any():
        s, a = (int(i) for i in np.argwhere(empty)[0])
        raise ModelError(f"state {s}, action {a} has probabilities that sum to 0, not 1", state=s, action=a)
    source, taken, target = (index[offered[place[0], place[1]]] for index in place)
    return from_triplets(
        source,
        taken,
        target,
        _at(p, source, taken, target),
        n_states=n_states,
        reward=_rewards(reward, order, ends, n_actions, (source, taken, target)),
        initial=initial,
        discount=discount,
        state_names=state_names,
        action_names=action_names or [str(i) for i in range(n_actions)],
    )


Matrices = FloatArray | list[csr_array]  # [S, A, S], or [S, S] for each action
Places = tuple[IntArray, IntArray, IntArray]  # [T] state, action, successor


def _transitions(given: Any, order: Order | None) -> tuple[Matrices, Order]:
    """The probabilities, and the order in which they came."""
    if order not in (None, "SAS", "ASS"):
        raise ModelError(f"order must be 'SAS' or 'ASS', not {order!r}")
    if (sparse := _by_action(given, "transition")) is not None:
        n = sparse[0].shape[0]
        if wrong := [m.shape for m in sparse if m.shape != (n, n)]:
            message = f"transition has a matrix of shape {wrong[0]}, expected ({n}, {n}) for every action"
            raise ModelError(message)
        if order == "SAS":
            raise ModelError("a matrix for each action is of order 'ASS', not 'SAS'")
        return sparse, "ASS"
    p = real_numbers(given, "transition")
    fits: list[Order] = []
    if p.ndim == 3 and p.shape[0] == p.shape[2]:
        fits.append("SAS")
    if p.ndim == 3 and p.shape[1] == p.shape[2]:
        fits.append("ASS")
    if order is None and len(fits) == 2 and p.shape[0] > 1:
        raise ModelError(
            f"transition has shape {p.shape}, which may be (S, A, S) or (A, S, S): "
            "say order='SAS' or order='ASS'"
        )
    order = order or (fits[0] if fits else None)
    if order not in fits or order is None:
        shapes = {"SAS": "(S, A, S)", "ASS": "(A, S, S)", None: "(S, A, S) or (A, S, S)"}
        raise ModelError(f"transition has shape {p.shape}, expected {shapes[order]}")
    return (p if order == "SAS" else np.moveaxis(p, 0, 1)), order


def _rewards(given: Any, order: Order, ends: npt.NDArray[np.bool_], n_actions: int, at: Places) -> FloatArray:
    """The reward of each transition, [T]."""
    n = len(ends)
    if (sparse := _by_action(given, "reward")) is not None:
        if len(sparse) != n_actions or any(m.shape != (n, n) for m in sparse):
            shapes = ", ".join(str(m.shape) for m in sparse)
            raise ModelError(f"reward has matrices {shapes}, expected {n_actions} of ({n}, {n})")
        return _at(sparse, *at)
    r = real_numbers(given, "reward")
    full = (n, n_actions, n) if order == "SAS" else (n_actions, n, n)
    if r.shape not in ((n,), (n, n_actions), full):
        raise ModelError(f"reward has shape {r.shape}, expected ({n},), ({n}, {n_actions}) or {full}")
    if r.ndim == 1 and (r[ends] != 0).any():
        s = int(np.flatnonzero(ends & (r != 0))[0])
        raise ModelError(
            f"terminal state {s} has reward {r[s]}, but is never left: pay it on the way in, as R(s, a, s')",
            state=s,
        )
    if r.ndim == 3:
        return _at(r if order == "SAS" else np.moveaxis(r, 0, 1), *at)
    paid: FloatArray = r[at[: r.ndim]]
    return paid


def _by_action(given: Any, name: str) -> list[csr_array] | None:
    """The sparse matrices of a list in which there are some, None for anything else."""
    if issparse(given):
        raise ModelError(f"{name} is one sparse matrix: give a list of one [S, S] for each action")
    if not isinstance(given, list | tuple) or not any(issparse(m) for m in given):
        return None
    return [
        csr_array(m if issparse(m) else np.atleast_2d(real_numbers(m, name)), dtype=np.float64) for m in given
    ]


def _places(p: Matrices) -> Places:
    """Where the probabilities are not 0."""
    if not isinstance(p, list):
        state, action, successor = np.nonzero(p)
        return state, action, successor
    rows, columns = zip(*(m.nonzero() for m in p), strict=True)
    action = np.repeat(np.arange(len(p)), [len(row) for row in rows])
    state, successor = (np.concatenate(parts).astype(np.int64) for parts in (rows, columns))
    return state, action, successor


def _at(matrices: Matrices, state: IntArray, action: IntArray, successor: IntArray) -> FloatArray:
    """The numbers at these places, [T]."""
    if not isinstance(matrices, list):
        dense: FloatArray = matrices[state, action, successor]
        return dense
    values = np.zeros(len(state))
    for a, matrix in enumerate(matrices):
        own = action == a
        values[own] = matrix[state[own], successor[own]]
    return values


def _mask(value: npt.ArrayLike | None, shape: tuple[int, ...], *, default: bool, name: str) -> Any:
    mask = np.full(shape, default) if value is None else np.asarray(value, dtype=np.bool_)
    if mask.shape != shape:
        raise ModelError(f"{name} has shape {mask.shape}, expected {shape}")
    return mask
