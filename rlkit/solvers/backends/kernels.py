"""Loops over states, written once: plain Python on small models, compiled by numba on large ones."""

from collections.abc import Callable
from functools import cache
from heapq import heappop, heappush
from types import FunctionType
from typing import Any, TypeVar, cast

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.machine_code import machine_code

F = TypeVar("F", bound=Callable[..., Any])

COMPILE_FROM = 1_000_000  # visits of transitions; below, loading the compiler takes longer than running
FAR = 1e300  # stands for infinitely far


def kernel(function: F, visits: int) -> F:
    """The function itself where it visits few transitions, its compiled form where it visits many."""
    return function if visits < COMPILE_FROM else compiled(function)


@cache
def compiled(function: F) -> F:
    """The function, with what it calls here, as machine code: kept on disk, it runs beside other threads."""
    called = {name: compiled(globals()[name]) for name in function.__code__.co_names if name in PARTS}
    whole = FunctionType(function.__code__, {**globals(), **called}, function.__name__)
    whole.__qualname__, whole.__module__ = function.__qualname__, function.__module__
    return cast(F, machine_code(nogil=True)(whole))


def unsigned(index: IntArray) -> IntArray:
    """The same indices read as unsigned, which spares compiled loops a test for negative ones (3x)."""
    return index.view(np.uint32) if index.dtype == np.int32 else index


# state_ptr [S+1], choice_ptr [C+1], successor [T], probability [T] and reward [C] of a model
Arrays = tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]


def arrays(mdp: MDP) -> Arrays:
    """What a backup reads of a model."""
    pointers = (unsigned(mdp.state_ptr), unsigned(mdp.choice_ptr), unsigned(mdp.successor))
    return (*pointers, mdp.probability, mdp.reward)


def backed_up(
    s: int,
    state_ptr: IntArray,
    choice_ptr: IntArray,
    successor: IntArray,
    probability: FloatArray,
    reward: FloatArray,
    gamma: float,
    v: FloatArray,
    stretch: FloatArray | None,
) -> tuple[float, np.int64]:
    """The largest value of a choice of state s, and the first choice of it; 0 and -1 where there is none.

    `stretch` [C], as `stretches` gives it, is how many times as far as by one backup v is moved.
    """
    first, last = state_ptr[s], state_ptr[s + 1]
    if first == last:
        return 0.0, np.int64(-1)
    best, pick = -np.inf, np.int64(-1)
    t = choice_ptr[first]
    for c in range(first, last):
        expected = 0.0
        stop = choice_ptr[c + 1]
        while t < stop:
            expected += probability[t] * v[successor[t]]
            t += 1
        value = reward[c] + gamma * expected
        if stretch is not None:
            value = v[s] + (value - v[s]) * stretch[c]
        if value > best:
            best, pick = value, np.int64(c)
    return best, pick


PARTS = ("backed_up",)  # of the loops below


def sweep(
    model: Arrays,
    gamma: float,
    v: FloatArray,
    out: FloatArray,
    choice: IntArray,
    begin: int,
    end: int,
) -> tuple[float, float]:
    """Back up the states begin..end-1 from v [S] into `out` [S], and their best choices into `choice` [S].

    Returns the smallest and the largest change; terminal states have the value 0.
    """
    state_ptr, choice_ptr, successor, probability, reward = model
    low, high = np.inf, -np.inf
    for s in range(begin, end):
        best, pick = backed_up(s, state_ptr, choice_ptr, successor, probability, reward, gamma, v, None)
        change = best - v[s]
        out[s], choice[s] = best, pick
        low, high = min(low, change), max(high, change)
    return low, high


def stretches(model: Arrays, gamma: float) -> FloatArray:
    """How often each choice is taken in a row, with discount, where it is taken until it leaves, [C].

    That is 1 / (1 - gamma p), p being its probability to stay. To move v as many times as far as one backup
    does spares the sweeps that count how often it stays (Puterman 1994, section 6.3.3).
    """
    state_ptr, choice_ptr, successor, probability, _ = model
    stretch = np.ones(len(choice_ptr) - 1)
    for s in range(len(state_ptr) - 1):
        for c in range(state_ptr[s], state_ptr[s + 1]):
            staying = 0.0
            for t in range(choice_ptr[c], choice_ptr[c + 1]):
                if successor[t] == s:
                    staying += gamma * probability[t]
            stretch[c] = 1 / (1 - staying) if staying < 1 else FAR
    return stretch


def settle(
    model: Arrays,
    gamma: float,
    stretch: FloatArray,
    v: FloatArray,
    order: IntArray,
    component_ptr: IntArray,
    cyclic: BoolArray,
    tolerance: float,
    max_sweeps: int,
    trial: int,
    report: Callable[[FloatArray], None] | None,
) -> int:
    """Back up v [S] in place, component after component, successors first; returns the backups made.

    `order` lists the states by component, `component_ptr` where each begins. A component without a cycle
    takes one backup (Lemma 6.42), any other is swept to and fro until its largest change is at most
    `tolerance`, at most `max_sweeps` times, and given up where every `trial` sweeps the progress since the
    last time promises more than that. `stretch` [C] is what `stretches` gives. `report` gets v after each
    sweep of a component with a cycle, and in the end.
    """
    state_ptr, choice_ptr, successor, probability, reward = model
    backups = 0
    for k in range(len(component_ptr) - 1):
        begin, end = component_ptr[k], component_ptr[k + 1]
        before = np.inf
        for turn in range(max_sweeps if cyclic[k] else 1):
            largest = 0.0
            for i in range(begin, end):
                s = order[i] if turn % 2 == 0 else order[begin + end - 1 - i]
                if state_ptr[s] == state_ptr[s + 1]:
                    continue
                backups += 1
                best, _ = backed_up(
                    s, state_ptr, choice_ptr, successor, probability, reward, gamma, v, stretch
                )
                largest = max(largest, abs(best - v[s]))
                v[s] = best
            if report is not None:  # noqa: SIM102  numba drops this where it is a condition of its own
                if cyclic[k] or k == len(component_ptr) - 2:
                    report(v)
            if largest <= tolerance:
                break
            if turn % trial == trial - 1:
                ahead = trial * np.log(largest / tolerance) if tolerance > 0 else np.inf
                if largest >= before or ahead > (max_sweeps - turn) * np.log(before / largest):
                    break
                before = largest
    return backups


