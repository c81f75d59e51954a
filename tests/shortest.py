"""The shortest way to success in a model without chance, by a search that knows only its transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlkit.core.model import leaves, take


def plan(model: Any, start: int = 0, *, most: int = 400_000) -> list[int] | None:
    """Actions of a shortest way from that start to a reward; None if there is none."""
    found: set[bytes] = set()
    frontier = _fresh(model.initial(np.array([start])), found)[0]
    trail: list[tuple[np.ndarray, np.ndarray]] = []  # at each depth the row that led here, and the action
    while len(leaves(frontier)[0]) and len(found) < most:
        n = len(leaves(frontier)[0])
        row, action = np.repeat(np.arange(n), model.n_actions), np.tile(np.arange(model.n_actions), n)
        step = model.transition(take(frontier, row), action, np.zeros_like(action))
        if (step.reward > 0).any():
            at = int(np.argmax(step.reward > 0))
            actions, at = [int(action[at])], int(row[at])
            for rows, taken in reversed(trail):
                actions.append(int(taken[at]))
                at = int(rows[at])
            return actions[::-1]
        going = np.flatnonzero(~step.terminated)
        frontier, kept = _fresh(take(step.state, going), found)
        trail.append((row[going[kept]], action[going[kept]]))
    return None


def _fresh(states: Any, found: set[bytes]) -> tuple[Any, np.ndarray]:
    """Those states that were not found before, now marked as found, and their numbers."""
    columns = [np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8) for x in leaves(states)]
    rows = np.concatenate([c.reshape(len(c), -1) for c in columns], axis=1)
    new = []
    for i, row in enumerate(rows):
        key = row.tobytes()
        if key not in found:
            found.add(key)
            new.append(i)
    kept = np.array(new, dtype=np.int64)
    return take(states, kept), kept
