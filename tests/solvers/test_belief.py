"""The optimum with memory against policy trees in fractions, and against published values."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pomdps import pomdp_of, random_pomdp, tiger, tree_value

import rlkit
from rlkit.core import POMDP, NoExactModel
from rlkit.solvers import belief_mdp, best_memoryless, evaluate_policy, optimum, solve, verify
from rlkit.solvers.partial import belief


def value_with_memory(pomdp: POMDP, horizon: int) -> float:
    return solve(belief_mdp(pomdp, horizon=horizon).mdp, horizon=horizon).initial.value


@pytest.mark.parametrize(
    ("horizon", "value"),
    [
        (1, -1.0),
        (2, -2.0),
        # listen twice; open if both times the same was heard: -2 + 0.745 (10 * 289 - 100 * 9) / 298 - 0.255
        (3, -2 + (0.7225 * 10 - 0.0225 * 100) - 0.255),
    ],
)
def test_tiger_by_hand(horizon: int, value: Any) -> None:
    assert value_with_memory(tiger(), horizon) == pytest.approx(value, abs=1e-12)
    assert float(tree_value(tiger(), horizon)) == pytest.approx(value, abs=1e-12)


def test_tiger_without_end_has_the_published_value() -> None:
    """19.37 from the uniform belief at gamma 0.95; beliefs that differ by less than 1e-12 make it finite."""
    beliefs = belief_mdp(tiger())
    assert beliefs.mdp.n_states < 100
    found = solve(beliefs.mdp, gamma=0.95, epsilon=1e-9)
    assert found.converged
    assert found.initial.value == pytest.approx(19.3714, abs=1e-4)
    cut = belief_mdp(tiger(), horizon=14)
    assert solve(cut.mdp, gamma=0.95, horizon=14).initial.value <= found.initial.upper


@pytest.mark.parametrize("seed", range(25))
def test_random_pomdps_against_policy_trees(seed: int) -> None:
    pomdp = random_pomdp(seed)
    for horizon in (0, 1, 2, 4):
        truth = float(tree_value(pomdp, horizon))
        assert value_with_memory(pomdp, horizon) == pytest.approx(truth, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_rewards_that_fade(seed: int) -> None:
    """In the optimum with memory, and in what the best map earns."""
    plain = random_pomdp(seed)
    pomdp = POMDP(mdp=plain.mdp.with_reward_decay(0.25), observation=plain.observation)
    assert value_with_memory(pomdp, 4) == pytest.approx(float(tree_value(pomdp, 4)), abs=1e-9)
    maps = itertools.product(range(2), repeat=pomdp.n_observations)
    earned = [evaluate_policy(pomdp.mdp, pomdp.over_states(m), horizon=4) for m in maps]
    best = best_memoryless(pomdp, horizon=4).value
    assert best.value == pytest.approx(max(pomdp.mdp.expectation(v) for v in earned), abs=1e-9)
    assert best.upper - best.lower < 1e-8


def test_policy_trees_notice_a_likelihood_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bayes' rule without the probability of what was seen: every observation equally likely."""
    original = belief.Walk.split

    def forgetful(self: Any, distribution: Any) -> Any:
        parts = original(self, distribution)
        number = np.bincount(parts.origin)[parts.origin]
        return parts._replace(probability=1.0 / number)

    monkeypatch.setattr(belief.Walk, "split", forgetful)
    wrong = [
        abs(value_with_memory(random_pomdp(s), 4) - float(tree_value(random_pomdp(s), 4))) for s in range(25)
    ]
    assert max(wrong) > 0.01


def test_policy_trees_notice_an_observation_ignored() -> None:
    """An agent that is not shown what it sees earns less."""
    blind = [POMDP(mdp=p.mdp, observation=0 * p.observation) for p in map(random_pomdp, range(25))]
    lost = [float(tree_value(random_pomdp(s), 4)) - value_with_memory(p, 4) for s, p in enumerate(blind)]
    assert min(lost) > -1e-9
    assert max(lost) > 0.01


def test_beliefs_are_distributions_over_states_that_look_as_they_do() -> None:
    for seed in range(10):
        pomdp = random_pomdp(seed)
        beliefs = belief_mdp(pomdp, horizon=5)
        table = beliefs.belief.toarray()
        assert ((table > 0).sum(axis=1) > 0).sum() >= beliefs.mdp.n_states - 1
        for row, seen in zip(table, beliefs.observation, strict=True):
            if seen >= 0:
                assert row.sum() == pytest.approx(1.0, abs=1e-12)
                assert set(pomdp.observation[row > 0].tolist()) == {int(seen)}


@pytest.mark.parametrize("id", ["rlkit/GridWorld-v0", "rlkit/Exam-v0", "rlkit/FrozenLake-v0"])
def test_where_states_are_seen_beliefs_are_states(id: str) -> None:
    mdp = rlkit.exact(id)
    beliefs = belief_mdp(POMDP(mdp=mdp, observation=np.arange(mdp.n_states)))
    assert beliefs.mdp.n_states <= mdp.n_states
    for how in ({"gamma": 0.9}, {"horizon": 20}, {"gamma": 1.0}):
        ours, theirs = solve(beliefs.mdp, **how).initial, solve(mdp, **how).initial
        assert ours.lower - 1e-9 <= theirs.upper
        assert theirs.lower <= ours.upper + 1e-9


