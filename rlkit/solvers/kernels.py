"""Loops over states, written once: plain Python on small models, compiled by numba on large ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray

F = TypeVar("F", bound=Callable[..., Any])

COMPILE_FROM = 1_000_000  # visits of transitions; below, loading the compiler takes longer than running


def kernel(function: F, visits: int) -> F:
    """The function itself where it visits few transitions, its compiled form where it visits many."""
    return function if visits < COMPILE_FROM else _compiled(function)


@cache
def _compiled(function: F) -> F:
    import numba

    return cast(F, numba.njit(cache=True)(function))


def unsigned(index: IntArray) -> IntArray:
    """The same indices read as unsigned, which spares compiled loops a test for negative ones (3x)."""
    return index.view(np.uint32) if index.dtype == np.int32 else index


def backup(mdp: MDP) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]:
    """The arrays of a model that a backup reads, in the order in which the sweeps below take them."""
    pointers = (unsigned(mdp.state_ptr), unsigned(mdp.choice_ptr), unsigned(mdp.successor))
    return (*pointers, mdp.probability, mdp.reward)


def sweep(
    state_ptr: IntArray,
    choice_ptr: IntArray,
    successor: IntArray,
    probability: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    out: FloatArray,
    order: IntArray,
    component_ptr: IntArray,
    cyclic: BoolArray,
    tolerance: float,
    max_sweeps: int,
) -> tuple[int, float, float]:
    """Back up states from v [S] into `out` [S], component after component, successors first.

    `order` lists the states by component, `component_ptr` where each begins. With `out` being v each backup
    sees those before it. A component without a cycle takes one backup (Lemma 6.42), any other is swept to
    and fro until its largest change is at most `tolerance`, at most `max_sweeps` times. Returns the backups
    made, and the smallest and largest change of the last sweep; terminal states change by 0.
    """
    backups = 0
    low, high = 0.0, 0.0
    for k in range(len(component_ptr) - 1):
        begin, end = component_ptr[k], component_ptr[k + 1]
        for turn in range(max_sweeps if cyclic[k] else 1):
            low, high = np.inf, -np.inf
            for i in range(begin, end):
                s = order[i] if turn % 2 == 0 else order[begin + end - 1 - i]
                first, last = state_ptr[s], state_ptr[s + 1]
                change = 0.0
                if first < last:
                    backups += 1
                    best = -np.inf
                    t = choice_ptr[first]
                    for c in range(first, last):
                        expected = 0.0
                        stop = choice_ptr[c + 1]
                        while t < stop:
                            expected += probability[t] * v[successor[t]]
                            t += 1
                        best = max(best, reward[c] + gamma * expected)
                    change = best - v[s]
                    out[s] = best
                low, high = min(low, change), max(high, change)
            if max(high, -low) <= tolerance:
                break
    return backups, low, high


def attract(
    target: BoolArray,
    allowed: BoolArray,
    needed: IntArray,
    owner: IntArray,
    into_ptr: IntArray,
    into_choice: IntArray,
) -> IntArray:
    """For each state the allowed choice that made it join the states drawn to the target, [S]; -1 for none.

    A state joins once `needed` [S] of its choices may lead to one that has joined; the counts are used up.
    `into_choice[into_ptr[s]:into_ptr[s+1]]` are the choices that may lead to s. The search runs backwards
    from the target, breadth-first; target states keep -1.
    """
    joined_by = np.full(len(target), -1, dtype=np.int64)
    joined, counted = target.copy(), ~allowed
    pending = np.empty(len(target), dtype=np.int64)
    start = np.flatnonzero(target)
    pending[: len(start)] = start
    head, tail = 0, len(start)
    while head < tail:
        t = pending[head]
        head += 1
        for i in range(into_ptr[t], into_ptr[t + 1]):
            c = into_choice[i]
            s = owner[c]
            if counted[c] or joined[s]:
                continue
            counted[c] = True
            needed[s] -= 1
            if needed[s] == 0:
                joined[s] = True
                joined_by[s] = c
                pending[tail] = s
                tail += 1
    return joined_by
