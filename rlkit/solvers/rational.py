"""Exact optimal values in fractions, for small models.

A probability given as 0.7 is meant as 7/10. Every number of the model is therefore taken as the simple
fraction that it rounds to, rows are made to sum to exactly 1, and policy iteration is carried out without
rounding.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from rlkit.core.mdp import MDP, IntArray
from rlkit.core.validation import ModelError
from rlkit.solvers.solution import Bounded, fraction

LARGEST = 400  # states

Row = dict[int, Fraction]


def solve_in_fractions(mdp: MDP, choice: IntArray, *, gamma: float) -> Bounded:
    """Policy iteration in fractions from choices [S]; at gamma = 1 they must end with probability 1.

    The bounds are the floats on either side of the exact value. Raises `ModelError` for a model that is
    too large.
    """
    if mdp.n_states > LARGEST:
        raise ModelError(
            f"exact arithmetic takes at most {LARGEST} states, and this model has {mdp.n_states}"
        )
    rows = [_row(mdp, c) for c in range(mdp.n_choices)]
    reward = [fraction(r) for r in mdp.reward]
    discount = fraction(gamma)
    rounds = 0
    while True:
        rounds += 1
        value = _value_of(mdp, choice, rows, reward, discount)
        improved = choice.copy()
        for s in np.flatnonzero(choice >= 0):
            best = value[s]
            for c in range(mdp.state_ptr[s], mdp.state_ptr[s + 1]):
                q = reward[c] + discount * sum((p * value[t] for t, p in rows[c].items()), Fraction(0))
                if q > best:
                    best, improved[s] = q, c
        if (improved == choice).all():
            break
        choice = improved
    near = np.array([float(v) for v in value])
    inexact = np.array([Fraction(x) != v for x, v in zip(near, value, strict=True)])
    lower = np.where(inexact, np.nextafter(near, -np.inf), near)
    upper = np.where(inexact, np.nextafter(near, np.inf), near)
    return Bounded(near, lower, upper, choice, rounds, fractions=[*value])


def _row(mdp: MDP, choice: int) -> Row:
    row: Row = {}
    for t in range(mdp.choice_ptr[choice], mdp.choice_ptr[choice + 1]):
        successor = int(mdp.successor[t])
        row[successor] = row.get(successor, Fraction(0)) + fraction(mdp.probability[t])
    total = sum(row.values())
    return row if total == 1 else {s: p / total for s, p in row.items()}


def _value_of(
    mdp: MDP, choice: IntArray, rows: list[Row], reward: list[Fraction], discount: Fraction
) -> list[Fraction]:
    """Value of a policy by elimination: each state's equation is substituted into those that mention it."""
    equation: dict[int, tuple[Row, Fraction]] = {
        int(s): ({t: discount * p for t, p in rows[c].items() if choice[t] >= 0}, reward[c])
        for s, c in enumerate(choice)
        if c >= 0
    }
    order = list(equation)
    for s in order:
        row, constant = equation[s]
        loop = 1 - row.pop(s, Fraction(0))
        row, constant = {t: p / loop for t, p in row.items()}, constant / loop
        equation[s] = (row, constant)
        for other in order:
            weight = equation[other][0].pop(s, None) if other != s else None
            if weight is None:
                continue
            into, base = equation[other]
            for t, p in row.items():
                into[t] = into.get(t, Fraction(0)) + weight * p
            equation[other] = (into, base + weight * constant)
    return [equation[s][1] if s in equation else Fraction(0) for s in range(mdp.n_states)]
