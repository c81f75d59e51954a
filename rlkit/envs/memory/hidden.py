"""What tasks that ask for memory share: equally likely starts and events."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ...core.arrays import Array, namespace
from ...core.model import Model

S = TypeVar("S")


class Hidden(Model[S]):
    """A partially observable task whose starts, and whose events, are equally likely."""

    hidden = True

    def start_probs(self) -> Array:
        """Every start is equally likely, [n_starts]."""
        return np.full(self.n_starts, 1 / self.n_starts)

    def start_event(self, u: Array) -> Array:
        """The equal part of [0, 1) that holds u [B]."""
        xp = namespace(u)
        return xp.astype(u * self.n_starts, xp.int64)

    def event_probs(self, state: S, action: Array) -> Array:
        """Every event is equally likely, [B, n_events]."""
        xp = namespace(action)
        shape = (action.shape[0], self.n_events)
        return xp.full(shape, 1 / self.n_events, dtype=xp.float64, device=action.device)

    def sample_event(self, state: S, action: Array, u: Array) -> Array:
        """The equal part of [0, 1) that holds u [B]."""
        xp = namespace(u)
        return xp.astype(u * self.n_events, xp.int64)
