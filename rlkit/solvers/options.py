"""How a model is to be solved."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = (
    "auto",
    "value-iteration",
    "synchronous",
    "gauss-seidel",
    "policy-iteration",
    "modified-policy-iteration",
    "linear-programming",
    "exact",
)

SMALL = 2_000  # states up to which a factorisation is always cheap
PATIENCE = 2_000  # sweeps worth making before a factorisation


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every objective needs to know besides the model."""

    minimize: bool = False
    epsilon: float = 1e-6  # largest gap between the bounds, relative to max(1, |value|)
    method: str = "auto"
    max_sweeps: int = 100_000

    def methods(self, states: int, *, gamma: float) -> tuple[str, ...]:
        """The methods to try in turn: sweeps suit a model that mixes, factorisations one that does not."""
        if self.method != "auto":
            return (self.method,)
        if states <= SMALL:
            return ("policy-iteration",)
        sweeps = ("value-iteration", "policy-iteration")
        return ("synchronous", *sweeps) if gamma < 1 else sweeps

    @property
    def patience(self) -> int:
        """Sweeps to make before something else is tried, or before giving up."""
        return PATIENCE if self.method == "auto" else self.max_sweeps
