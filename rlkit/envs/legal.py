"""Action spaces of which only a part is legal now: what they sample may be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

Mask = npt.NDArray[Any]


class LegalDiscrete(spaces.Discrete):
    """`Discrete`, but without a mask `sample` draws what is legal now; once seeded, what is at first."""

    def __init__(self, opening: Mask) -> None:
        super().__init__(len(opening))
        self.opening = opening.astype(np.int8)  # [A] what is legal whenever an episode begins
        self.legal = self.opening  # [A] what is legal now, kept by the environment

    def seed(self, seed: int | None = None) -> int:
        """Begin anew, with what is legal at first."""
        self.legal = self.opening
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
