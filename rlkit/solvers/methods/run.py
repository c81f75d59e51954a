"""A method found by its name, given what it asks for, and what it returns looked at."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from rlkit.core.mdp import MDP, IntArray
from rlkit.errors import blamed
from rlkit.registry import find, home_of, names
from rlkit.solvers.graph import Components
from rlkit.solvers.methods.values import Values
from rlkit.solvers.options import Options, SolveError

Method = Callable[..., Any]


def method_names() -> tuple[str, ...]:
    """The methods that have a name, "auto" first, which chooses among them."""
    return ("auto", *names("method"))


def name_of(method: str | Method) -> str:
    """How a method is called in a solution and in errors."""
    return method if isinstance(method, str) else home_of(method) or repr(method)


def run(
    method: str | Method, mdp: MDP, *, gamma: float, start: IntArray, order: Components, options: Options
) -> Values:
    """Values near the optimal ones by a method: a name, "module:function", or a function.

    It is called with a model in which the Bellman equation has one solution, with `gamma`, and with what it
    has parameters for: `epsilon`, `max_sweeps`, `give_up`, `device`, `start` (choices [S] of a policy, which
    ends at gamma = 1), `order` (the `components`). Raises `SolveError` if it fails, or returns
    anything but finite values [S] and the number of its sweeps.
    """
    function = find("method", method) if isinstance(method, str) else method
    offered = {
        "epsilon": options.epsilon,
        "max_sweeps": options.max_sweeps,
        "give_up": options.gives_up,
        "device": options.device,
        "start": start,
        "order": order,
    }
    name = name_of(method)
    try:
        asked = signature(function)
        given = {name: x for name, x in offered.items() if name in asked.parameters}
        asked.bind(mdp, gamma=gamma, **given)
    except (TypeError, ValueError) as error:  # inspect knows no signature of some builtins
        raise SolveError(f"method {name!r} cannot be called as method(mdp, gamma=...): {error}") from None
    with blamed(SolveError, f"method {name!r} failed"):
        found = function(mdp, gamma=gamma, **given)
    try:
        value, sweeps = np.array(found[0], dtype=np.float64), int(found[1])
    except (TypeError, ValueError, IndexError, KeyError):
        value, sweeps = np.empty(0), 0
    if value.shape != (mdp.n_states,) or not np.isfinite(value).all():
        raise SolveError(f"method {name!r} must return finite values [{mdp.n_states}] and a number of sweeps")
    value[mdp.terminal] = 0.0
    return Values(value, sweeps)
