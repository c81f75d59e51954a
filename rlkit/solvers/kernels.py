"""Loops over states, written once: plain Python on small models, compiled by numba on large ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np

from rlkit.core.mdp import BoolArray, FloatArray, IntArray

F = TypeVar("F", bound=Callable[..., Any])

COMPILE_FROM = 10_000  # transitions; below, compiling takes longer than running


def kernel(function: F, transitions: int) -> F:
    """The function itself for a small model, its compiled form for a large one."""
    return function if transitions < COMPILE_FROM else _compiled(function)


@cache
def _compiled(function: F) -> F:
    import numba

    return cast(F, numba.njit(cache=True)(function))


def topological_sweeps(
    state_ptr: IntArray,
    choice_ptr: IntArray,
    successor: IntArray,
    probability: FloatArray,
    reward: FloatArray,
    order: IntArray,
    component_ptr: IntArray,
    cyclic: BoolArray,
    gamma: float,
    tolerance: float,
    max_sweeps: int,
    v: FloatArray,
) -> int:
    """Back up v [S] in place, component after component, successors first; returns the backups made.

    `order` lists the states by component, `component_ptr` where each begins. A component without a cycle
    takes one backup (Lemma 6.42), any other sweeps until its largest change is at most `tolerance`.
    """
    backups = 0
    for k in range(len(component_ptr) - 1):
        first, last = component_ptr[k], component_ptr[k + 1]
        for _ in range(max_sweeps if cyclic[k] else 1):
            change = 0.0
            for i in range(first, last):
                s = order[i]
                if state_ptr[s] == state_ptr[s + 1]:
                    continue
                backups += 1
                best = -np.inf
                for c in range(state_ptr[s], state_ptr[s + 1]):
                    expected = 0.0
                    for t in range(choice_ptr[c], choice_ptr[c + 1]):
                        expected += probability[t] * v[successor[t]]
                    best = max(best, reward[c] + gamma * expected)
                change = max(change, abs(best - v[s]))
                v[s] = best
            if change <= tolerance:
                break
    return backups


def attract(
    target: BoolArray,
    allowed: BoolArray,
    owner: IntArray,
    into_ptr: IntArray,
    into_choice: IntArray,
) -> IntArray:
    """For each state the allowed choice that first leads towards the target, [S]; -1 where none does.

    `into_choice[into_ptr[s]:into_ptr[s+1]]` are the choices that may lead to s. The search runs backwards
    from the target, breadth-first; target states keep -1.
    """
    toward = np.full(len(target), -1, dtype=np.int64)
    queue = np.flatnonzero(target)
    found = target.copy()
    pending = np.empty(len(target), dtype=np.int64)
    pending[: len(queue)] = queue
    head, tail = 0, len(queue)
    while head < tail:
        t = pending[head]
        head += 1
        for i in range(into_ptr[t], into_ptr[t + 1]):
            c = into_choice[i]
            s = owner[c]
            if allowed[c] and not found[s]:
                found[s] = True
                toward[s] = c
                pending[tail] = s
                tail += 1
    return toward


def attract_all(
    target: BoolArray, choices_left: IntArray, owner: IntArray, into_ptr: IntArray, into_choice: IntArray
) -> BoolArray:
    """Which states, of whatever choice they take, move towards the target with positive probability, [S].

    `choices_left` [S] starts as the number of choices and is used up. Target states are not marked.
    """
    found = np.zeros(len(target), dtype=np.bool_)
    seen = np.zeros(len(owner), dtype=np.bool_)
    pending = np.empty(len(target), dtype=np.int64)
    starts = np.flatnonzero(target)
    pending[: len(starts)] = starts
    head, tail = 0, len(starts)
    while head < tail:
        t = pending[head]
        head += 1
        for i in range(into_ptr[t], into_ptr[t + 1]):
            c = into_choice[i]
            s = owner[c]
            if seen[c] or target[s] or found[s]:
                continue
            seen[c] = True
            choices_left[s] -= 1
            if choices_left[s] == 0:
                found[s] = True
                pending[tail] = s
                tail += 1
    return found
