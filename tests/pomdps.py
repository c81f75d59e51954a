"""Small POMDPs in exact fractions, their optimum over policy trees, and random ones."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np

from rlkit.core import MDP, POMDP, ModelWarning, from_triplets

Row = tuple[int, int, int, float, float]  # state, action, successor, probability, reward


def pomdp_of(rows: list[Row], observation: list[int], initial: list[float] | int = 0) -> POMDP:
    """A POMDP of transitions given one by one."""
    s, a, t, p, r = (np.array(column) for column in zip(*rows, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        mdp = from_triplets(s, a, t, p, n_states=len(observation), reward=r, initial=initial)
    return POMDP(mdp=mdp, observation=np.array(observation))


def random_pomdp(seed: int, *, states: int = 6, classes: int = 3, actions: int = 2, wide: int = 2) -> POMDP:
    """Every state offers all actions, of `wide` successors at most; the last state ends."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for s in range(states - 1):
        for a in range(actions):
            reward = float(rng.integers(-8, 9)) / 4
            for t in rng.choice(states, size=wide):
                rows.append((s, a, int(t), 1 / wide, reward))
    initial = rng.multinomial(8, np.full(states, 1 / states)) / 8
    return pomdp_of(rows, rng.integers(classes, size=states).tolist(), initial.tolist())


def tiger() -> POMDP:
    """State 3 side + heard: listening costs 1 and is right with 0.85 (Kaelbling et al. 1998, section 5.1)."""
    rows = []
    for side in range(2):
        for s in (3 * side, 3 * side + 1, 3 * side + 2):
            rows += [(s, 0, 3 * side + 1 + heard, 0.85 if heard == side else 0.15, -1.0) for heard in (0, 1)]
            for door in range(2):
                rows += [(s, 1 + door, 3 * t, 0.5, -100.0 if door == side else 10.0) for t in (0, 1)]
    return pomdp_of(rows, [0, 1, 2, 0, 1, 2], [0.5, 0, 0, 0.5, 0, 0])


def tree_value(pomdp: POMDP, horizon: int) -> Fraction:
    """The best policy tree by recursion over histories, without beliefs, discount or floats.

    A history carries the joint probability of itself and each state, never normalised.
    """
    mdp = pomdp.mdp
    moves = _moves(mdp)

    decay = _exact(mdp.reward_decay)

    def best(joint: dict[int, Fraction], left: int) -> Fraction:
        alive = {s: w for s, w in joint.items() if not mdp.terminal[s]}
        if not alive or not left:
            return Fraction(0)
        offered = {a for s, a in moves if s in alive}
        values = []
        for a in offered:
            total = Fraction(0)
            after: dict[Any, Any] = {}
            for s, w in alive.items():
                for t, p, r in moves[s, a]:
                    total += w * p * r * (1 - decay * (horizon - left + 1))
                    seen = after.setdefault(int(pomdp.observation[t]), {})
                    seen[t] = seen.get(t, Fraction(0)) + w * p
            values.append(total + sum(best(x, left - 1) for x in after.values()))
        return max(values)

    first: dict[int, dict[int, Fraction]] = {}
    for s in np.flatnonzero(mdp.initial).tolist():
        first.setdefault(int(pomdp.observation[s]), {})[s] = _exact(mdp.initial[s])
    return sum((best(joint, horizon) for joint in first.values()), Fraction(0))


def _moves(mdp: MDP) -> dict[tuple[int, int], list[tuple[int, Fraction, Fraction]]]:
    moves: dict[tuple[int, int], list[tuple[int, Fraction, Fraction]]] = {}
    for c in range(mdp.n_choices):
        own = range(mdp.choice_ptr[c], mdp.choice_ptr[c + 1])
        moves[int(mdp.state_of_choice[c]), int(mdp.action[c])] = [
            (int(mdp.successor[i]), _exact(mdp.probability[i]), _exact(mdp.reward[c])) for i in own
        ]
    return moves


def _exact(x: float) -> Fraction:
    return Fraction(float(x)).limit_denominator(10**6)
