"""How a model is to be solved."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from rlkit.core.mdp import MDP
from rlkit.core.pomdp import POMDP
from rlkit.errors import RlkitError

EXACT = 400  # states up to which fractions settle what bounds do not
SMALL = 2_000  # states up to which a factorisation is always cheap
MEDIUM = 50_000  # states up to which it costs no more than a few hundred sweeps
LONGEST = 10**9  # steps of a horizon


class SolveError(RlkitError, ValueError):
    """An argument of `solve` out of range, or one that does not go with the objective or the model."""


class WrongModel(SolveError, TypeError):
    """Something that is no model of the kind a solver takes."""


def check_kind(solver: str, given: object, kind: type[MDP] | type[POMDP]) -> None:
    """Raise `WrongModel`, which says where models come from, for anything that is not of this kind."""
    if isinstance(given, kind):
        return
    what = repr(given) if given is None or isinstance(given, str) else f"an object of {type(given).__name__}"
    raise WrongModel(
        f"{solver} takes {'an MDP' if kind is MDP else 'a POMDP'}, not {what}; rlkit.exact(ID) gives the "
        "model of an environment, rlkit.core.files.read_model(FILE) that of a file"
    )


def discount_for(mdp: MDP, gamma: float | None, horizon: int | None = None) -> float:
    """gamma, or the model's discount where none is given.

    Raises `SolveError` for a gamma or horizon out of range, or of another kind.
    """
    if gamma is not None and not (isinstance(gamma, Real) and 0 <= gamma <= 1):
        raise SolveError(f"gamma must lie in [0, 1], not {gamma!r}")
    if horizon is not None and not (isinstance(horizon, Integral) and 0 <= int(horizon) <= LONGEST):
        raise SolveError(f"horizon must be a whole number from 0 to {LONGEST:,}, not {horizon!r}")
    return mdp.discount if gamma is None else gamma


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every objective needs to know besides the model."""

    minimize: bool = False
    epsilon: float = 1e-6  # largest gap between the bounds, relative to max(1, |value|)
    method: str | Callable[..., Any] = "auto"
    max_sweeps: int = 100_000
    device: str = "cpu"

    def methods(
        self, states: int, *, gamma: float, largest: float = 1.0
    ) -> tuple[str | Callable[..., Any], ...]:
        """The methods to try in turn: sweeps suit a model that mixes, factorisations one that does not.

        `largest` is the share of the states in one component: a model of many is swept one after the other.
        """
        if self.method != "auto":
            return (self.method,)
        if self.device != "cpu":
            return ("synchronous", "policy-iteration")
        if states <= EXACT:
            return ("policy-iteration", "exact")
        if states <= SMALL:
            return ("policy-iteration",)
        sweeps = ("value-iteration", "policy-iteration")
        return ("modified-policy-iteration", *sweeps) if gamma < 1 and largest > 0.5 else sweeps

    @property
    def sweeps_once(self) -> bool:
        """Whether one sweep, successors first, is what was asked for, where it is exact."""
        return self.method in ("auto", "value-iteration") and self.device == "cpu"

    @property
    def gives_up(self) -> bool:
        """Whether another method stands ready, so that one that does badly need not be carried through."""
        return self.method == "auto" and self.device == "cpu"
