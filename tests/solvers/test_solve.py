from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from exact_models import triplets

from rlkit.core import MDP, TableModel
from rlkit.core.random import episode_key, uniform
from rlkit.solvers import (
    Solution,
    bellman,
    evaluate_policy,
    greedy,
    objectives,
    policy_kernel,
    q_values,
    solve,
    state_distribution,
    uniform_policy,
)
from rlkit.solvers.operators import choice_weights


def haddad_monmege(n: int) -> MDP:
    """Two ladders of n rungs from a common start; half of all steps fall back to it. Reward 1 atop the first.

    Source: Haddad and Monmege 2018. About 2^n steps are needed, so a change of 1e-6 a sweep says nothing.
    """
    rows = [(0, 0, 1, 0.7, 0.0), (0, 0, 2, 0.3, 0.0)]
    for i in range(1, 2 * n - 1):
        rows += [(i, 0, 0, 0.5, 0.0), (i, 0, i + 2, 0.5, float(i + 2 == 2 * n - 1))]
    return triplets(rows)


def loop_or_leave(stay: float, leave: float) -> MDP:
    """State 0 can stay for one reward or end for another; 1 and 2 can circle for nothing, or go to 0."""
    return triplets(
        [
            (0, 0, 0, 1.0, stay),
            (0, 1, 3, 1.0, leave),
            (1, 0, 2, 1.0, 0.0),
            (1, 1, 0, 1.0, 0.0),
            (2, 0, 1, 1.0, 0.0),
        ],
        initial=[0.0, 1.0, 0.0, 0.0],
    )


@pytest.mark.parametrize("method", ["auto", "policy-iteration"])
def test_haddad_monmege(method: str) -> None:
    solution = solve(haddad_monmege(20), method=method)
    assert solution.converged
    assert solution.initial.value == pytest.approx(0.7, abs=1e-6)
    assert solution.initial.lower <= 0.7 <= solution.initial.upper


def test_a_solution_is_shown_in_a_line_without_its_arrays() -> None:
    shown = repr(solve(haddad_monmege(2), method="exact"))
    assert shown.startswith("Solution(maximize total, Interval(value=0.7, lower=0.6")
    assert shown.endswith("certified, by exact)")


def test_sweeps_alone_do_not_claim_what_they_have_not_reached() -> None:
    """After as many sweeps as are allowed nothing changes by much, and the value is still far off."""
    solution = solve(haddad_monmege(20), method="value-iteration", max_sweeps=1000)
    assert abs(solution.initial.value - 0.7) > 0.1
    assert not solution.converged
    assert solution.initial.lower <= 0.7 <= solution.initial.upper


@pytest.mark.parametrize("n", [30, 40, 50, 100])
@pytest.mark.parametrize("minimize", [False, True])
def test_haddad_monmege_beyond_the_precision_of_floats(n: int, minimize: bool) -> None:
    """Episodes of 2^n steps: a linear solve finds 0.6914 for n = 50 and 1e-14 for n = 100."""
    solution = solve(haddad_monmege(n), minimize=minimize)
    assert solution.converged
    assert solution.initial.value == pytest.approx(0.7, abs=1e-12)
    assert solution.initial.lower <= 0.7 <= solution.initial.upper


def test_long_episodes_with_a_choice() -> None:
    """On top of the ladders a second try pays 1 with probability 0.9: the whole is then worth 0.97."""
    n = 60
    rows = [(0, 0, 1, 0.7, 0.0), (0, 0, 2, 0.3, 0.0)]
    for i in range(1, 2 * n - 1):
        rows += [(i, 0, 0, 0.5, 0.0), (i, 0, i + 2, 0.5, 0.0)]
    won, lost, over = 2 * n - 1, 2 * n, 2 * n + 1
    rows += [(won, 0, over, 1.0, 1.0), (lost, 0, over, 1.0, 0.0), (lost, 1, over, 0.9, 1.0)]
    rows += [(lost, 1, over, 0.1, 0.0)]
    best, worst = (solve(triplets(rows), minimize=minimize) for minimize in (False, True))
    assert best.converged
    assert worst.converged
    assert best.initial.value == pytest.approx(0.97, abs=1e-9)
    assert worst.initial.value == pytest.approx(0.7, abs=1e-9)
    assert (best.policy[lost], worst.policy[lost]) == (1, 0)


