"""Arrays of two libraries, numpy and torch, under the names of the array API standard."""

from typing import Any

import array_api_compat
import numpy as np

Array = Any  # numpy.ndarray or torch.Tensor


def namespace(array: Array) -> Any:
    """The library an array belongs to; numpy's own names are the standard's."""
    return np if isinstance(array, np.ndarray) else array_api_compat.array_namespace(array)


def fill_at(array: Array, place: Any, value: float) -> None:
    """`array[place] = value`, for which torch would send the number from the host to a GPU each time."""
    array[place] = namespace(array).full((), value, dtype=array.dtype, device=array.device)
