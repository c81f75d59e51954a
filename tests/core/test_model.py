from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlkit.core import (
    MDP,
    Model,
    ModelError,
    NoExactModel,
    Step,
    TableModel,
    enumerate_model,
    enumerate_states,
    from_triplets,
)
from rlkit.core.model import concatenate, inverse_cdf, leaves, put, take
from rlkit.core.random import episode_key, uniform


@dataclass(frozen=True)
class Place:
    x: np.ndarray  # [B] int64


class Walk(Model[Place]):
    """A drunkard between 0 and n: a step to the right succeeds with probability 3/4; right end pays 1."""

    n_actions, n_events, n_starts = 2, 2, 2
    action_names = ("left", "right")
    observation_space = spaces.Discrete(100)

    def __init__(self, n: int) -> None:
        self.n = n

    def start_probs(self) -> np.ndarray:
        return np.array([0.5, 0.5])

    def initial(self, event: np.ndarray) -> Place:
        return Place(1 + event)

    def event_probs(self, state: Place, action: np.ndarray) -> np.ndarray:
        up = np.where(action == 1, 0.75, 0.0)
        return np.stack([up, 1 - up], axis=1)

    def transition(self, state: Place, action: np.ndarray, event: np.ndarray) -> Step[Place]:
        x = np.where(event == 0, state.x + 1, state.x - 1)
        return Step(Place(x), (x == self.n).astype(float), (x == 0) | (x == self.n))

    def observe(self, state: Place) -> np.ndarray:
        return state.x

    def state_names(self, state: Place) -> tuple[str, ...]:
        return tuple(f"x{x}" for x in state.x)


def table(mdp: MDP) -> dict[tuple[str, str], dict[str, float]]:
    return {
        (mdp.state_name(int(s)), mdp.action_name(int(a))): {
            mdp.state_name(int(t)): float(row[t]) for t in np.flatnonzero(row)
        }
        for s, a, row in zip(mdp.state_of_choice, mdp.action, mdp.matrix.toarray(), strict=True)
    }


def test_enumeration_walks_every_event() -> None:
    mdp = enumerate_model(Walk(4))
    assert mdp.state_names is not None
    assert sorted(mdp.state_names) == ["x0", "x1", "x2", "x3", "x4"]
    found = table(mdp)
    for x in (1, 2, 3):
        assert found[f"x{x}", "left"] == {f"x{x - 1}": 1.0}
        assert found[f"x{x}", "right"] == {f"x{x + 1}": 0.75, f"x{x - 1}": 0.25}
    assert len(found) == 6
    assert {mdp.state_names[s] for s in np.flatnonzero(mdp.terminal)} == {"x0", "x4"}
    assert mdp.initial[[mdp.state_names.index("x1"), mdp.state_names.index("x2")]].tolist() == [0.5, 0.5]
    assert mdp.reward.max() == 0.75
    names = [f"x{x}" for x in enumerate_states(Walk(4)).x]
    assert names == list(mdp.state_names)


def test_too_many_states() -> None:
    with pytest.raises(NoExactModel, match="more than 50 states: 50 found so far"):
        enumerate_model(Walk(10_000), max_states=50)


