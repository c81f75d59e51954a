"""Linear equations in fractions, solved modulo powers of a prime (Dixon 1982).

The inverse modulo one prime, in products that float64 holds exactly, gives the solution digit by digit. The
fractions are read off once there are digits enough, and put into the equations, so that no answer is wrong.
"""

from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from math import gcd, isqrt, lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.core.mdp import FloatArray

Row = dict[int, Fraction]
Right = tuple[Fraction, ...]

PRIMES = (2**22 - 3, 2**22 - 17, 2**22 - 27)  # sums of 512 products of two residues are exact


def solve_equations(rows: dict[int, Row], right: dict[int, Right]) -> dict[int, Right]:
    """x with x(s) = right(s) + sum of row(s, t) x(t); all t must be among the s.

    Raises `ArithmeticError` where there is no such x or more than one.
    """
    if not rows:
        return {}
    system = _Integral(rows, right)
    inverse, prime = system.inverse()
    digits = np.zeros_like(system.right)
    residual, power, enough = system.right, 1, 4
    while True:
        for _ in range(enough):
            digit = (inverse @ (residual % prime).astype(np.float64) % prime).astype(np.int64).astype(object)
            digits = digits + digit * power
            residual = (residual - system.times(digit)) // prime
            power *= prime
        found = _fractions(digits, power)
        if found is not None and system.holds(*found):
            numerators, denominator = found
            return {
                s: tuple(Fraction(int(x), denominator) for x in row)
                for s, row in zip(rows, numerators, strict=True)
            }
        enough = max(4, enough // 2 + enough)


class _Integral:
    """The equations with whole coefficients, as entries sorted by row; each row has one on the diagonal."""

    def __init__(self, rows: dict[int, Row], right: dict[int, Right]) -> None:
        place = {s: i for i, s in enumerate(rows)}
        entries: list[int] = []
        columns: list[int] = []
        scaled = []
        self.begin = []
        for s, row in rows.items():
            scale = lcm(*(p.denominator for p in row.values()), *(x.denominator for x in right[s]))
            own = {place[s]: scale}
            for t, p in row.items():
                own[place[t]] = own.get(place[t], 0) - int(p * scale)
            self.begin.append(len(entries))
            columns += own.keys()
            entries += own.values()
            scaled.append([int(x * scale) for x in right[s]])
        self.column = np.array(columns)
        self.entry = np.array(entries, dtype=object)
        self.right = np.array(scaled, dtype=object)  # [n, k]

    def times(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The left side for x [n, k]."""
        return np.add.reduceat(self.entry[:, None] * x[self.column], self.begin, axis=0)

    def holds(self, numerators: npt.NDArray[Any], denominator: int) -> bool:
        return bool((self.times(numerators) == self.right * denominator).all())

    def inverse(self) -> tuple[FloatArray, int]:
        """The inverse matrix modulo a prime for which there is one."""
        n = len(self.right)
        ends = [*self.begin, len(self.entry)]
        row = np.repeat(np.arange(n), [b - a for a, b in pairwise(ends)])
        for prime in PRIMES:
            matrix = np.zeros((n, n))
            matrix[row, self.column] = (self.entry % prime).astype(np.float64)
            with suppress(ZeroDivisionError):
                return _inverse(matrix, prime), prime
        raise ArithmeticError("the equations have no single solution")


def _inverse(matrix: FloatArray, prime: int) -> FloatArray:
    """The inverse modulo a prime, by halves; raises `ZeroDivisionError` where a leading block has none.

    The blocks of what is solved here, 1 minus a part of the probabilities, all have one in fractions.
    """
    n = len(matrix)
    if n == 1:
        if not matrix[0, 0]:
            raise ZeroDivisionError
        return np.array([[float(pow(int(matrix[0, 0]), -1, prime))]])
    half = n // 2
    (a, b), (c, d) = (np.hsplit(part, [half]) for part in np.vsplit(matrix, [half]))
    a = _inverse(a, prime)
    left, above = c @ a % prime, a @ b % prime
    d = _inverse((d - left @ b) % prime, prime)
    corner = -d @ left % prime
    return np.block([[(a - above @ corner) % prime, -above @ d % prime], [corner, d]])


def _fractions(digits: npt.NDArray[Any], modulus: int) -> tuple[npt.NDArray[Any], int] | None:
    """Numerators [n, k] over one denominator that are `digits` modulo `modulus`, if small ones are."""
    denominator = 1
    bound = isqrt(modulus // 2)
    for digit in digits.flat:
        least = _rational(digit * denominator % modulus, modulus, bound)
        if least is None:
            return None
        denominator *= least
        if denominator > bound:
            return None
    numerators = digits * denominator % modulus
    return np.where(numerators > modulus // 2, numerators - modulus, numerators), denominator


def _rational(residue: int, modulus: int, bound: int) -> int | None:
    """The denominator of the fraction within the bound that is `residue` (Wang 1981)."""
    before, now, weight, next_weight = modulus, residue, 0, 1
    if modulus - residue <= bound:
        return 1
    while now > bound:
        quotient = before // now
        before, now = now, before - quotient * now
        weight, next_weight = next_weight, weight - quotient * next_weight
    return abs(next_weight) if abs(next_weight) <= bound and gcd(now, next_weight) == 1 else None
