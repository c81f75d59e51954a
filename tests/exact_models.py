"""Small random models in exact fractions, and the value of every policy of them, one by one."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st

from rlkit.core import MDP, ModelWarning, from_triplets

INF = float("inf")
Row = dict[int, Fraction]
Chain = list[tuple[Fraction, Row]]
Value = list[Fraction | float]
Evaluate = Callable[[Chain], Value | None]


@dataclass(frozen=True)
class Exact:
    """A model in fractions: for each state its choices, each a reward and a row of probabilities."""

    choices: list[list[tuple[Fraction, Row]]]
    doubled: bool = False  # whether each transition is given as two parallel ones of different reward

    @property
    def n(self) -> int:
        return len(self.choices)

    def mdp(self) -> MDP:
        parts = [(0.5, 1.0), (0.5, -1.0)] if self.doubled else [(1.0, 0.0)]
        rows = [
            (s, a, t, share * float(p), float(reward) + more)
            for s, offered in enumerate(self.choices)
            for a, (reward, row) in enumerate(offered)
            for t, p in row.items()
            for share, more in parts
        ]
        columns = np.array(rows, dtype=float).reshape(-1, 5).T
        s, a, t = (columns[i].astype(int) for i in range(3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)  # unreachable states are part of the test
            return from_triplets(s, a, t, columns[3], n_states=self.n, reward=columns[4])

    def policies(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(range(max(len(offered), 1)) for offered in self.choices))

    def chain(self, policy: tuple[int, ...]) -> list[tuple[Fraction, Row]]:
        stop: tuple[Fraction, Row] = (Fraction(0), {})
        return [offered[a] if offered else stop for offered, a in zip(self.choices, policy, strict=True)]


def triplets(rows: list[tuple[float, ...]], **fields: object) -> MDP:
    """A model of rows of state, action, successor, probability, reward."""
    s, a, t, p, r = zip(*rows, strict=True)
    fields.setdefault("n_states", max(*s, *t) + 1)
    return from_triplets(s, a, t, p, reward=r, **fields)


def linear(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solve by Gauss and Jordan; each row ends with its right-hand side."""
    n = len(rows)
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], [x / rows[pivot][k] for x in rows[pivot]]
        for i in range(n):
            if i != k and rows[i][k]:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def reached_from(chain: list[tuple[Fraction, Row]]) -> list[set[int]]:
    reach = [{s} for s in range(len(chain))]
    for _ in chain:
        reach = [r.union(*(reach[t] for t in chain[s][1])) for s, r in enumerate(reach)]
    return reach


def solve_chain(chain: list[tuple[Fraction, Row]], states: list[int], gamma: Fraction) -> dict[int, Fraction]:
    rows = [
        [Fraction(s == t) - gamma * chain[s][1].get(t, Fraction(0)) for t in states] + [chain[s][0]]
        for s in states
    ]
    return dict(zip(states, linear(rows), strict=True))


def chain_value(chain: list[tuple[Fraction, Row]], gamma: Fraction) -> list[Fraction | float] | None:
    """Value of a Markov chain in every state; None where the total reward is not defined."""
    n = len(chain)
    if gamma < 1:
        return list(solve_chain(chain, list(range(n)), gamma).values())
    reach = reached_from(chain)
    value: list[Fraction | float] = [Fraction(0)] * n
    recurrent = [all(s in reach[t] for t in reach[s]) for s in range(n)]
    endless: dict[int, float] = {}
    for s in range(n):
        members = sorted(reach[s]) if recurrent[s] else []
        if any(chain[t][0] for t in members):
            balance = [
                [chain[t][1].get(u, Fraction(0)) - (t == u) for t in members] + [Fraction(0)]
                for u in members[1:]
            ]
            stationary = linear([[Fraction(1)] * (len(members) + 1), *balance])
            gain = sum(p * chain[t][0] for p, t in zip(stationary, members, strict=True))
            if not gain:
                return None
            endless[s] = INF if gain > 0 else -INF
    for s in range(n):
        ends = {endless[t] for t in reach[s] if t in endless}
        if len(ends) == 2:
            return None
        if ends:
            value[s] = ends.pop()
    finite = [s for s in range(n) if value[s] == 0 and not recurrent[s]]
    for s, v in solve_chain(chain, finite, Fraction(1)).items():
        value[s] = v
    return value


