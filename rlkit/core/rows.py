"""Compressed rows: where each begins, the places it covers, and probabilities that ought to sum to 1."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

ROW_TOLERANCE = 1e-6  # rows further from 1 than this are refused
ROUNDING = 1e-12  # rows nearer to 1 than this are left as they are


def pointers(sizes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Where each row begins, and the last one ends, [C + 1]."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def first(mask: npt.NDArray[np.bool_]) -> int | None:
    """The first place where a mask holds, None where it holds nowhere."""
    return int(np.argmax(mask)) if mask.any() else None


def ranges(start: npt.ArrayLike, size: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """start, start + 1, ... of each row [C], one behind the other."""
    first = np.cumsum(size) - size
    return np.repeat(np.asarray(start, dtype=np.int64) - first, size) + np.arange(size.sum())


class Rescaled(NamedTuple):
    """Rows that sum to 1, and what was done to them."""

    probability: npt.NDArray[np.float64]  # [T]
    rows: int  # that were off by more than rounding
    worst: int  # row
    error: float  # of the worst: its sum less 1


def rescaled(probability: npt.NDArray[np.float64], starts: npt.NDArray[np.integer[Any]]) -> Rescaled:
    """Scale the rows of probabilities [T] that begin at `starts` [C], none of them empty."""
    if not len(starts):
        return Rescaled(probability, 0, 0, 0.0)
    sums = np.add.reduceat(probability, starts)
    off, worst = np.abs(sums - 1) > ROUNDING, int(np.argmax(np.abs(sums - 1)))
    if off.any():
        sizes = np.diff(starts, append=len(probability))
        probability = probability / np.repeat(np.where(off, sums, 1.0), sizes)
    return Rescaled(probability, int(off.sum()), worst, float(sums[worst] - 1))
