"""Actions and masks at the door: from an agent's numbers to an environment's, and what a mask may say.

To an agent discrete actions count from 0, and the bounds of a Box are -1 and 1. A bound that is infinite, or
so large that it stands for infinity, is none; a number with one bound counts from it in units of the space.
"""

from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from rlkit.errors import RlkitError

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]


class MaskError(RlkitError, ValueError):
    """An action mask does not fit the actions, or allows none."""


def mask_width(space: spaces.Space[Any]) -> int:
    """How many entries a mask over a space's actions has: the parts of MultiDiscrete lie side by side."""
    return sum(parts(space))


def parts(space: spaces.Space[Any]) -> list[int]:
    """How many entries of a mask stand for each part of an action; none for a space without masks."""
    match space:
        case spaces.Discrete():
            return [int(space.n)]
        case spaces.MultiDiscrete():
            return [int(n) for n in space.nvec.flat]
    return []


def legal_actions(
    given: Any,
    space: spaces.Space[Any],
    *,
    batch: int,
    present: Any = None,
    terminated: BoolArray | None = None,
    truncated: BoolArray | None = None,
) -> BoolArray:
    """The masks that `batch` environments gave, as a new bool array [B, A].

    `given` is an array [B, A] of 0 and 1, or a sequence of B masks: arrays, lists, or for MultiDiscrete
    tuples with one for each part. Everything is legal where `present` [B] says that an environment gave
    none, and where a mask is empty after a step that was `truncated` [B]; after one that `terminated` [B]
    an empty mask stays. Raises MaskError.
    """
    sizes = parts(space)
    if not isinstance(given, np.ndarray) or given.dtype == object:
        everything = np.ones(sum(sizes), np.bool_)
        given = _stacked([everything if row is None else row for row in given])
    if given.dtype.kind not in "biuf":
        raise MaskError(f"action_mask {given[0].tolist()!r} is not 0 and 1 for each action")
    if given.shape != (batch, sum(sizes)):
        raise MaskError(
            f"action_mask of shape {given.shape[1:]} does not fit {space}, which needs ({sum(sizes)},)"
        )
    mask: BoolArray = given.astype(np.bool_)
    if given.dtype.kind != "b" and (mask != given).any():
        raise MaskError(f"action_mask holds {given[mask != given][0]}; it may hold 0 and 1")
    if present is not None:
        mask[~np.asarray(present, np.bool_)] = True
    if mask.any(1).all() and len(sizes) == 1:
        return mask
    for part in np.split(mask, np.cumsum(sizes)[:-1], axis=1):
        stuck = ~part.any(1)
        if terminated is not None and truncated is not None:
            part[stuck & truncated & ~terminated] = True
            stuck &= ~(truncated | terminated)
        if stuck.any():
            raise MaskError(f"action_mask allows no action of {space}, in environment {stuck.argmax()}")
    return mask


def _stacked(rows: list[Any]) -> Array:
    """Masks of one environment each, as an array [B, A]; those of MultiDiscrete may come in parts."""
    try:
        flat = [np.concatenate([np.ravel(part) for part in row]) for row in rows]
        return np.stack(flat) if flat else np.empty((0, 0), np.bool_)
    except (TypeError, ValueError):
        raise MaskError(f"action_mask {rows[0]!r} is not 0 and 1 for each action") from None


def as_given(action: Tensor, space: spaces.Space[Any]) -> Array:
    """Actions [B, ...] as an environment takes them, inside its bounds.

    Whole numbers are equal bins of what lies between their bounds.
    """
    taken: Array = action.cpu().numpy()
    if not isinstance(space, spaces.Box):
        counted: Array = taken + getattr(space, "start", 0)
        return counted
    below, above = bounded(space)
    low, high, middle = space.low, space.high, 0.0
    whole = np.dtype(space.dtype).kind in "iub"
    if whole:
        low, high, middle, taken = low.astype(np.float64), high + 1.0, 0.5, taken.astype(np.float64)
    bottom = np.where(below, low, np.where(above, high - 2, middle - 1))
    top = np.where(above, high, np.where(below, low + 2, middle + 1))
    inside: Array = bottom + (taken + 1) / 2 * (top - bottom)
    if whole:
        inside = np.floor(inside)
    return inside.clip(space.low, space.high).astype(space.dtype)


def bounded(space: spaces.Box) -> tuple[BoolArray, BoolArray]:
    """Where a Box has a lower and where an upper bound, [*shape] each."""
    kind: Any = space.dtype
    most = 2**31 - 1 if kind.kind in "iub" else min(1e15, float(np.finfo(kind).max) / 2)
    return np.asarray(space.low) > -most, np.asarray(space.high) < most
