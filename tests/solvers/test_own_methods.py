"""Every method shows its sweeps; a method of a user's own is found, and judged like the others."""

from __future__ import annotations

import inspect
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exact_models import triplets

from rlkit import exact, registry, solve
from rlkit.core import MDP, NoExactModel
from rlkit.registry import RegistryError, find, names, register
from rlkit.solvers import SolveError, bellman, verify
from rlkit.solvers.methods import Sweep, Values, solve_in_fractions

PAGE = Path(__file__).parents[2] / "docs/solvers.md"


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._HOMES, "method", dict(registry._HOMES["method"]))


def lake() -> MDP:
    mdp = exact("FrozenLake-v1")
    assert isinstance(mdp, MDP)
    return mdp


@pytest.mark.parametrize("gamma", [0.9, 1.0])
@pytest.mark.parametrize("name", names("method"))
def test_every_method_shows_its_sweeps(name: str, gamma: float) -> None:
    mdp, method = lake(), find("method", name)
    sweeps: list[Sweep] = []
    value, *_ = method(mdp, gamma=gamma, trace=sweeps)
    numbers: list[int] = []
    method(mdp, gamma=gamma, trace=lambda sweep: numbers.append(sweep.number))
    assert [sweep.number for sweep in sweeps] == numbers == list(range(1, len(sweeps) + 1))
    np.testing.assert_array_equal(sweeps[-1].value, value)
    np.testing.assert_array_equal(method(mdp, gamma=gamma)[0], value)
    best = solve(mdp, gamma=gamma, method="exact").value
    np.testing.assert_allclose(value, best, atol=1e-4)
    assert sweeps[-1].residual < 1e-6
    for sweep in sweeps:
        assert (sweep.lower <= best).all()
        assert (best <= sweep.upper).all()
        after = bellman(mdp, sweep.value, gamma)
        assert sweep.residual == pytest.approx(np.abs(after - sweep.value).max(), abs=1e-15)
    tight = (sweeps[-1].upper - sweeps[-1].lower).max()
    assert tight < 1e-6 if gamma < 1 else np.isinf(tight)


@pytest.mark.parametrize("name", names("method"))
def test_a_method_by_itself_refuses_what_it_cannot_solve(name: str) -> None:
    method = find("method", name)
    for given in ("FrozenLake-v1", None):
        with pytest.raises(SolveError, match=f"^{method.__name__} takes an MDP, not "):
            method(given)
    with pytest.raises(SolveError, match="gamma must lie in"):
        method(lake(), gamma=2)
    with pytest.raises(SolveError, match="decay with time"):
        method(lake().with_reward_decay(0.1), gamma=0.9)
    with pytest.raises(NoExactModel, match="both players"):
        method(replace(lake(), zero_sum=True), gamma=0.9)


def test_sweeps_are_kept_as_they_were() -> None:
    sweeps: list[Sweep] = []
    find("method", "gauss-seidel")(lake(), gamma=0.9, trace=sweeps)
    changes = [np.abs(b.value - a.value).max() for a, b in itertools.pairwise(sweeps)]
    assert min(changes) > 0


def test_without_a_cycle_one_sweep_is_shown() -> None:
    sweeps: list[Sweep] = []
    find("method", "value-iteration")(triplets([(0, 0, 1, 1.0, 1.0), (1, 0, 2, 1.0, 2.0)]), trace=sweeps)
    assert [sweep.value.tolist() for sweep in sweeps] == [[3, 2, 0]]


def jacobi(mdp: MDP, *, gamma: float, epsilon: float, max_sweeps: int) -> Values:
    """As in docs/extending.md."""
    v, sweeps, change = np.zeros(mdp.n_states), 0, np.inf
    while change > 1e-5 * epsilon and sweeps < max_sweeps:
        before, v, sweeps = v, bellman(mdp, v, gamma), sweeps + 1
        change = np.abs(v - before).max()
    return Values(v, sweeps)


@pytest.mark.parametrize(
    "asked",
    [
        {"gamma": 0.9},
        {"gamma": 1.0},
        {"gamma": 0.9, "minimize": True},
        {"objective": "reach-prob", "target": [15]},
        {"objective": "reach-reward", "target": [15, 5, 7, 11, 12]},
    ],
)
def test_a_method_of_ones_own_is_certified(asked: dict[str, object]) -> None:
    register("method", "jacobi", jacobi)
    for method in ("jacobi", jacobi):
        solution = solve(lake(), method=method, **asked)
        assert solution.converged
        assert verify(lake(), solution) == []
        np.testing.assert_allclose(solution.value, solve(lake(), method="exact", **asked).value, atol=1e-6)
        assert solution.reason.startswith("asked for")
        assert solution.method.endswith("jacobi")


