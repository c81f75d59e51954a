"""Circling for ever: gains of either sign, however small, infinite values, and rewards that cancel."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from exact_models import (
    INF,
    Chain,
    Exact,
    Value,
    chain_gain,
    chain_reach_reward,
    chain_value,
    optimum,
    triplets,
    within,
)

import rlkit
from rlkit.core import MDP
from rlkit.solvers import Solution, average_reward, evaluate_policy, solve, verify
from rlkit.solvers.solution import fraction
from rlkit.solvers.undiscounted import cycles

SOUND = ("auto", "policy-iteration", "value-iteration", "exact")


def total(chain: Chain) -> Value | None:
    return chain_value(chain, Fraction(1))


def run_or_quit(rare: float) -> MDP:
    """Run for 1 until it breaks, which costs 3 until it is repaired; or quit. A step loses 1 on average."""
    return triplets(
        [
            (0, 0, 0, 1 - rare, 1.0),
            (0, 0, 1, rare, 1.0),
            (0, 1, 2, 1.0, 0.0),
            (1, 0, 1, 1 - rare, -3.0),
            (1, 0, 0, rare, -3.0),
        ]
    )


@pytest.mark.parametrize("exponent", range(2, 13))
@pytest.mark.parametrize("method", ["auto", "exact"])
def test_what_breaks_as_seldom_as_it_is_repaired_is_quit(exponent: int, method: str) -> None:
    mdp = run_or_quit(10.0**-exponent)
    best, worst = (solve(mdp, method=method, minimize=minimize) for minimize in (False, True))
    assert (best.initial.value, best.policy[0]) == (0.0, 1)
    assert worst.initial == (-np.inf,) * 3
    for solution in (best, worst):
        assert solution.converged
        assert verify(mdp, solution) == []


def claimed(solution: Solution, value: float) -> Solution:
    """The same with one value claimed for all states that are not terminal, without a gap."""
    claim = np.where(solution.mdp.terminal, 0.0, value)
    return replace(solution, value=claim, lower=claim, upper=claim)


@pytest.mark.parametrize("claim", [np.inf, -np.inf, 0.5])
def test_a_wrong_claim_about_circling_is_found(claim: float) -> None:
    mdp = run_or_quit(1e-10)
    assert verify(mdp, claimed(solve(mdp), claim)) != []


def test_a_finite_claim_where_little_is_gained_for_ever_is_found() -> None:
    mdp = triplets([(0, 0, 1, 1.0, 1.0), (1, 0, 0, 1.0, -1 + 1e-10), (0, 1, 2, 1.0, 0.0)])
    solution = solve(mdp)
    assert solution.initial.value == np.inf
    assert verify(mdp, solution) == []
    finite = replace(claimed(solution, 0.0), choice=np.array([1, 2, -1]))
    finite.value[1] = finite.lower[1] = finite.upper[1] = -1 + 1e-10
    assert verify(mdp, finite) == [
        "no bound is proved for what is collected without end in state 0 and 1 more"
    ]


def nearly_fair(seed: int, exponent: int, *, gains: bool) -> Exact:
    """Three states, each of which leads to all, with a best gain within 2^-exponent of 0, and a way out."""
    rng = np.random.default_rng(seed)
    choices = []
    for _ in range(3):
        offered = []
        for _ in range(2):
            cut = sorted(rng.choice(np.arange(1, 16), size=2, replace=False))
            parts = np.diff([0, *cut, 16])
            row = {t: Fraction(int(p), 16) for t, p in enumerate(parts)}
            offered.append((Fraction(int(rng.integers(-16, 17)), 8), row))
        choices.append(offered)
    best = optimum(Exact(choices), chain_gain, minimize=False)
    assert best is not None
    shift = Fraction(floor(best[0] * 2**exponent) + (not gains), 2**exponent)
    moved = [[(r - shift, row) for r, row in offered] for offered in choices]
    moved[0].append((Fraction(-5), {3: Fraction(1)}))
    return Exact([*moved, []])


@pytest.mark.parametrize("method", SOUND)
@pytest.mark.parametrize("exponent", [10, 24, 36])
@pytest.mark.parametrize("gains", [False, True])
def test_a_gain_near_0_has_its_sign(exponent: int, gains: bool, method: str) -> None:
    for seed in range(4):
        model = nearly_fair(seed, exponent, gains=gains)
        exact = optimum(model, total, minimize=False)
        assert exact is not None
        assert (exact[0] == INF) == gains
        solution = solve(model.mdp(), method=method, max_sweeps=1_000)
        within(solution, exact)
        assert solution.converged or method == "value-iteration"
        assert verify(model.mdp(), solution) == []


def test_a_gain_that_is_believed_to_1e_7_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a solver of linear programs is as precise as that, and gives one number."""
    bounded = cycles.component_gains

    def believed(*arguments: object, **options: object) -> object:
        found = bounded(*arguments, **options)
        middle = (found.lower + found.upper) / 2 + 1e-7
        return replace(found, lower=middle, upper=middle)

    monkeypatch.setattr(cycles, "component_gains", believed)
    with pytest.raises(AssertionError):
        test_a_gain_near_0_has_its_sign(36, False, "auto")


