"""What looks alike, and what may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pomdps import pomdp_of

from rlkit.core import (
    POMDP,
    Model,
    ModelError,
    NoExactModel,
    Step,
    enumerate_model,
    enumerate_pomdp,
    from_triplets,
)
from rlkit.envs import grid_world

FORM = {
    "array": lambda n: np.stack([n // 2, n % 2 * 0.0], axis=1),
    "dict": lambda n: {"half": n // 2, "nothing": np.where(n % 2 == 0, 0.0, -0.0)},
    "tuple": lambda n: (n // 2, {"deep": np.zeros((len(n), 2, 3), dtype=np.uint8)}),
}


@dataclass(frozen=True)
class Place:
    number: np.ndarray


class Line(Model[Place]):
    """Walk over places 0..5, of which two at a time look alike; the last ends."""

    n_actions, n_events, hidden = 2, 1, True
    observation_space = spaces.Discrete(3)

    def __init__(self, form: str = "array", forbidden: int | None = None) -> None:
        self.form, self.forbidden = form, forbidden
        self.masked = forbidden is not None

    def start_probs(self) -> Any:
        return np.ones(1)

    def initial(self, event: Any) -> Any:
        return Place(event * 0)

    def event_probs(self, state: Any, action: Any) -> Any:
        return np.ones((len(action), 1))

    def transition(self, state: Any, action: Any, event: Any) -> Any:
        number = np.clip(state.number + 2 * action - 1, 0, 5)
        return Step(Place(number), np.zeros(len(number)), number == 5)

    def observe(self, state: Any) -> Any:
        return FORM[self.form](state.number)

    def legal(self, state: Any) -> Any:
        return np.stack([state.number != self.forbidden, np.full(len(state.number), True)], axis=1)


@pytest.mark.parametrize("form", FORM)
def test_states_of_equal_observations_are_one_class(form: Any) -> None:
    found = enumerate_pomdp(Line(form))
    assert found.observation.tolist() == [0, 0, 1, 1, 2, -1]
    assert (found.n_observations, found.legal.all()) == (3, True)
    assert found.mdp.n_states == enumerate_model(Line(form)).n_states


def test_a_fully_observed_model_has_a_class_for_each_state() -> None:
    found = enumerate_pomdp(grid_world())
    alive = ~found.mdp.terminal
    assert len(set(found.observation[alive].tolist())) == alive.sum()
    assert (found.observation[found.mdp.terminal] == -1).all()


def test_states_that_look_alike_must_offer_the_same_actions() -> None:
    with pytest.raises(
        ModelError, match="states 2 and 3 have the same observation, but offer different actions"
    ):
        enumerate_pomdp(Line(forbidden=3))


def test_too_many_states() -> None:
    with pytest.raises(NoExactModel, match="more than 3 states"):
        enumerate_pomdp(Line(), max_states=3)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        ([0, 0], "must be 3 integers"),
        ([0.0, 0.0, 0.0], "must be 3 integers, not float64"),
        ([0, -2, 0], "state 1 has the observation -2"),
    ],
)
def test_observations_that_are_none(observation: Any, message: str) -> None:
    mdp = pomdp_of([(0, 0, 1, 1.0, 0.0), (1, 0, 2, 1.0, 0.0)], [0, 0, 0]).mdp
    with pytest.raises(ModelError, match=message):
        POMDP(mdp=mdp, observation=np.array(observation))


def test_policies_over_observations_as_policies_over_states() -> None:
    pomdp = enumerate_pomdp(Line())
    assert pomdp.over_states([1, 0, 1]).tolist() == [1, 1, 0, 0, 1, -1]
    drawn = pomdp.over_states([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    assert drawn[:, 1].tolist() == [0.5, 0.5, 0.0, 0.0, 1.0, 0.0]


def test_as_many_actions_that_differ_are_refused() -> None:
    """States 0 and 1 look alike and offer one action each, but not the same one."""
    mdp = from_triplets([0, 1], [0, 1], [2, 2], [1.0, 1.0], n_states=3, initial=[0.5, 0.5, 0])
    with pytest.raises(
        ModelError, match="states 0 and 1 have the same observation, but offer different actions"
    ):
        POMDP(mdp=mdp, observation=np.array([0, 0, -1]))
    POMDP(mdp=mdp, observation=np.array([0, 1, -1]))