def test_a_method_is_found_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_methods.py").write_text(
        "from rlkit.solvers.methods import synchronous\n"
        "def plain(mdp, *, gamma):\n    return synchronous(mdp, gamma=gamma)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = solve(lake(), gamma=0.9, method="own_methods:plain")
    assert (found.method, found.converged) == ("own_methods:plain", True)
    with pytest.raises(RegistryError, match="method 'own_methods:plane' cannot be imported"):
        solve(lake(), gamma=0.9, method="own_methods:plane")


@pytest.mark.parametrize("gamma", [0.9, 1.0])
@pytest.mark.parametrize("off", [0.0, 1e-9, 0.01, -0.01, 1.0])
def test_what_a_method_claims_is_not_believed(gamma: float, off: float) -> None:
    """Values that are off everywhere, at the ends of episodes, too, which are worth 0 whatever it says."""
    best = solve(lake(), gamma=gamma, method="exact").value
    found = solve(
        lake(),
        gamma=gamma,
        method=lambda mdp, *, gamma: (solve_in_fractions(mdp, gamma=gamma).value + off, 1),
    )
    assert (found.lower <= best + 1e-12).all()
    assert (best <= found.upper + 1e-12).all()
    assert found.converged == (abs(off) < 1e-6)


@pytest.mark.parametrize(
    "returned", [None, 3.0, (np.zeros(3), 1), (np.full(16, np.nan), 1), np.zeros(16), ("no", "values"), {}]
)
def test_what_is_no_answer_is_refused(returned: object) -> None:
    with pytest.raises(SolveError, match=r"must return finite values \[16\] and a number of sweeps"):
        solve(lake(), gamma=0.9, method=lambda mdp, *, gamma: returned)


def test_a_method_gets_what_it_asks_for() -> None:
    got: dict[str, object] = {}

    def curious(mdp: MDP, *, gamma: float, epsilon: float, start: object, order: object) -> Values:
        got.update(gamma=gamma, epsilon=epsilon, start=start, order=order)
        return Values(np.zeros(mdp.n_states), 1)

    solve(lake(), gamma=0.9, epsilon=0.5, method=curious)
    assert (got["gamma"], got["epsilon"]) == (0.9, 0.5)
    assert all(x is not None for x in got.values())


def ends_python(mdp: MDP, *, gamma: float) -> Values:
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("os:getcwd", r"os:getcwd' cannot be called as method\(mdp, gamma=...\): too many"),
        ("builtins:int", r"builtins:int' cannot be called as method\(mdp, gamma=...\): no signature"),
        (lambda mdp: None, "cannot be called as .* unexpected keyword argument 'gamma'"),
        (lambda mdp, *, gamma, foo: None, "cannot be called as .*: missing a required .*'foo'"),
        (lambda mdp, *, gamma: 1 / 0, r"failed: ZeroDivisionError: division by zero \(test_own_methods"),
        (ends_python, r"ends_python' failed: SystemExit: 3 \(test_own_methods.py:\d+\)$"),
    ],
)
def test_a_method_that_fails_is_one_error_that_names_it(method: object, message: str) -> None:
    with pytest.raises(SolveError, match=f"^method '.*{message}"):
        solve(lake(), gamma=0.9, method=method)


@pytest.mark.parametrize("method", ["newton", 3, None])
def test_no_such_method(method: object) -> None:
    with pytest.raises(SolveError, match=r"method .* is none of auto, value-iteration, .*exact"):
        solve(lake(), method=method)
    register("method", "newtons", jacobi)
    with pytest.raises(SolveError, match=r"'newton' is none of .*, newtons; did you mean 'newtons'"):
        solve(lake(), method="newton")


def test_objectives_with_a_method_of_their_own_keep_it() -> None:
    with pytest.raises(SolveError, match=r"is solved by method auto, not '.*jacobi'"):
        solve(lake(), horizon=3, method=jacobi)


def test_the_page_lists_every_method() -> None:
    section = PAGE.read_text().partition("\n## Methods\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", section, flags=re.MULTILINE)) == sorted(names("method"))
    for name in names("method"):
        assert "trace" in inspect.signature(find("method", name)).parameters