def rarely_moving(seed: int) -> Exact:
    """Three states in a circle, left with chances from 2^-25 to 2^-8."""
    rng = np.random.default_rng(seed)
    choices = []
    for s in range(3):
        near, far = (Fraction(1, 2 ** int(k)) for k in rng.integers(8, 26, size=2))
        row = {(s + 1) % 3: near, (s + 2) % 3: far, s: 1 - near - far}
        choices.append([(Fraction(int(rng.integers(-16, 17)), 8), row)])
    return Exact(choices)


def test_the_bounds_of_a_gain_hold_the_exact_one() -> None:
    for seed in range(15):
        model = rarely_moving(seed)
        mdp, exact = model.mdp(), optimum(model, chain_gain, minimize=False)
        assert exact is not None
        component = np.zeros(3, int), np.ones(3, dtype=bool)
        found = cycles.component_gains(mdp, *component, epsilon=1e-9)
        assert found.lower[0] <= exact[0] <= found.upper[0]


def test_bounds_of_a_gain_without_rounding_miss_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: biases are large where moves are rare, and a backup is as exact as they are."""
    monkeypatch.setattr("rlkit.solvers.undiscounted.gain.relative_rounding", lambda mdp: 0.0)
    with pytest.raises(AssertionError):
        test_the_bounds_of_a_gain_hold_the_exact_one()


def endless(seed: int) -> Exact:
    """A model in which some states can collect without end: few states, and rewards of both signs."""
    rng = np.random.default_rng(seed)
    choices = []
    for _ in range(4):
        offered = []
        for _ in range(int(rng.integers(0, 4))):
            after = rng.choice(4, size=int(rng.integers(1, 3)), replace=False)
            row = {int(t): Fraction(1, len(after)) for t in after}
            offered.append((Fraction(int(rng.integers(-3, 4)), 2), row))
        choices.append(offered)
    return Exact(choices)


def attains(model: Exact, solution: Solution, exact: Value, evaluate: object) -> None:
    policy = tuple(0 if c < 0 else int(a) for c, a in zip(solution.choice, solution.policy, strict=True))
    value = evaluate(model.chain(policy))
    np.testing.assert_allclose([float(x) for x in value], [float(x) for x in exact], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("minimize", [False, True])
def test_policies_attain_infinite_totals(minimize: bool) -> None:
    """Whatever else the model holds; models in which some policy has no total are left out."""
    infinite = 0
    for seed in range(80):
        model = endless(seed)
        exact = optimum(model, total, minimize)
        if exact is None:
            continue
        infinite += INF in exact or -INF in exact
        solution = solve(model.mdp(), minimize=minimize)
        assert solution.converged
        attains(model, solution, exact, total)
        assert verify(model.mdp(), solution) == []
    assert infinite > 10


def test_policies_miss_the_target_where_that_is_worth_inf() -> None:
    infinite = 0
    for seed in range(60):
        model = endless(seed)
        target = {seed % 4}

        def before(chain: Chain, target: set[int] = target) -> Value:
            return chain_reach_reward(chain, target)

        exact = optimum(model, before, minimize=False)
        assert exact is not None
        infinite += INF in exact
        solution = solve(model.mdp(), objective="reach-reward", target=sorted(target))
        assert solution.converged
        attains(model, solution, exact, before)
        assert verify(model.mdp(), solution) == []
    assert infinite > 10


def test_the_first_choice_where_the_value_is_infinite_is_found() -> None:
    """The negative control of both: who leaves gets a reward of 1, who stays all there is."""
    mdp = triplets([(0, 0, 1, 1.0, 1.0), (0, 1, 0, 1.0, 1.0)])
    for asked in ({"objective": "total"}, {"objective": "reach-reward", "target": [1]}):
        solution = solve(mdp, **asked)
        assert solution.policy.tolist() == [1, -1]
        assert verify(mdp, solution) == []
        leaving = replace(solution, choice=np.array([0, -1]))
        assert verify(mdp, leaving) == ["the policy does not reach the lower bound in state 0"]


def test_where_putting_the_target_off_lowers_costs_without_end_the_policy_still_arrives() -> None:
    mdp = triplets([(0, 0, 0, 1.0, -1.0), (0, 1, 1, 1.0, 0.0)])
    solution = solve(mdp, objective="reach-reward", target=[1], minimize=True)
    assert (solution.initial.value, solution.policy[0]) == (-np.inf, 1)
    assert verify(mdp, solution) == []


def test_a_risk_of_losing_without_end_is_not_taken_for_inf() -> None:
    """Half a chance of each has no total: there nothing is known, and who can do something else does it."""
    rows = [(0, 0, 1, 0.5, 0.0), (0, 0, 2, 0.5, 0.0), (1, 0, 1, 1.0, 1.0), (2, 0, 2, 1.0, -1.0)]
    lost, safe = triplets(rows), triplets([*rows, (0, 1, 3, 1.0, 7.0)])
    undefined = solve(lost)
    assert not undefined.converged
    assert undefined.initial[1:] == (-np.inf, np.inf)
    assert verify(lost, undefined) == []
    found = solve(safe)
    assert (found.initial.value, found.policy[0]) == (7.0, 1)
    assert verify(safe, found) == []


def shaped(mdp: MDP, potential: np.ndarray) -> MDP:
    """The same with a potential's differences added to the rewards, which shifts every total by -h(s)."""
    return mdp.with_reward(mdp.reward + mdp.matrix @ potential - potential[mdp.state_of_choice])


