"""Solve a model: choose a method, say why, and return a solution with its certificate."""

import time
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from rlkit.core.mdp import MDP, BoolArray
from rlkit.core.pomdp import POMDP
from rlkit.errors import none_of
from rlkit.solvers import objectives
from rlkit.solvers.graph import Components, components
from rlkit.solvers.methods.run import Method, method_names, name_of
from rlkit.solvers.options import SMALL, Options, SolveError, check_kind, discount_for
from rlkit.solvers.solution import Bounded, Solution

OBJECTIVES = ("discounted", "total", "reach-prob", "reach-reward", "finite-horizon", "average")

BY_TURNS = ("discounted", "total", "finite-horizon")  # objectives that two players can have
WITHIN_STEPS = ("finite-horizon", "reach-prob")  # objectives that can have a horizon
DEVICES = ("cpu", "cuda")
ON_GPU = ("auto", "synchronous")  # methods of which the sweeps can be made there
PLAN = 2 * 10**9  # choices of a plan that is kept


def solve(
    mdp: MDP,
    *,
    objective: str | None = None,
    gamma: float | None = None,
    horizon: int | None = None,
    target: str | Sequence[int] | BoolArray | None = None,
    avoid: str | Sequence[int] | BoolArray | None = None,
    minimize: bool = False,
    epsilon: float = 1e-6,
    method: str | Method = "auto",
    max_sweeps: int = 100_000,
    device: str = "cpu",
) -> Solution:
    """Solve an MDP and return value, policy and certificate.

    Without an `objective` it is finite-horizon if a horizon is given, else discounted for gamma < 1, else
    total. gamma is the model's discount unless given, and 1 where the objective does not support it.
    `target` is a label, the name of a state, a list of states or a mask [S], and so is `avoid`: where
    reach-prob gives up. With a horizon reach-prob counts so many steps. `method` is a name, "module:name" or
    a function like those of `rlkit.solvers.methods`. `device` "cuda" makes the sweeps on a GPU; the graph and
    the certificate stay on the processor.

    In a game of two players who take turns the value is that of the player to move, if both play their best:
    v(s) = max_a r(s,a) - gamma E[v(s')] (von Neumann 1928; Knuth and Moore 1975, section 2). That needs a
    horizon, or play that never comes back to a state.

    Raises `SolveError` for arguments out of range, `ModelError` for an unknown label, and `WrongModel`, which
    is also a `TypeError`, for anything but an MDP.
    """
    if isinstance(mdp, POMDP):
        raise SolveError(
            "this model is partially observable: rlkit.solvers.optimum finds the optimum with memory, "
            "solve(pomdp.full_information) that with full observability"
        )
    check_kind("solve", mdp, MDP)
    started = time.perf_counter()
    objective, gamma = _settle(mdp, objective, gamma, horizon)
    if (target is not None) != objective.startswith("reach"):
        raise SolveError(f"objective {objective} {'has no' if target is not None else 'needs a'} target")
    if avoid is not None and objective != "reach-prob":
        raise SolveError(f"objective {objective} has no states to avoid; reach-prob has")
    goal, avoided = _mask(mdp, "target", target), _mask(mdp, "avoid", avoid)
    if not (isinstance(epsilon, Real) and 0 < epsilon < np.inf):
        raise SolveError(f"epsilon must be a positive number, not {epsilon!r}")
    if not (isinstance(max_sweeps, Integral) and max_sweeps >= 1):
        raise SolveError(f"max_sweeps must be a whole number of at least 1, not {max_sweeps!r}")
    _check_method(mdp, objective, horizon, method, device)
    order = components(mdp)
    if mdp.zero_sum and horizon is None and not order.acyclic:
        raise SolveError("play can come back to a state of this game of two players: give a horizon")
    discount = mdp.sign * gamma
    options = Options(minimize=minimize, epsilon=epsilon, method=method, max_sweeps=max_sweeps, device=device)

    plan = None
    if objective == "finite-horizon":
        assert horizon is not None
        found, plan = objectives.finite_horizon(mdp, discount, horizon, options)
    elif objective == "reach-prob":
        found, plan = objectives.until(mdp, goal, avoided, horizon, options)
    elif objective == "reach-reward":
        found = objectives.reach_reward(mdp, goal, options)
    elif objective == "average":
        found = objectives.average(mdp, options)
    elif order.acyclic and options.sweeps_once:
        found = objectives.acyclic(mdp, discount, order, options)
    elif objective == "discounted":
        found = objectives.discounted(mdp, gamma, order, options)
    else:
        found = objectives.total(mdp, options)
    return Solution(
        mdp=mdp,
        objective=objective,
        minimize=minimize,
        gamma=gamma,
        horizon=horizon,
        target=None if target is None else goal,
        avoid=None if avoid is None else avoided,
        plan=None if plan is None else plan.choice,
        next_value=found.value if plan is None else plan.later,
        reason=_reason(mdp, order, objective, gamma, method, found),
        epsilon=epsilon,
        seconds=time.perf_counter() - started,
        **found._asdict(),
    )