def random_mdp(seed: int) -> MDP:
    """Terminal states, actions that depend on the state, parallel transitions, rewards by successor."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(6):
        for a in np.flatnonzero(rng.random(3) < 0.7):
            targets = rng.integers(0, 7, size=rng.integers(1, 5))
            weights = rng.dirichlet(np.ones(len(targets)))
            rows += [(s, a, t, w, rng.normal()) for t, w in zip(targets, weights, strict=True)]
    s, a, t, p, r = (np.array(x) for x in zip(*rows, strict=True))
    return from_triplets(s, a, t, p, n_states=7, reward=r, initial=np.full(7, 1 / 7), action_names="abc")


@pytest.mark.parametrize("seed", range(5))
def test_a_table_enumerates_to_itself(seed: int) -> None:
    mdp = random_mdp(seed)
    again = enumerate_model(TableModel(mdp))
    assert again.n_states == mdp.n_states
    np.testing.assert_array_equal(again.state_ptr, mdp.state_ptr)
    np.testing.assert_array_equal(again.action, mdp.action)
    np.testing.assert_allclose(again.matrix.toarray(), mdp.matrix.toarray(), atol=1e-15)
    np.testing.assert_allclose(again.reward, mdp.reward, atol=1e-12)
    np.testing.assert_allclose(again.initial, mdp.initial)


def test_event_probabilities_of_a_table_fill_up_with_zeros() -> None:
    mdp = random_mdp(1)
    model = TableModel(mdp)
    for c in range(mdp.n_choices):
        state = type(model.all_states())(mdp.state_of_choice[[c]].astype(np.int64))
        probs = model.event_probs(state, mdp.action[[c]])[0]
        row = mdp.probability[mdp.choice_ptr[c] : mdp.choice_ptr[c + 1]]
        assert probs[: len(row)].tolist() == row.tolist()
        assert not probs[len(row) :].any()
    assert np.array_equal(model.legal(model.all_states()), mdp.legal)


def test_samples_of_a_table_have_its_frequencies() -> None:
    mdp = random_mdp(2)
    model = TableModel(mdp)
    n = 40_000
    u = uniform(episode_key(np.arange(n), np.zeros(n, np.int64)), np.zeros(n, np.int64))
    sizes = np.diff(mdp.choice_ptr)
    c = int(np.argmax(sizes))
    state = type(model.all_states())(np.full(n, mdp.state_of_choice[c], dtype=np.int64))
    action = np.full(n, mdp.action[c])
    event = model.sample_event(state, action, u)
    row = mdp.probability[mdp.choice_ptr[c] : mdp.choice_ptr[c + 1]]
    counts = np.bincount(event, minlength=len(row))
    deviation = np.abs(counts / n - row) / np.sqrt(row * (1 - row) / n)
    assert (deviation < 4.5).all()
    step = model.transition(state, action, event)
    place = mdp.choice_ptr[c] + event
    assert np.array_equal(step.state.index, mdp.successor[place])
    assert mdp.transition_reward is not None
    assert np.array_equal(step.reward, mdp.transition_reward[place])
    assert np.array_equal(step.terminated, mdp.terminal[mdp.successor[place]])
    starts = model.initial(model.start_event(u)).index
    assert np.abs(np.bincount(starts, minlength=7) / n - 1 / 7).max() < 0.01


def test_the_ends_of_the_unit_interval_are_events_that_can_happen() -> None:
    probs = np.array([[0.0, 0.25, 0.0, 0.75, 0.0]])
    u = np.array([0.0, 0.25, np.nextafter(0.25, 0), np.nextafter(1, 0)])
    assert inverse_cdf(probs, u).tolist() == [1, 3, 1, 3]
    thirds = np.full((1, 3), 1 / 3)
    assert inverse_cdf(thirds * (1 - 1e-12), np.array([np.nextafter(1, 0)])).tolist() == [2]
    assert inverse_cdf(torch.from_numpy(probs), torch.from_numpy(u)).tolist() == [1, 3, 1, 3]


def test_batches_of_states() -> None:
    first, second = Place(np.array([1, 2, 3])), Place(np.array([4, 5, 6]))
    assert take(first, np.array([2, 0])).x.tolist() == [3, 1]
    assert put(second, np.array([0, 2]), take(first, np.array([0, 2]))).x.tolist() == [1, 5, 3]
    assert second.x.tolist()[0] != 1
    assert concatenate(first, second).x.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_state_that_is_no_dataclass_is_named() -> None:
    with pytest.raises(ModelError, match=r"a state must be a dataclass of arrays \[B, ...\], not tuple"):
        leaves((np.zeros(3),))