def test_rewards_that_cancel_in_a_belief_are_worth_nothing() -> None:
    """Thirds of 0.1 and -0.2: what rounding leaves of them must not be collected without end."""
    thirds = [1 / 3, 1 / 3, 1 / 3]
    rows = [(s, 0, t, 1 / 3, (0.1, 0.1, -0.2)[s]) for s in range(3) for t in range(3)]
    beliefs = belief_mdp(pomdp_of(rows, [0, 0, 0], thirds))
    assert solve(beliefs.mdp).initial.value == 0


def test_paths_that_meet_but_for_rounding_meet() -> None:
    """Two coins of weight 0.1 and 0.3 come to the same belief in any order of what was seen."""
    rows = []
    for coin, heads in ((0, 0.1), (1, 0.3)):
        for s in (2 * coin, 2 * coin + 1):
            rows += [(s, 0, 2 * coin, heads, 0.0), (s, 0, 2 * coin + 1, 1 - heads, 0.0)]
    pomdp = pomdp_of(rows, [0, 1, 0, 1], [0.5, 0, 0.5, 0])
    # after n steps the number of heads and what was seen last: not 2^n histories
    assert belief_mdp(pomdp, horizon=12).mdp.n_states <= 1 + sum(2 * n for n in range(1, 13))


def test_too_many_beliefs() -> None:
    with pytest.raises(NoExactModel, match="more than 20 beliefs: 20 found so far"):
        belief_mdp(tiger(), max_beliefs=20)


def test_an_episode_that_is_over_at_once() -> None:
    pomdp = pomdp_of([(0, 0, 1, 1.0, 2.0)], [0, 0], [0.25, 0.75])
    beliefs = belief_mdp(pomdp)
    assert beliefs.observation.tolist() == [0, -1]
    assert solve(beliefs.mdp).initial.value == pytest.approx(0.5)


def from_belief(pomdp: POMDP, belief: np.ndarray, step: int) -> POMDP:
    """What is left after so many steps: 1 - f (d + k) is (1 - f d) (1 - f / (1 - f d) k)."""
    share = 1 - pomdp.mdp.reward_decay * step
    mdp = replace(pomdp.mdp, initial=belief, reward=share * pomdp.mdp.reward)
    return POMDP(mdp=mdp.with_reward_decay(pomdp.mdp.reward_decay / share), observation=pomdp.observation)


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
@pytest.mark.parametrize("decay", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(8))
def test_with_a_horizon_each_belief_has_the_steps_left_when_it_is_reached(seed: int, decay: float) -> None:
    plain, horizon = random_pomdp(seed), 3
    pomdp = POMDP(mdp=plain.mdp.with_reward_decay(decay), observation=plain.observation)
    remembered = optimum(pomdp, horizon=horizon)
    found, beliefs = remembered.when_reached(), remembered.beliefs
    for s in range(beliefs.mdp.n_states):
        step, row = int(found.entered[s]), beliefs.belief[[s]].toarray().ravel()
        left = float(tree_value(from_belief(pomdp, row, step), horizon - step)) if row.any() else 0.0
        assert found.value[s] == pytest.approx(left, abs=1e-9)
        assert found.lower[s] <= found.value[s] <= found.upper[s]
        if found.choice[s] >= 0:
            own = slice(beliefs.mdp.state_ptr[s], beliefs.mdp.state_ptr[s + 1])
            assert found.q[own].max() == found.q[found.choice[s]] == found.value[s]
    assert verify(beliefs.mdp, found) == []


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
def test_policy_trees_notice_values_of_the_whole_horizon() -> None:
    """Beliefs that are reached later, valued as if all steps were left, although nothing follows the last."""
    beliefs = belief_mdp(tiger(), horizon=3)
    whole = solve(beliefs.mdp, horizon=3)
    second = beliefs.belief[[1]].toarray().ravel()
    assert whole.value[1] != pytest.approx(float(tree_value(from_belief(tiger(), second, 1), 3)))
    found = optimum(tiger(), horizon=3).when_reached()
    assert verify(beliefs.mdp, replace(found, value=whole.value)) != []


def test_tiger_after_one_hint_by_hand() -> None:
    """Two steps are left: listen, then open if the same was heard again, else listen once more."""
    sure = 0.85**2 / (0.85**2 + 0.15**2)
    value = -1 + (0.85**2 + 0.15**2) * (10 * sure - 100 * (1 - sure)) + 2 * 0.85 * 0.15 * -1
    found = optimum(tiger(), horizon=3).when_reached()
    assert found.entered.tolist()[:3] == [0, 1, 1]
    assert found.value[1:3] == pytest.approx([value, value])
