"""Short ways to write transitions and tables in the tests of the tabular kernels."""

from typing import Any

import numpy as np

from rlkit.agents.tabular.records import Rule, Table, Transitions


def table(rows: Any) -> Any:
    q = np.array(rows, dtype=np.float64)
    return Table(q, np.zeros(q.shape, dtype=np.int64))


def rule(*, gamma: float = 0.5, alpha: float = 0.5, omega: float = 0.0) -> Any:
    return Rule(gamma, alpha, omega)


def transitions(*steps: Any, masks: Any = None, n_actions: int = 2) -> Any:
    """One step for each environment: (state, action, reward, next state, how the episode goes on).

    The last is "" (it does), "terminated", "truncated", or "invalid".
    """
    state, action, reward, next_state, end = zip(*steps, strict=True)
    masks = np.ones((len(steps), n_actions)) if masks is None else masks
    return Transitions(
        state=np.array(state, dtype=np.int64),
        action=np.array(action, dtype=np.int64),
        reward=np.array(reward, dtype=np.float32),
        discount=np.array([e != "terminated" for e in end], dtype=np.float32),
        next_state=np.array(next_state, dtype=np.int64),
        next_mask=np.array(masks, dtype=np.bool_),
        done=np.array([e in ("terminated", "truncated") for e in end]),
        valid=np.array([e != "invalid" for e in end]),
    )
