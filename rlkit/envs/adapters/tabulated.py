"""A small model as tables, which a compiled loop steps where a batch runs long enough to load a compiler."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.errors import NoExactModel
from ...core.model import Model, leaves, take

Table = npt.NDArray[Any]

LARGEST = 2_000_000  # outcomes of the tables


@dataclass(frozen=True)
class Tabulated:
    """What every event of every action does in every state, [S, A, E]."""

    cumulative: npt.NDArray[np.float64]
    successor: npt.NDArray[np.int64]
    reward: npt.NDArray[np.float64]
    ended: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]  # [n_starts] first states
    thresholds: npt.NDArray[np.float64] | None  # between which their draws lie; None if drawn in another way

    @property
    def tables(self) -> tuple[Table, Table, Table, Table]:
        """What `kernels.advance` reads."""
        return self.cumulative, self.successor, self.reward, self.ended


def tabulated(model: Model[Any]) -> Tabulated | None:
    """The tables of a numpy model whose state is its number; None for others, and for large ones."""
    try:
        states = model.all_states()
    except NoExactModel:
        return None
    if states is None:
        return None
    numbers = leaves(states)
    n = len(numbers[0])
    shape = (n, model.n_actions, model.n_events)
    if len(numbers) > 1 or np.prod(shape) > LARGEST or not np.array_equal(numbers[0], np.arange(n)):
        return None
    state, action, event = (x.ravel() for x in np.indices(shape))
    probs = model.event_probs(take(states, state[:: shape[2]]), action[:: shape[2]])
    possible = (probs > 0).ravel()
    step = model.transition(take(states, state), action, np.where(possible, event, 0))
    (successor,) = leaves(step.state)
    kind = type(model)
    drawn = kind.start_probs is not Model.start_probs and kind.start_event is Model.start_event
    usual = model.n_starts == 1 or drawn
    return Tabulated(
        cumulative=np.cumsum(probs, axis=1).reshape(shape),
        successor=successor.astype(np.int64).reshape(shape),
        reward=np.broadcast_to(step.reward, len(state)).astype(np.float64).reshape(shape),
        ended=step.terminated.reshape(shape),
        starts=leaves(model.initial(np.arange(model.n_starts)))[0],
        thresholds=np.cumsum(model.start_probs())[:-1] if usual else None,
    )