def test_elimination_that_subtracts_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: leaving a state by 1 minus the chance of staying loses what elimination keeps."""

    def subtracting(moves: np.ndarray, leaving: np.ndarray, earned: np.ndarray) -> np.ndarray:
        return np.linalg.solve(np.eye(len(leaving)) - moves, earned)

    monkeypatch.setattr("rlkit.solvers.undiscounted.elimination._eliminate", subtracting)
    with pytest.raises(AssertionError):
        test_haddad_monmege_beyond_the_precision_of_floats(100, minimize=False)


@pytest.mark.parametrize(
    ("stay", "leave", "highest", "lowest"),
    [
        (1.0, 5.0, np.inf, 0.0),
        (-1.0, 5.0, 5.0, -np.inf),
        (0.0, 5.0, 5.0, 0.0),
        (0.0, -5.0, 0.0, -5.0),
        (-1.0, -5.0, 0.0, -np.inf),
    ],
)
def test_loops_and_circles(stay: float, leave: float, highest: float, lowest: float) -> None:
    mdp = loop_or_leave(stay, leave)
    for minimize, expected in ((False, highest), (True, lowest)):
        for method in ("value-iteration", "policy-iteration"):
            solution = solve(mdp, minimize=minimize, method=method)
            assert solution.converged
            assert solution.value[1] == pytest.approx(expected, abs=1e-6)
            if np.isfinite(expected):
                achieved = evaluate_policy(mdp, solution.policy)
                assert achieved[1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore")  # a system without a solution
def test_without_merging_components_the_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the test above: each circle is a fixed point of its own."""

    def none(mdp: MDP, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full(mdp.n_states, -1), np.zeros(mdp.n_choices, dtype=bool)

    monkeypatch.setattr("rlkit.solvers.undiscounted.shortest_path.end_components", none)
    with pytest.raises((AssertionError, RuntimeError)):
        test_loops_and_circles(0.0, -5.0, 0.0, -5.0)


def test_a_certificate_cut_short_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = loop_or_leave(1.0, 5.0)
    certify = objectives.certify_discounted

    def shrunk(*arguments: object, **more: object) -> object:
        found = certify(*arguments, **more)
        return found._replace(upper=found.upper - 1e-5)

    def holds(solution: Solution) -> bool:
        return bool((solution.lower <= 10.0 + 1e-9)[0] and (solution.upper >= 10.0 - 1e-9)[0])

    assert holds(solve(mdp, gamma=0.9))
    monkeypatch.setattr(objectives, "certify_discounted", shrunk)
    assert not holds(solve(mdp, gamma=0.9))


def test_too_few_sweeps_are_not_called_converged() -> None:
    mdp = haddad_monmege(12)
    solution = solve(mdp, gamma=0.999, method="value-iteration", max_sweeps=3)
    assert not solution.converged
    exact = solve(mdp, gamma=0.999, method="policy-iteration").value
    assert (solution.lower <= exact + 1e-12).all()
    assert (exact - 1e-12 <= solution.upper).all()


def test_the_certificate_is_as_tight_as_asked() -> None:
    mdp = haddad_monmege(6)
    for epsilon in (1e-2, 1e-5, 1e-9):
        for gamma in (0.9, 0.999, 1.0):
            solution = solve(mdp, gamma=gamma, epsilon=epsilon)
            assert solution.converged
            assert (solution.upper - solution.lower).max() <= epsilon


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": 1.5}, r"gamma must lie in \[0, 1\], not 1\.5"),
        ({"gamma": float("nan")}, "gamma must lie in"),
        ({"epsilon": 0.0}, "epsilon must be a positive number"),
        ({"epsilon": np.inf}, "epsilon must be a positive number, not inf"),
        ({"horizon": -1}, "horizon must be a whole number from 0"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solve(loop_or_leave(0.0, 1.0), **arguments)


def test_the_discount_of_the_model_is_the_default() -> None:
    mdp = triplets([(0, 0, 0, 1.0, 1.0)], discount=0.75)
    assert solve(mdp).value[0] == pytest.approx(4)
    assert solve(mdp, gamma=0.5).value[0] == pytest.approx(2)
    assert evaluate_policy(mdp, np.zeros(1, int))[0] == pytest.approx(4)


def test_terminal_states_are_worth_nothing_and_need_no_action() -> None:
    solution = solve(loop_or_leave(-1.0, 5.0))
    assert (solution.value[3], solution.choice[3], solution.policy[3]) == (0.0, -1, -1)
    assert solution.policy.tolist()[:2] == [1, 1]


def test_operators_by_hand() -> None:
    mdp = loop_or_leave(-1.0, 5.0)
    v = np.array([1.0, 2.0, 3.0, 0.0])
    assert q_values(mdp, v, 0.5).tolist() == [-0.5, 5.0, 1.5, 0.5, 1.0]
    assert bellman(mdp, v, 0.5).tolist() == [5.0, 1.5, 1.0, 0.0]
    assert greedy(mdp, q_values(mdp, v, 0.5)).tolist() == [1, 2, 4, -1]
    kernel, reward = policy_kernel(mdp, choice_weights(mdp, uniform_policy(mdp)))
    assert reward.tolist() == [2.0, 0, 0, 0]
    assert kernel.toarray().tolist() == [[0.5, 0, 0, 0.5], [0.5, 0, 0.5, 0], [0, 1, 0, 0], [0] * 4]


def test_policies_that_are_none() -> None:
    mdp = loop_or_leave(-1.0, 5.0)
    for policy, message in (
        (np.zeros(2), r"policy has shape \(2,\), expected \(4,\) or \(4, 2\)"),
        (np.array([0, 0, 1, 0]), "the policy in state 2 is not a distribution over its actions"),
        (np.full((4, 2), 0.25), "state 0 .* sum to 0.5"),
        (np.array([[2.0, -1.0], [1, 0], [1, 0], [0, 0]]), "state 0"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_policy(mdp, policy)


def test_infinite_and_undefined_values_of_a_policy() -> None:
    """State 0 falls into a source of reward or a sink of it, 3 only into one, 4 into a swing of both."""
    mdp = triplets(
        [
            (0, 0, 1, 0.5, 0.0),
            (0, 0, 2, 0.5, 0.0),
            (1, 0, 1, 1.0, 1.0),
            (2, 0, 2, 1.0, -1.0),
            (3, 0, 1, 0.1, -5.0),
            (3, 0, 6, 0.9, -5.0),
            (4, 0, 5, 1.0, 1.0),
            (5, 0, 4, 1.0, -1.0),
            (6, 0, 7, 1.0, 2.0),
        ],
        initial=[0.5, 0, 0, 0.25, 0.25, 0, 0, 0],
    )
    value = evaluate_policy(mdp, np.zeros(8, int))
    expected = [np.nan, np.inf, -np.inf, np.inf, np.nan, np.nan, 2.0, 0.0]
    np.testing.assert_array_equal(value, expected)


def test_state_distribution_by_hand() -> None:
    mdp = triplets([(0, 0, 0, 0.5, 0.0), (0, 0, 1, 0.25, 0.0), (0, 0, 2, 0.25, 0.0), (1, 0, 0, 1.0, 0.0)])
    policy = np.zeros(3, int)
    assert state_distribution(mdp, policy, steps=0).tolist() == [1, 0, 0]
    assert state_distribution(mdp, policy, steps=1).tolist() == [0.5, 0.25, 0.25]
    assert state_distribution(mdp, policy, steps=2).tolist() == [0.5, 0.125, 0.375]


def test_a_policy_earns_what_its_value_says() -> None:
    """20,000 episodes of the uniform policy, whose mean lies within 4.5 standard errors of the value."""
    rng = np.random.default_rng(3)
    rows = []
    for s in range(8):
        for a in range(3):
            targets, weights = rng.choice(9, size=3, replace=False), rng.dirichlet(np.ones(4))
            rows += [(s, a, t, w, rng.normal()) for t, w in zip([*targets, 8], weights, strict=True)]
    mdp = triplets(rows, discount=0.95)
    model, episodes = TableModel(mdp), 20_000
    key = episode_key(np.arange(episodes), np.zeros(episodes, np.int64))
    state, total, weight = model.initial(np.zeros(episodes, np.int64)), np.zeros(episodes), np.ones(episodes)
    for step in range(400):
        alive = np.flatnonzero(~mdp.terminal[state.index] & (weight > 0))
        if not len(alive):
            break
        draws = (uniform(key[alive], np.full(len(alive), 2 * step + i)) for i in range(2))
        here = type(state)(state.index[alive])
        action = (next(draws) * 3).astype(int)
        after = model.transition(here, action, model.sample_event(here, action, next(draws)))
        total[alive] += weight[alive] * after.reward
        weight[alive] *= mdp.discount * ~after.terminated
        state.index[alive] = after.state.index
    expected = evaluate_policy(mdp, uniform_policy(mdp))[0]
    error = total.std() / np.sqrt(episodes)
    assert abs(total.mean() - expected) < 4.5 * error
    assert abs(total.mean() - expected - 0.1) > 4.5 * error, "the interval is narrow enough to notice 0.1"


@pytest.mark.parametrize("exponent", [27, 33, 44])
def test_a_discount_near_1_does_not_hide_rounding(exponent: int) -> None:
    """All numbers are dyadic, so the fractions are those of the floats; a residual of 0 proves nothing."""
    mdp = triplets(
        [
            (0, 0, 0, 0.25, 1.75),
            (0, 0, 1, 0.75, 1.75),
            (1, 0, 0, 1023 / 1024, 1.0),
            (1, 0, 1, 1 / 1024, 1.0),
        ]
    )
    gamma = Fraction(1) - Fraction(1, 2**exponent)
    a, b, c, d = 1 - gamma / 4, -gamma * 3 / 4, -gamma * 1023 / 1024, 1 - gamma / 1024
    exact = (Fraction(7, 4) * d - b) / (a * d - b * c)
    solution = solve(mdp, gamma=float(gamma))
    assert solution.lower[0] <= exact <= solution.upper[0]
    if solution.converged:
        assert abs(solution.value[0] - exact) <= solution.epsilon * exact


@pytest.mark.parametrize("loss", [1e-6, 1e-7, 1e-8])
def test_a_cycle_that_loses_very_little(loss: float) -> None:
    mdp = triplets([(0, 0, 1, 1.0, 1.0), (1, 0, 0, 1.0, -1 - loss), (0, 1, 2, 1.0, -10.0)])
    solution = solve(mdp)
    assert solution.converged
    assert solution.initial.value == pytest.approx(-10)


def test_sure_reachability_needs_no_precision() -> None:
    rare = 2.0**-24
    mdp = triplets([(0, 0, 0, 0.5, 0.0), (0, 0, 1, 0.5, 0.0), (0, 1, 0, 1 - rare, 0.0), (0, 1, 1, rare, 0.0)])
    for minimize in (False, True):
        solution = solve(mdp, objective="reach-prob", target=[1], minimize=minimize)
        assert solution.initial == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("exponent", [4, 12, 20, 26])
def test_the_average_of_a_chain_that_hardly_mixes(exponent: int) -> None:
    rare = 2.0**-exponent
    mdp = triplets(
        [(0, 0, 0, 1 - rare, 1.0), (0, 0, 1, rare, 1.0), (1, 0, 1, 1 - rare, 0.0), (1, 0, 0, rare, 0.0)]
    )
    solution = solve(mdp, objective="average")
    assert solution.converged
    assert solution.initial.value == pytest.approx(0.5, abs=1e-6)


def test_policy_iteration_ends_where_rounding_always_promises_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain worth 10^10 beside a state worth 0: there is nothing to choose, and nothing to improve."""
    rows = [
        (0, 0, 0, 0.999, 100.0),
        (0, 0, 1, 0.001, 100.0),
        (1, 0, 0, 0.99999, 0.0),
        (1, 0, 2, 0.00001, 0.0),
        (2, 0, 1, 0.0001, 0.0),
        (2, 0, 3, 0.9999, 0.0),
        (3, 0, 3, 2 / 3, 0.0),
        (3, 0, 4, 1 / 3, 0.0),
        (4, 0, 4, 1.0, 0.0),
    ]
    iteration = sys.modules["rlkit.solvers.methods.policy_iteration"]
    evaluated, calls = iteration.evaluated, []
    monkeypatch.setattr(iteration, "evaluated", lambda *args: calls.append(1) or evaluated(*args))
    solution = solve(triplets(rows), objective="reach-reward", target=[4], max_sweeps=100)
    assert len(calls) < 10
    assert solution.converged
    assert solution.initial.lower <= Fraction(11_111_111_100_000, 1111) <= solution.initial.upper


def test_a_bonus_that_makes_a_policy_circle_is_lowered_until_it_does_not() -> None:
    """Where 6 and 7 can turn around each other for 10^9 steps, the least bonus a step is worth much."""
    rare = 1e-5
    rows = [
        (0, 0, 3, 1.0, 0.0),
        (0, 1, 3, 1e-4, 0.0),
        (0, 1, 1, 0.9998, 0.0),
        (0, 1, 2, 1e-4, 0.0),
        (1, 0, 0, rare, 0.0),
        (1, 0, 2, 1 - rare, 0.0),
        (1, 1, 2, 1.0, 0.0),
        (2, 0, 1, 1 / 3, 0.0),
        (2, 0, 4, 2 / 3, 0.0),
        (2, 1, 1, rare, 0.0),
        (2, 1, 2, 1 - rare, 0.0),
        (4, 0, 2, 1 / 3, 0.0),
        (4, 0, 5, 2 / 3, 0.0),
    ]
    rows += [(s, 0, s + 1, 1.0, 0.0) for s in range(6, 40)]  # too many states for fractions
    mdp = triplets(rows, initial=np.full(41, 1 / 41))
    solution = solve(mdp, objective="reach-prob", target=[3], minimize=True)
    assert solution.converged
    assert solution.value[0] == pytest.approx(1e-4, rel=1e-6)


def test_the_average_of_a_poor_component_beside_a_rich_one() -> None:
    """Each state is as certain as the components it can get to, however much another one is worth."""
    rng = np.random.default_rng(0)
    rows = [
        (s, 0, t, 0.25, scale * rng.random())
        for scale, start in ((1e6, 0), (1.0, 4))
        for s in range(start, start + 4)
        for t in range(start, start + 4)
    ]
    solution = solve(triplets(rows, initial=np.full(8, 1 / 8)), objective="average")
    assert solution.converged
    for states, scale in ((slice(0, 4), 1e6), (slice(4, 8), 1.0)):
        assert (solution.upper - solution.lower)[states].max() <= 1e-6 * scale