def optimum(model: Exact, evaluate: Evaluate, minimize: bool) -> Value | None:
    """Best value over all stationary policies; None where some policy has no defined value."""
    pick = min if minimize else max
    best: Value | None = None
    for policy in model.policies():
        value = evaluate(model.chain(policy))
        if value is None:
            return None
        best = value if best is None else [pick(a, b) for a, b in zip(best, value, strict=True)]
    return best


def chain_gain(chain: Chain) -> Value:
    """Average reward a step of a Markov chain from every state; 0 where it ends."""
    reach = reached_from(chain)
    recurrent = [all(s in reach[t] for t in reach[s]) for s in range(len(chain))]
    gain: dict[int, Fraction] = {}
    for s, members in enumerate(sorted(r) for r in reach):
        if not recurrent[s]:
            continue
        balance = [
            [chain[t][1].get(u, Fraction(0)) - (t == u) for t in members] + [Fraction(0)] for u in members[1:]
        ]
        ends = not chain[s][1]
        stationary = [Fraction(1)] if ends else linear([[Fraction(1)] * (len(members) + 1), *balance])
        gain[s] = sum((p * chain[t][0] for p, t in zip(stationary, members, strict=True)), Fraction(0))
    moving = [(sum((p * gain[t] for t, p in row.items() if t in gain), Fraction(0)), row) for _, row in chain]
    transient = [s for s in range(len(chain)) if s not in gain]
    gain |= solve_chain(moving, transient, Fraction(1))
    return [gain[s] for s in range(len(chain))]


def chain_reach(chain: Chain, target: set[int]) -> Value:
    """Probability of reaching the target."""
    stopped = [(Fraction(0), {} if s in target else row) for s, (_, row) in enumerate(chain)]
    reach = reached_from(stopped)
    moving = [s for s in range(len(chain)) if s not in target and reach[s] & target]
    entering = [(sum((p for t, p in row.items() if t in target), Fraction(0)), row) for _, row in stopped]
    found = solve_chain(entering, moving, Fraction(1))
    return [Fraction(1) if s in target else found.get(s, Fraction(0)) for s in range(len(chain))]


def chain_reach_reward(chain: Chain, target: set[int]) -> Value:
    """Reward before the target is entered; inf where it may be missed."""
    probability = chain_reach(chain, target)
    sure = [s for s in range(len(chain)) if probability[s] == 1 and s not in target]
    found = solve_chain(chain, sure, Fraction(1))
    return [Fraction(0) if s in target else found.get(s, INF) for s in range(len(chain))]


@st.composite
def models(draw: st.DrawFn, signs: str = "mixed", acyclic: bool = False) -> Exact:
    """Cycles, end components, unreachable parts, terminal states, parallel transitions, 0 to 3 actions.

    Rewards are eighths, so that they and their sums are exact floats; half of them are 0, so that there
    are components which pay nothing.
    """
    low, high = {"mixed": (-16, 16), "positive": (0, 16), "negative": (-16, 0)}[signs]
    rewards = st.one_of(st.just(0), st.integers(low, high)).map(lambda i: Fraction(i, 8))
    n = draw(st.integers(1, 4))
    choices = []
    for s in range(n):
        offered = []
        successors = range(s + 1, n) if acyclic else range(n)
        for _ in range(draw(st.integers(0, 3)) if len(successors) else 0):
            targets = draw(st.lists(st.sampled_from(successors), min_size=1, max_size=3, unique=True))
            weights = [draw(st.integers(1, 4)) for _ in targets]
            row = {t: Fraction(w, sum(weights)) for t, w in zip(targets, weights, strict=True)}
            offered.append((draw(rewards), row))
        choices.append(offered)
    return Exact(choices, draw(st.booleans()))


def within(solution: object, exact: list[Fraction | float]) -> None:
    """The certificate holds the exact optimum, up to rounding, and is as tight as it says."""
    slack = [1e-11 * max(1.0, abs(float(x))) if abs(x) != INF else 0.0 for x in exact]
    for s, (x, e) in enumerate(zip(exact, slack, strict=True)):
        assert solution.lower[s] - e <= x <= solution.upper[s] + e, (s, x)
        assert solution.lower[s] <= solution.value[s] <= solution.upper[s]
        if solution.converged:
            assert solution.value[s] == pytest.approx(float(x), rel=solution.epsilon, abs=solution.epsilon)
