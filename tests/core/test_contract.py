"""A model that breaks its contract is refused in one line, by enumeration, by interfaces and by the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import rlkit
from rlkit.check import CheckError
from rlkit.core import Model, ModelError, Step, enumerate_model
from rlkit.envs import ModelEnv, ModelVectorEnv


@dataclass(frozen=True)
class Place:
    x: np.ndarray  # [B]


class Line(Model[Place]):
    """From 0 to 2, one to the right or to the left; the right end ends."""

    n_actions, n_events = 2, 2
    action_names = ("left", "right")
    observation_space = spaces.Discrete(3)

    def initial(self, event: Any) -> Place:
        return Place(0 * event)

    def event_probs(self, state: Place, action: Any) -> Any:
        return np.tile([0.5, 0.5], (len(action), 1))

    def transition(self, state: Place, action: Any, event: Any) -> Any:
        x = np.clip(state.x + (2 * action - 1) * event, 0, 2)
        return Step(Place(x), 1.0 * (x == 2), x == 2)

    def observe(self, state: Place) -> Any:
        return state.x


class Listed(Line):
    """The same with its states in order; after the end it says nonsense."""

    def all_states(self) -> Place:
        return Place(np.arange(4))  # of which the last is never met

    def event_probs(self, state: Place, action: Any) -> Any:
        return np.array([[0.5, 0.5], [0.5, 0.5], [np.nan, -1.0], [0.0, 0.0]])[state.x]


def line(base: Any = Line, **attributes: Any) -> Any:
    return type("Bad", (base,), attributes)()


def rows(*probs: Any) -> Any:
    return lambda self, state, action: np.tile(np.array(probs), (len(action), 1))


def zero_on_the_right(self: Any, state: Place, action: Any) -> Any:
    return np.full((len(action), 2), 0.5) * ((state.x < 1) | (action == 0))[:, None]


def told(**changed: Any) -> Any:
    def transition(self: Any, state: Place, action: Any, event: Any) -> Any:
        step = Line.transition(self, state, action, event)
        return Step(**{**vars(step), **{name: change(vars(step)[name]) for name, change in changed.items()}})

    return transition


def legal(*shape: int, value: Any = True) -> Any:
    return lambda self, state: np.full((len(state.x), *shape), value)


def stop_at_1(self: Any, state: Place) -> Any:
    return np.ones((1, 2), dtype=bool) & (state.x != 1)[:, None]


ATTRIBUTES = [
    ({"n_actions": 0, "action_names": None}, "Bad.n_actions must be a whole number of at least 1, not 0"),
    ({"n_events": 0}, "Bad.n_events must be a whole number of at least 1, not 0"),
    ({"n_starts": 0}, "Bad.n_starts must be a whole number of at least 1, not 0"),
    ({"n_starts": 1.5}, "Bad.n_starts must be a whole number of at least 1, not 1.5"),
    ({"max_episode_steps": 0}, "Bad.max_episode_steps must be a whole number of at least 1, not 0"),
    ({"max_episode_steps": -3}, "Bad.max_episode_steps must be a whole number of at least 1, not -3"),
    ({"max_episode_steps": "x"}, "Bad.max_episode_steps must be a whole number of at least 1, not 'x'"),
    ({"n_actions": 3}, "Bad.action_names has 2 names for 3 actions"),
    ({"action_space": spaces.MultiDiscrete([2, 2])}, "Bad.action_space MultiDiscrete([2 2]) does not have 2"),
    ({"observation_space": None}, "Bad needs an observation_space"),
]
RETURNED = [  # with what enumeration and the check say
    ({"event_probs": rows(np.nan, 1.0)}, "action left has probability nan to", "holds nan"),
    ({"event_probs": rows(-0.5, 1.5)}, "action left has probability -0.5 to", "holds -0.5"),
    ({"event_probs": rows(0.0, 0.0)}, "state 0, action left has no successor", "sums to 0"),
    ({"event_probs": zero_on_the_right}, "state 1, action right has no successor", "sums to 0"),
    ({"event_probs": rows(0.5, 0.25, 0.25)}, "Bad.event_probs is float64 (2, 3), expected numbers (2, 2)"),
    ({"event_probs": rows("a", "b")}, "Bad.event_probs is <U1 (2, 2), expected numbers (2, 2)"),
    ({"start_probs": lambda self: np.full(2, 0.5)}, "Bad.start_probs is float64 (2,), expected numbers (1,)"),
    ({"start_probs": lambda self: np.array([np.nan])}, "initial probability of state 0 is nan", "holds nan"),
    ({"initial": lambda self, event: Place(np.zeros(99))}, "Bad.initial is float64 (99,), expected numbers"),
    ({"initial": lambda self, event: 0 * event}, "a state must be a dataclass of arrays"),
    ({"legal": legal(5)}, "Bad.legal is bool (1, 5), expected bool (1, 2)"),
    ({"legal": legal(2, value=1.0)}, "Bad.legal is float64 (1, 2), expected bool (1, 2)"),
    ({"legal": legal(2, value=False)}, "no action is legal in any first state", "no legal action"),
    ({"legal": stop_at_1}, "no action is legal in state 1, where no episode has ended", "no legal action"),
    (
        {"transition": told(terminated=lambda x: 1.0 * x)},
        "Bad.transition, terminated is float64 (4,), expected",
    ),
    ({"transition": told(reward=lambda x: x[:, None])}, "Bad.transition, reward is float64 (4, 1), expected"),
    ({"transition": told(state=lambda s: Place(s.x[:1]))}, "Bad.transition, state is int64 (1,), expected"),
    (
        {"transition": lambda *_: (1, 2, 3)},
        "Bad.transition must return Step(state, reward, terminated), not a",
    ),
]


@pytest.mark.parametrize(("attributes", "message"), ATTRIBUTES)
@pytest.mark.parametrize("use", [enumerate_model, ModelEnv, ModelVectorEnv, rlkit.check_model])
def test_attributes_that_do_not_fit_are_refused_everywhere(use: Any, attributes: Any, message: str) -> None:
    with pytest.raises((ModelError, CheckError)) as refusal:
        use(line(**attributes))
    assert message in str(refusal.value)


@pytest.mark.parametrize("base", [Line, Listed])
@pytest.mark.parametrize(("methods", "message"), [(methods, message) for methods, message, *_ in RETURNED])
def test_what_methods_return_is_checked_in_enumeration(base: Any, methods: Any, message: str) -> None:
    with pytest.raises(ModelError) as refusal:
        enumerate_model(line(base, **methods))
    assert message.partition("(")[0] in str(refusal.value)


@pytest.mark.parametrize(("methods", "message"), [(found[0], found[-1]) for found in RETURNED])
def test_the_check_says_the_same(methods: Any, message: str) -> None:
    with pytest.raises(CheckError) as refusal:
        rlkit.check_model(line(**methods))
    assert message.partition("(")[0] in str(refusal.value)


def test_after_the_end_a_model_may_say_anything() -> None:
    mdp = enumerate_model(Listed())
    assert mdp.terminal.tolist() == [False, False, True, True]


def never_left(self: Any, state: Place) -> Any:
    return np.stack([state.x > 0, state.x >= 0], axis=1)


def test_a_class_with_its_own_legal_actions_is_masked() -> None:
    env = ModelEnv(line(legal=never_left))
    assert env.reset(seed=0)[1]["action_mask"].tolist() == [0, 1]
    assert env.mdp().n_choices == 3
    with pytest.raises(ModelError, match="an action is illegal in state 0 although masked is False"):
        enumerate_model(line(legal=never_left, masked=False))


@pytest.mark.parametrize("use", [ModelEnv, ModelVectorEnv, enumerate_model])
def test_what_is_no_model_is_refused(use: Any) -> None:
    with pytest.raises(ModelError, match="an environment is made of a Model, not of 3"):
        use(3)
