"""Loops as machine code, compiled by numba."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def machine_code(**options: Any) -> Callable[[F], F]:
    """A decorator that compiles with numba's `options`; what it compiles is kept on disk if numba may write.

    Where neither the package nor the home folder can be written, each process compiles for itself.
    """

    def decorate(function: F) -> F:
        import numba

        try:
            return cast(F, numba.njit(cache=True, **options)(function))
        except RuntimeError:  # numba's, for want of a folder
            return cast(F, numba.njit(**options)(function))

    return decorate
