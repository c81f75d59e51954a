"""How a model is to be solved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every objective needs to know besides the model."""

    minimize: bool = False
    epsilon: float = 1e-6  # largest gap between the bounds, relative to max(1, |value|)
    method: str = "value-iteration"
    max_sweeps: int = 100_000
