"""Noisy observations against a recursion over histories, which knows no beliefs and no states of pairs."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

from rlkit.core import ModelError, ModelWarning, NoExactModel, from_arrays, from_sensor, sensor
from rlkit.solvers import belief_mdp, best_memoryless, solve

STATES, ACTIONS, SIGHTS = 3, 2, 2


def random_tables(seed: int) -> tuple[np.ndarray, ...]:
    """Transitions [S, A, S'], sensor [A, S', O], rewards [S, A, S'] and the start [S]."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(STATES), size=(STATES, ACTIONS))
    sight = rng.dirichlet(np.ones(SIGHTS), size=(ACTIONS, STATES))
    return p, sight, rng.normal(size=p.shape), rng.dirichlet(np.ones(STATES))


def built(p: np.ndarray, sight: np.ndarray, reward: np.ndarray, start: np.ndarray) -> sensor.SensorPOMDP:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        mdp = from_arrays(p, reward, initial=start)
    return from_sensor(mdp, csr_array(sight.reshape(-1, SIGHTS)))


def history_value(
    p: np.ndarray, sight: np.ndarray, reward: np.ndarray, weight: np.ndarray, steps: int
) -> float:
    """The best plan for joint weights of the history so far and each state, never normalised."""
    if not steps:
        return 0.0
    found = []
    for a in range(ACTIONS):
        paid = np.einsum("s,st,st->", weight, p[:, a], reward[:, a])
        after = weight @ p[:, a]
        found.append(
            paid
            + sum(history_value(p, sight, reward, after * sight[a, :, o], steps - 1) for o in range(SIGHTS))
        )
    return max(found)


@pytest.mark.parametrize("seed", range(10))
def test_against_histories(seed: int) -> None:
    p, sight, reward, start = random_tables(seed)
    pomdp = built(p, sight, reward, start)
    for horizon in (1, 2, 4):
        found = solve(belief_mdp(pomdp, horizon=horizon).mdp, horizon=horizon).initial.value
        assert found == pytest.approx(history_value(p, sight, reward, start, horizon), abs=1e-9)


def test_histories_notice_a_sensor_of_the_state_that_was_left() -> None:
    p, sight, reward, start = random_tables(0)
    wrong = built(p, sight[:, ::-1], reward, start)
    found = solve(belief_mdp(wrong, horizon=4).mdp, horizon=4).initial.value
    assert abs(found - history_value(p, sight, reward, start, 4)) > 1e-3


def test_states_are_pairs_and_nothing_is_seen_at_the_start() -> None:
    p, sight, reward, start = random_tables(1)
    pomdp = built(p, sight, reward, start)
    assert pomdp.mdp.n_states == STATES + STATES * SIGHTS
    assert set(pomdp.observation[pomdp.mdp.initial > 0].tolist()) == {SIGHTS}
    assert pomdp.observation_name(SIGHTS) == "nothing yet"
    assert pomdp.full_information is pomdp.hidden
    seeing = solve(pomdp.mdp, horizon=5).initial.value
    assert seeing == pytest.approx(solve(pomdp.hidden, horizon=5).initial.value, abs=1e-12)


def test_policies_over_observations() -> None:
    """The best of all maps from (nothing, 0, 1) to actions, played out by hand on the tables."""
    p, sight, reward, start = random_tables(2)

    def earned(plan: tuple[int, ...]) -> float:
        joint, total = {SIGHTS: start}, 0.0
        for _ in range(4):
            after = dict.fromkeys(range(SIGHTS), np.zeros(STATES))
            for seen, weight in joint.items():
                a = plan[seen]
                total += np.einsum("s,st,st->", weight, p[:, a], reward[:, a])
                for o in range(SIGHTS):
                    after[o] = after[o] + (weight @ p[:, a]) * sight[a, :, o]
            joint = after
        return total

    best = max(earned(plan) for plan in itertools.product(range(ACTIONS), repeat=SIGHTS + 1))
    assert best_memoryless(built(p, sight, reward, start), horizon=4).value.value == pytest.approx(
        best, abs=1e-9
    )


def test_bad_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    p, sight, reward, start = random_tables(3)
    mdp = built(p, sight, reward, start).hidden
    with pytest.raises(ModelError, match="sensor has 3 rows, expected 2 actions x 3 states"):
        from_sensor(mdp, csr_array(sight[0]))
    with pytest.raises(ModelError, match="1 names for 2 observations"):
        from_sensor(mdp, csr_array(sight.reshape(-1, SIGHTS)), observation_names=["one"])
    for change, what in ((0.5, "sum to"), (-1.5, "a negative probability"), (np.nan, "sum to nan")):
        bad = sight.copy()
        bad[1, 2, 0] += change
        with pytest.raises(ModelError, match=f"after action 1 in state 2 have.* {what}"):
            from_sensor(mdp, csr_array(bad.reshape(-1, SIGHTS)))
    monkeypatch.setattr(sensor, "MOST_TRANSITIONS", 10)
    with pytest.raises(NoExactModel, match=r"transitions \(at most 10\)"):
        from_sensor(mdp, csr_array(sight.reshape(-1, SIGHTS)))


def test_rows_that_miss_1_by_rounding_are_scaled() -> None:
    """Without a word: a warning would fail this test."""
    p, sight, reward, start = random_tables(4)
    mdp = built(p, sight, reward, start).hidden
    one, other = (from_sensor(mdp, scale * sight.reshape(-1, SIGHTS)) for scale in (1, 1 + 5e-7))
    np.testing.assert_allclose(one.mdp.probability, other.mdp.probability, rtol=1e-12)
