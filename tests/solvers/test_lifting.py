"""Equations in fractions: against elimination, and what is no answer."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from exact_models import linear

from rlkit.solvers.methods import lifting
from rlkit.solvers.methods.lifting import solve_equations


def chain(seed: int, n: int) -> dict[int, dict[int, Fraction]]:
    """States that lead to each other and out, with chances of odd and of tiny denominators."""
    rng = random.Random(seed)
    rows = {}
    for s in range(n):
        after = rng.sample(range(n), min(n, 3))
        weights = [rng.choice([1, 2, 5, Fraction(1, 2**40), Fraction(1, 3**20)]) for _ in after]
        rows[10 * s] = {10 * t: Fraction(w) / (sum(weights) + 1) for t, w in zip(after, weights, strict=True)}
    return rows


@pytest.mark.parametrize("n", [1, 2, 5, 17, 40])
def test_the_same_as_by_elimination(n: int) -> None:
    for seed in range(3):
        rows = chain(seed, n)
        right = {s: (Fraction(s - 7, 3), Fraction(0), Fraction(1)) for s in rows}
        found = solve_equations(rows, right)
        for k in range(3):
            table = [[Fraction(s == t) - rows[s].get(t, 0) for t in rows] + [right[s][k]] for s in rows]
            assert [x[k] for x in found.values()] == linear(table)


def test_what_is_read_off_too_soon_is_not_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: fractions are put into the equations before they are believed."""
    rows = chain(0, 12)
    right = {s: (Fraction(1, 3),) for s in rows}
    exact = solve_equations(rows, right)
    guesses = iter([(np.full((12, 1), 1, dtype=object), 3)])
    read = lifting._fractions
    monkeypatch.setattr(lifting, "_fractions", lambda *args: next(guesses, None) or read(*args))
    assert solve_equations(rows, right) == exact
    monkeypatch.setattr(lifting._Integral, "holds", lambda *args: True)
    guesses = iter([(np.full((12, 1), 1, dtype=object), 3)])
    assert solve_equations(rows, right) != exact


def test_a_prime_that_divides_a_pivot_is_exchanged() -> None:
    prime = lifting.PRIMES[0]
    rows = {0: {0: 1 - Fraction(prime, prime + 1)}}
    assert solve_equations(rows, {0: (Fraction(1),)}) == {0: (Fraction(prime + 1, prime),)}


def test_equations_without_a_single_solution_are_refused() -> None:
    with pytest.raises(ArithmeticError, match="no single solution"):
        solve_equations({0: {0: Fraction(1)}}, {0: (Fraction(1),)})
    assert solve_equations({}, {}) == {}
