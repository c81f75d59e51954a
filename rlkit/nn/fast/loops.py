"""The hyperbolic tangent of many numbers on a CPU, compiled: several times faster than torch's own.

It is the 13th convergent of Lambert's continued fraction (1768), a quotient of polynomials in x^2,

    tanh x = x / (1 + x^2 / (3 + x^2 / (5 + ...)))

which differs from it by less than 4e-8 up to |x| = 9, beyond which float32 knows only 1.
"""

from typing import Any

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from rlkit.machine_code import machine_code

FAR = np.float32(9.0)


def convergent(n: int) -> tuple[Polynomial, Polynomial]:
    """(P, Q) with tanh x = x P(x^2) / Q(x^2) for the continued fraction cut after its n-th denominator."""
    p, q = Polynomial([1.0]), Polynomial([2.0 * n - 1])
    for odd in range(2 * n - 3, 0, -2):
        p, q = q, odd * q + Polynomial([0.0, 1.0]) * p
    return p / q.coef[0], q / q.coef[0]


_P, _Q = (tuple(np.float32(c) for c in reversed(poly.coef)) for poly in convergent(13))


@machine_code(fastmath={"contract"}, error_model="numpy", nogil=True)
def tanh_of(x: Any) -> Any:
    """The hyperbolic tangent of a float32."""
    near = min(max(x, -FAR), FAR)
    z = near * near
    p, q = np.float32(0), np.float32(0)
    for c in _P:
        p = p * z + c
    for c in _Q:
        q = q * z + c
    return near * p / q


@machine_code(fastmath={"contract"}, error_model="numpy", nogil=True)
def tanh(x: NDArray[Any], y: NDArray[Any]) -> None:
    """Write the hyperbolic tangents of the numbers `x` [N] into `y` [N], both float32."""
    for i in range(len(x)):
        y[i] = tanh_of(x[i])