@pytest.mark.parametrize("unit", [1.0, 0.1, -0.37, 2**0.5])
@pytest.mark.parametrize("method", SOUND)
def test_shaping_frozen_lake_shifts_its_values(unit: float, method: str) -> None:
    """In the top row one can walk for ever; the potential is the distance from the goal."""
    mdp = rlkit.exact("FrozenLake-v1")
    distance = np.array([6 - s // 4 - s % 4 for s in range(16)]) * ~mdp.terminal
    solution = solve(shaped(mdp, -unit * distance), objective="total", method=method)
    assert solution.converged
    assert solution.initial.value == pytest.approx(14 / 17 + 6 * unit, abs=1e-6)
    assert solution.initial.lower <= 14 / 17 + 6 * unit <= solution.initial.upper
    np.testing.assert_allclose(solution.value, solve(mdp).value + unit * distance, atol=2e-6)
    assert verify(solution.mdp, solution) == []
    if method == "exact" and unit < 1.1:
        assert solution.fraction == Fraction(14, 17) + 6 * fraction(unit)


def test_bounds_are_as_tight_as_asked_after_a_potential_is_taken_back() -> None:
    """The values are smaller than those of the balanced problem, to which a relative gap would belong."""
    rows = [(1, 0, 3, 0.2, 0.502), (1, 0, 1, 0.8, 0.502), (2, 0, 1, 0.5, 0.14), (2, 0, 4, 0.5, 0.14)]
    rows += [(2, 1, 0, 1.0, 1.24), (2, 2, 1, 1.0, -1.33), (3, 0, 4, 0.5, 0.215), (3, 0, 3, 0.5, 0.215)]
    rows += [(4, 0, 2, 8 / 9, -1.288 / 0.9), (4, 0, 4, 1 / 9, -1.288 / 0.9)]
    rows += [(4, 1, 0, 0.1, -0.08), (4, 1, 4, 0.8, -0.08), (4, 1, 3, 0.1, -0.08)]
    solution = solve(triplets(rows, initial=np.full(5, 0.2)), objective="total")
    assert solution.method == "policy-iteration"
    assert solution.converged
    assert solution.value == pytest.approx([0, 2.57, 1.24, 0.06, -0.37], abs=1e-6)


def corridor(length: int) -> MDP:
    """A step to either side costs nothing, and the far end pays 1."""
    rows = [(s, 0, s + 1, 1.0, float(s == length - 1)) for s in range(length)]
    return triplets(rows + [(s, 1, s - 1, 1.0, 0.0) for s in range(1, length)])


def test_a_potential_in_simple_fractions_decides_beyond_what_fractions_eliminate() -> None:
    mdp = corridor(600)
    potential = np.append(0.25 * np.arange(600) % 7, 0.0)
    solution = solve(shaped(mdp, potential), objective="total")
    assert solution.converged
    np.testing.assert_allclose(solution.value, np.append(np.ones(600), 0) - potential, atol=1e-6)


def test_a_gain_that_nothing_decides_leaves_everything_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a word is said of a sign where neither bounds nor fractions have it."""
    mdp = shaped(corridor(8), np.append(np.sqrt(np.arange(8.0)), 0.0))
    assert solve(mdp, objective="total").converged
    monkeypatch.setattr(cycles, "EXACT", 4)
    solution = solve(mdp, objective="total")
    assert not solution.converged
    assert (solution.lower[0], solution.upper[0]) == (-np.inf, np.inf)


def test_a_swing_that_cannot_be_left_has_no_total() -> None:
    mdp = triplets([(0, 0, 1, 1.0, 1.0), (1, 0, 0, 1.0, -1.0)])
    for minimize in (False, True):
        for method in SOUND:
            solution = solve(mdp, minimize=minimize, method=method)
            assert not solution.converged
            assert (solution.lower[0], solution.upper[0]) == (-np.inf, np.inf)


@pytest.mark.parametrize("method", SOUND)
def test_rewards_that_cancel_on_the_way_to_a_target(method: str) -> None:
    mdp = triplets([(0, 0, 1, 1.0, 1.0), (1, 0, 0, 1.0, -1.0), (1, 1, 2, 1.0, 0.0)])
    for objective in ({"objective": "total"}, {"objective": "reach-reward", "target": [2]}):
        solution = solve(mdp, minimize=True, method=method, **objective)
        assert solution.converged
        assert solution.value == pytest.approx([1, 0, 0], abs=1e-6)
        assert verify(mdp, solution) == []


@pytest.mark.parametrize("exponent", [10, 20, 30, 40])
@pytest.mark.parametrize("method", ["auto", "exact"])
def test_the_average_of_rare_moves_holds_the_exact_one(exponent: int, method: str) -> None:
    """Two states that are hardly ever left, one twice as seldom: 1/3 of 2 and 2/3 of -1/2."""
    rare = 2.0**-exponent
    mdp = triplets(
        [
            (0, 0, 0, 1 - rare, 2.0),
            (0, 0, 1, rare, 2.0),
            (1, 0, 1, 1 - rare / 2, -0.5),
            (1, 0, 0, rare / 2, -0.5),
        ]
    )
    solution = solve(mdp, objective="average", method=method)
    assert solution.converged
    assert solution.initial.lower <= Fraction(1, 3) <= solution.initial.upper
    assert solution.initial.value == pytest.approx(1 / 3, abs=1e-6)
    assert average_reward(mdp, np.zeros(2, int)) == pytest.approx(1 / 3, abs=1e-9)
    if method == "exact":
        assert solution.fraction == Fraction(1, 3)


@pytest.mark.parametrize("n", [20, 50, 100])
def test_a_policy_of_long_episodes_is_evaluated(n: int) -> None:
    """Two ladders of n rungs from a common start, to which half of all steps fall back."""
    rows = [(0, 0, 1, 0.7, 0.0), (0, 0, 2, 0.3, 0.0)]
    for i in range(1, 2 * n - 1):
        rows += [(i, 0, 0, 0.5, 0.0), (i, 0, i + 2, 0.5, float(i + 2 == 2 * n - 1))]
    mdp = triplets(rows)
    assert evaluate_policy(mdp, np.zeros(mdp.n_states, int))[0] == pytest.approx(0.7, abs=1e-9)