def _settle(mdp: MDP, objective: str | None, gamma: float | None, horizon: int | None) -> tuple[str, float]:
    """The objective and the discount that the arguments ask for."""
    discount = discount_for(mdp, gamma, horizon)
    if horizon is not None and horizon * mdp.n_states > PLAN:
        message = f"a plan of {horizon} steps for {mdp.n_states} states is too large (at most {PLAN:,})"
        raise SolveError(message)
    if objective is None:
        objective = "finite-horizon" if horizon is not None else "discounted" if discount < 1 else "total"
    if objective not in OBJECTIVES:
        raise SolveError(none_of("objective", objective, OBJECTIVES))
    if horizon is None and objective == "finite-horizon":
        raise SolveError("objective finite-horizon needs a horizon")
    if horizon is not None and objective not in WITHIN_STEPS:
        raise SolveError(f"objective {objective} has no horizon; {' and '.join(WITHIN_STEPS)} have")
    if objective == "discounted" and discount == 1:
        raise SolveError("objective discounted needs a gamma below 1; with gamma 1 it is the total")
    if mdp.reward_decay and objective not in ("finite-horizon", "reach-prob"):
        message = f"the rewards of this model decay with time: give a horizon, not objective {objective}"
        raise SolveError(message)
    if mdp.zero_sum and objective not in BY_TURNS:
        raise SolveError(f"a game of two players has the objectives {', '.join(BY_TURNS)}, not {objective}")
    if objective in ("discounted", "finite-horizon"):
        return objective, discount
    if gamma is not None and gamma < 1:
        raise SolveError(f"objective {objective} does not support discounting, but gamma is {gamma}")
    return objective, 1.0


def _check_method(mdp: MDP, objective: str, horizon: int | None, method: str | Method, device: str) -> None:
    """Raise `SolveError` for a method or device that does not exist, or that this objective does not use."""
    within = " with a horizon" if horizon is not None else " of two players" if mdp.zero_sum else ""
    if not callable(method) and method not in method_names() and ":" not in str(method):
        raise SolveError(none_of("method", method, method_names()))
    usable: tuple[str, ...] | None = None  # all of them
    if horizon is not None:
        usable = ("auto",)
    elif mdp.zero_sum:
        usable = ("auto", "value-iteration")
    elif objective == "average":
        usable = ("auto", "exact")
    if usable is not None and method not in usable:
        raise SolveError(
            f"objective {objective}{within} is solved by method {' or '.join(usable)}, "
            f"not {name_of(method)!r}"
        )
    if device not in DEVICES:
        raise SolveError(none_of("device", device, DEVICES))
    if device == "cpu":
        return
    if usable is not None or method not in ON_GPU:
        raise SolveError(
            f"device {device!r} is for method {' or '.join(ON_GPU)}, "
            f"not for objective {objective}{within} by method {name_of(method)!r}"
        )
    import torch

    if not torch.cuda.is_available():
        raise SolveError(f"device {device!r} was asked for, but torch finds no GPU")


def _mask(mdp: MDP, name: str, given: str | Sequence[int] | BoolArray | None) -> BoolArray:
    """A set of states as a mask, [S]."""
    mask = np.zeros(mdp.n_states, dtype=np.bool_)
    if given is None:
        return mask
    states = np.asarray(mdp.states_with(given) if isinstance(given, str) else given)
    if states.dtype == np.bool_ and states.shape == mask.shape:
        return states
    if states.size and not np.issubdtype(states.dtype, np.integer):
        raise SolveError(f"{name} must be a label, state numbers or a mask [S], not {states.dtype}")
    if states.size and (states.min() < 0 or states.max() >= mdp.n_states):
        bad = states.min() if states.min() < 0 else states.max()
        raise SolveError(f"{name} state {bad} is none of 0..{mdp.n_states - 1}")
    mask[states.astype(np.int64)] = True
    return mask


def _reason(
    mdp: MDP, order: Components, objective: str, gamma: float, asked: str | Method, found: Bounded
) -> str:
    """In one line what the model is like, and why it was solved in this way."""
    method, parts = found.method, len(order.ptr) - 1
    shape = f"{parts:,} component{'s' * (parts > 1)}, "
    shape += "acyclic" if order.acyclic else f"{order.largest:.0%} of the states in one cycle"
    shape += f", effective horizon {1 / (1 - gamma):.4g}" if objective == "discounted" else ""
    if method == "backward-induction":
        return "a horizon is given: one exact backup a step"
    if asked != "auto":
        return f"asked for; {shape}"
    if method == "exact":
        return f"{shape}: bounds in floating point were not enough, fractions are"
    if objective == "average":
        return f"{shape}: relative values inside each end component, then the best way into one"
    if method == "value-iteration" and not found.sweeps:
        worthless = not objective.startswith("reach") and not mdp.reward.any()
        return "the model has no rewards" if worthless else f"{shape}: decided by the graph alone"
    if method == "value-iteration" and found.sweeps == 1:
        where = "" if order.acyclic else ", but no cycle where there is something to decide"
        return f"{shape}{where}: one sweep, successors first, is exact"
    if method == "synchronous":
        return f"{shape}: sweeps of all states at once, on the GPU"
    if method == "modified-policy-iteration":
        return f"{shape}, but it mixes: the bounds close long before the values settle"
    if method == "value-iteration":
        return f"{shape}: sweeps, successors first, were enough"
    if mdp.n_states <= SMALL:
        return f"{shape}, and small enough to solve each policy exactly"
    return f"{shape}, and sweeps were not enough: each policy is solved exactly"
