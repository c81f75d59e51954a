"""Arrays of two libraries, numpy and torch, under the names of the array API standard."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor


def namespace(array: Array) -> Any:
    """The library an array belongs to; numpy's own names are the standard's."""
    return np if isinstance(array, np.ndarray) else array_api_compat.array_namespace(array)
