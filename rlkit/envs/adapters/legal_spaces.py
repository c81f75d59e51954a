"""What masks show, and action spaces of which only a part is legal now: what they sample may be done."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ...core.arrays import Array, namespace

Mask = npt.NDArray[Any]


def shown(legal: Array) -> Array:
    """The mask [B, A] of what is legal; all ones where nothing is, at the end, when any action will do."""
    return legal | ~namespace(legal).any(legal, axis=1, keepdims=True)


class LegalDiscrete(spaces.Discrete):
    """`Discrete`, but without a mask `sample` draws what is legal now."""

    def __init__(self, opening: Mask) -> None:
        super().__init__(len(opening))
        self.opening = opening.astype(np.int8)  # [A] what is legal whenever an episode begins
        self.legal = self.opening  # [A] what is legal now, kept by the environment

    def seed(self, seed: int | None = None) -> int:
        """Begin anew; what comes next is also legal at first if it can be, as a reset may come before it."""
        at_first_too = self.legal & self.opening
        if at_first_too.any():
            self.legal = at_first_too
        return super().seed(seed)

    def sample(self, mask: Mask | None = None, probability: Mask | None = None) -> np.int64:
        """A legal action, or as Gymnasium's with a mask or probabilities."""
        if mask is None and probability is None and self.legal.any():
            mask = self.legal
        return super().sample(mask, probability)


class LegalMultiDiscrete(spaces.MultiDiscrete):
    """The same for a batch."""

    legal: Mask | None = None  # [B, A]

    def sample(self, mask: Any = None, probability: Any = None) -> Mask:
        """A legal action for each environment, or as Gymnasium's with a mask or probabilities."""
        if mask is not None or probability is not None or self.legal is None:
            return super().sample(mask, probability)
        drawn = self.np_random.random(self.legal.shape) * (self.legal > 0)
        chosen: Mask = drawn.argmax(axis=1).astype(self.dtype)
        return chosen
