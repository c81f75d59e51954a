"""Every method does what its name says or is refused, ends, and the reason given is what was done."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from exact_models import triplets

from rlkit.core import MDP
from rlkit.solvers import SolveError, average_reward, solve, verify
from rlkit.solvers.methods.run import method_names


def diamond() -> MDP:
    """A choice of two ways, without a cycle: 1 + 3 or 2 + 1."""
    return triplets(
        [
            (0, 0, 1, 1.0, 1.0),
            (0, 1, 2, 1.0, 2.0),
            (1, 0, 3, 1.0, 3.0),
            (2, 0, 3, 0.5, 1.0),
            (2, 0, 1, 0.5, 1.0),
        ]
    )


@pytest.mark.parametrize("method", method_names())
@pytest.mark.parametrize(
    "asked",
    [
        {"gamma": 0.5},
        {"objective": "total"},
        {"objective": "reach-prob", "target": [1]},
        {"objective": "reach-reward", "target": [3]},
    ],
)
def test_a_model_without_cycles_is_solved_by_the_method_asked_for(
    asked: dict[str, object], method: str
) -> None:
    solution = solve(diamond(), method=method, **asked)
    assert solution.method == ("value-iteration" if method == "auto" else method)
    assert solution.converged
    assert verify(diamond(), solution) == []
    done = "one sweep, successors first, is exact" if method == "auto" else "asked for"
    assert done in solution.reason


def test_a_reason_names_no_method_that_was_not_used() -> None:
    """Cycles that the graph settles leave nothing to compute; other cycles do."""
    lost = triplets([(0, 0, 0, 0.5, 1.0), (0, 0, 1, 0.5, 1.0)])
    settled = solve(lost, objective="reach-prob", target=[1])
    assert settled.reason.endswith(": decided by the graph alone")
    assert settled.sweeps == 0
    open_ = solve(lost, objective="reach-reward", target=[1])
    assert open_.method == "policy-iteration"
    assert "small enough to solve each policy exactly" in open_.reason


@pytest.mark.parametrize("method", method_names())
@pytest.mark.parametrize(
    ("asked", "usable"),
    [
        ({"horizon": 2}, ("auto",)),
        ({"objective": "reach-prob", "target": [1], "horizon": 2}, ("auto",)),
        ({"objective": "average"}, ("auto", "exact")),
    ],
)
def test_a_method_that_would_not_be_used_is_refused(
    asked: dict[str, object], usable: tuple[str, ...], method: str
) -> None:
    if method not in usable:
        with pytest.raises(SolveError, match=f"is solved by method {' or '.join(usable)}, not '{method}'"):
            solve(diamond(), method=method, **asked)
        return
    solution = solve(diamond(), method=method, **asked)
    expected = {"exact": "exact", "auto": "backward-induction" if "horizon" in asked else None}[method]
    assert solution.method == (expected or "relative-value-iteration")


@pytest.mark.parametrize(
    "asked",
    [
        {"horizon": 2},
        {"objective": "average"},
        {"gamma": 0.5, "method": "policy-iteration"},
        {"gamma": 0.5, "method": "modified-policy-iteration"},
    ],
)
def test_a_device_that_would_not_be_used_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(SolveError, match="device 'cuda' is for method auto or synchronous"):
        solve(diamond(), device="cuda", **asked)


def test_a_linear_program_that_is_not_solved_is_a_named_error() -> None:
    """HiGHS takes chances of 2^-40 for 0, and then finds no value that satisfies the equations."""
    rare = 2.0**-40
    mdp = triplets([(0, 0, 0, 1 - rare, -1.0), (0, 0, 1, rare, -1.0)])
    with pytest.raises(SolveError, match="HiGHS did not solve the linear program, take another method"):
        solve(mdp, objective="total", method="linear-programming")


def rarely(seed: int) -> MDP:
    """24 states whose choices do one thing nearly always, and others with chances of 2^-10 to 2^-30."""
    rng, rows = random.Random(seed), []
    for s in range(24):
        for a in range(rng.choice([1, 1, 2, 3])):
            after = rng.sample(range(24), rng.choice([1, 2, 2, 3]))
            rare = [2.0 ** -rng.choice([10, 20, 30]) for _ in after[1:]]
            chances = zip(after, [1 - sum(rare), *rare], strict=True)
            rows += [(s, a, t, p, float(rng.choice([0, 1, 2, 5]))) for t, p in chances]
    return triplets(rows, n_states=24, initial=np.full(24, 1 / 24))


@pytest.mark.parametrize(
    ("seed", "objective", "minimize"),
    [
        (4, "reach-reward", False),
        (12, "reach-reward", False),
        (13, "reach-reward", False),
        (20, "reach-prob", True),
        (24, "reach-reward", False),
        (27, "reach-prob", True),
    ],
)
def test_rare_events_are_certified(
    seed: int, objective: str, minimize: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bonus on each step rounding makes policy iteration go round, for ever with seed 24."""
    iteration = sys.modules["rlkit.solvers.methods.policy_iteration"]
    evaluated, calls = iteration.evaluated, []
    monkeypatch.setattr(iteration, "evaluated", lambda *args: calls.append(1) or evaluated(*args))
    mdp = rarely(seed)
    asked = {"objective": objective, "target": [2, 6], "minimize": minimize}
    solution = solve(mdp, **asked)
    assert len(calls) < 200
    assert solution.converged
    assert verify(mdp, solution) == []
    exact = solve(mdp, method="exact", **asked)
    finite = np.isfinite(exact.value)
    slack = 1e-11 * np.maximum(1.0, np.abs(exact.value[finite]))
    assert (solution.lower[finite] - slack <= exact.value[finite]).all()
    assert (exact.value[finite] <= solution.upper[finite] + slack).all()
    assert (solution.value[~finite] == exact.value[~finite]).all()


def test_the_average_of_a_policy_on_a_chain_too_stiff_to_factorise() -> None:
    rare = 2.0**-60
    mdp = triplets([(0, 0, 1, 1.0, 3.0), (1, 0, 0, rare, -1.0), (1, 0, 1, 1.0, -1.0)])
    assert average_reward(mdp, np.zeros(2, int)) == pytest.approx([-1, -1])