def prioritized(
    model: Arrays,
    gamma: float,
    stretch: FloatArray,
    v: FloatArray,
    owner: IntArray,
    into_ptr: IntArray,
    into_choice: IntArray,
    into_probability: FloatArray,
    tolerance: float,
    max_backups: int,
    report: Callable[[FloatArray], None] | None,
) -> int:
    """Back up v [S] in place, always a state that may change most; returns the backups made.

    What a state can change by is bounded by what its successors have changed since it was backed up, each
    times the probability of going there; states are told apart by its power of two. `stretch` is as above;
    `report` gets v after each backup.
    `into_choice[into_ptr[s]:into_ptr[s+1]]` are the choices that may lead to s, `owner` [C] whose they are.
    Ends when no state can change by more than `tolerance`. Source: Moore and Atkeson 1993.
    """
    state_ptr, choice_ptr, successor, probability, reward = model
    n = len(v)
    may_change = np.where(state_ptr[1:] > state_ptr[:n], np.inf, 0.0)
    urgency = may_change.copy()  # the power of two under which a state is queued; -inf: not at all
    queue: list[tuple[float, Any]] = [(-np.inf, s) for s in range(n) if may_change[s] > 0]
    backups = 0
    while len(queue) > 0 and backups < max_backups:
        key, s = heappop(queue)
        if -key != urgency[s]:
            continue  # it has become more urgent, and was backed up since
        backups += 1
        may_change[s], urgency[s] = 0.0, -np.inf
        best, _ = backed_up(s, state_ptr, choice_ptr, successor, probability, reward, gamma, v, stretch)
        change, v[s] = abs(best - v[s]), best
        if report is not None:
            report(v)
        for i in range(into_ptr[s], into_ptr[s + 1]):
            c = into_choice[i]
            p = owner[c]
            if p == s or stretch[c] == FAR:
                continue
            may_change[p] += gamma * into_probability[i] * stretch[c] * change
            if tolerance < may_change[p] < np.inf:
                power = np.floor(np.log2(may_change[p]))
                if power > urgency[p]:
                    urgency[p] = power
                    heappush(queue, (-power, np.int64(p)))
    return backups


def strong_components(
    node_ptr: IntArray, successor: IntArray, allowed: BoolArray | None
) -> tuple[IntArray, IntArray, BoolArray]:
    """Strongly connected components of the edges `successor[node_ptr[s]:node_ptr[s+1]]` that are allowed [T].

    Returns the nodes by component [S], each component after those it leads to and in ascending order, where
    each begins [K+1], and whether it holds a cycle [K]. Source: Tarjan 1972.
    """
    n = len(node_ptr) - 1
    component, ends = np.empty(n, np.uint32), np.zeros(n + 1, np.uint32)
    cyclic, loops = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    number = np.zeros(n, np.uint32)  # when a node was first seen, 0 before and n + 1 once it is placed
    lowest = np.zeros(n, np.uint32)  # smallest number among the nodes not placed that it is known to reach
    path, stack = np.empty(n, np.uint32), np.empty(n, np.uint32)
    following = np.empty(n, node_ptr.dtype)  # the edge to follow next, of each node on the path
    seen, waiting, count = 0, 0, 0
    for root in range(n):
        if number[root] > 0:
            continue
        path[0], length = root, 1
        while length > 0:
            s = path[length - 1]
            if number[s] == 0:
                seen += 1
                number[s] = lowest[s] = seen
                following[length - 1] = node_ptr[s]
                stack[waiting] = s
                waiting += 1
            low, deeper, loop = lowest[s], False, loops[s]
            for e in range(following[length - 1], node_ptr[s + 1]):
                t = successor[e]
                if allowed is not None and not allowed[e]:
                    continue
                if number[t] == 0:
                    following[length - 1] = e
                    path[length] = t
                    deeper = True
                    break
                low = min(low, number[t])
                loop |= t == s
            lowest[s], loops[s] = low, loop
            if deeper:
                length += 1
                continue
            length -= 1
            if length > 0:
                lowest[path[length - 1]] = min(lowest[path[length - 1]], lowest[s])
            if lowest[s] == number[s]:
                begin = waiting
                while begin == waiting or stack[waiting] != s:
                    waiting -= 1
                    number[stack[waiting]] = n + 1
                    component[stack[waiting]] = count
                cyclic[count] = begin - waiting > 1 or loops[s]
                count += 1
                ends[count] = ends[count - 1] + begin - waiting
    order, place = stack, ends[:count].copy()
    for s in range(n):
        order[place[component[s]]] = s
        place[component[s]] += 1
    return order, ends[: count + 1], cyclic[:count]


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
