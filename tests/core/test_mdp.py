from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from rlkit.core import MDP, ModelError, ModelWarning, from_triplets

FIELDS = {
    "state_ptr": np.array([0, 2, 3, 3]),
    "choice_ptr": np.array([0, 2, 3, 5]),
    "successor": np.array([0, 1, 2, 0, 2]),
    "probability": np.array([0.25, 0.75, 1.0, 0.5, 0.5]),
    "reward": np.array([1.0, 2.0, 3.0]),
    "action": np.array([0, 2, 1]),
    "initial": np.array([1.0, 0.0, 0.0]),
    "state_names": ("start", "middle", "end"),
    "action_names": ("left", "right", "wait"),
    "labels": {"goal": np.array([2])},
}


def make(**changes: object) -> MDP:
    return MDP(**(FIELDS | changes))


def test_what_it_derives() -> None:
    mdp = make()
    assert (mdp.n_states, mdp.n_choices, mdp.n_transitions, mdp.n_actions) == (3, 3, 5, 3)
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.state_of_choice.tolist() == [0, 0, 1]
    assert mdp.legal.tolist() == [[True, False, True], [False, True, False], [False] * 3]
    assert mdp.matrix.toarray().tolist() == [[0.25, 0.75, 0], [0, 0, 1], [0.5, 0, 0.5]]
    assert np.array_equal(
        mdp.table(mdp.reward), [[1, np.nan, 2], [np.nan, 3, np.nan], [np.nan] * 3], equal_nan=True
    )
    assert mdp.states_with("goal").tolist() == [2]
    assert (mdp.state_name(1), mdp.action_name(2)) == ("middle", "wait")
    assert repr(mdp) == "MDP(states=3, choices=3, transitions=5)"


def test_without_names_numbers_serve() -> None:
    mdp = make(state_names=None, action_names=None)
    assert (mdp.n_actions, mdp.state_name(1), mdp.action_name(2)) == (3, "1", "2")
    with pytest.raises(ModelError, match=r"state 0, action 2 has reward nan"):
        make(state_names=None, action_names=None, reward=np.array([1.0, np.nan, 3.0]))


def test_nothing_can_be_written_to() -> None:
    mdp = make()
    with pytest.raises(ValueError, match="read-only"):
        mdp.probability[0] = 1.0
    with pytest.raises(FrozenInstanceError):
        mdp.discount = 0.5  # the assignment is what is tested


def test_memory_of_the_caller_is_not_shared_for_the_worse() -> None:
    """A model stays what it was when the arrays it was made from change their type or size."""
    probability = np.array([0.25, 0.75, 1.0, 0.5, 0.5], dtype=np.float32)
    mdp = make(probability=probability)
    probability[:] = 0
    assert mdp.probability.tolist() == [0.25, 0.75, 1.0, 0.5, 0.5]


def test_zero_probabilities_are_dropped() -> None:
    mdp = make(
        choice_ptr=np.array([0, 3, 4, 6]),
        successor=np.array([0, 2, 1, 2, 0, 2]),
        probability=np.array([0.25, 0.0, 0.75, 1.0, 0.5, 0.5]),
        transition_reward=np.arange(6.0),
    )
    assert mdp.successor.tolist() == FIELDS["successor"].tolist()
    assert mdp.transition_reward is not None
    assert mdp.transition_reward.tolist() == [0, 2, 3, 4, 5]


def test_rounding_is_left_alone_and_digits_cut_off_are_mended() -> None:
    off_by_rounding = make(probability=np.array([0.25, 0.75 + 1e-15, 1.0, 0.5, 0.5]))
    assert off_by_rounding.probability[1] == 0.75 + 1e-15
    with pytest.warns(ModelWarning, match=r"2 rows .* the worst, state start, action left, was off by 8e-07"):
        mdp = make(probability=np.array([0.25, 0.7500008, 1.0, 0.5, 0.4999998]))
    assert np.add.reduceat(mdp.probability, mdp.choice_ptr[:-1]).tolist() == pytest.approx(
        [1, 1, 1], abs=1e-15
    )
    assert mdp.probability[2] == 1.0


@pytest.mark.parametrize(
    ("changes", "message", "state", "action"),
    [
        (
            {"probability": np.array([0.25, 0.75, 0.9, 0.5, 0.5])},
            r"state start, action wait has probabilities that sum to 0\.9, not 1",
            0,
            2,
        ),
        (
            {"probability": np.array([0.25, 0.75, 1.0, 1.5, -0.5])},
            r"state middle, action right has probability -0\.5 to state end, which is negative",
            1,
            1,
        ),
        (
            {"probability": np.array([0.25, 0.75, 1.0, 1.5, 0.5])},
            r"state middle, action right .* 1\.5 to state start, which is above 1",
            1,
            1,
        ),
        (
            {"probability": np.array([np.nan, 0.75, 1.0, 0.5, 0.5])},
            r"state start, action left .* nan to state start, which is not finite",
            0,
            0,
        ),
        (
            {"successor": np.array([0, 1, 2, 0, 3])},
            r"state middle, action right leads to state 3, but states are 0\.\.2",
            1,
            1,
        ),
        ({"successor": np.array([-1, 1, 2, 0, 2])}, r"state start, action left leads to state -1", 0, 0),
        ({"reward": np.array([1.0, np.inf, 0.0])}, r"state start, action wait has reward inf", 0, 2),
        (
            {"transition_reward": np.array([0, 0, 0, np.nan, 0])},
            r"state middle, action right has reward nan",
            1,
            1,
        ),
        ({"action": np.array([0, 2, 3])}, r"state middle has action index 3, but there are 3 actions", 1, 3),
        ({"action": np.array([2, 2, 1])}, r"state start, action wait appears twice or out of order", 0, 2),
        ({"action": np.array([2, 0, 1])}, r"state start, action left appears twice or out of order", 0, 0),
        ({"choice_ptr": np.array([0, 2, 2, 5])}, r"state start, action wait has no successor", 0, 2),
    ],
)
def test_errors_name_state_and_action(
    changes: dict[str, object], message: str, state: int, action: int
) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        make(**changes)
    assert (caught.value.state, caught.value.action) == (state, action)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_ptr": np.array([0])}, "at least one state"),
        ({"state_ptr": np.array([0, 2, 1, 3])}, "state_ptr must rise from 0 to the number of choices, 3"),
        ({"state_ptr": np.array([1, 2, 3, 3])}, "state_ptr must rise"),
        (
            {"choice_ptr": np.array([0, 2, 3, 4])},
            "choice_ptr must rise from 0 to the number of transitions, 5",
        ),
        ({"probability": np.ones(4)}, r"probability has shape \(4,\), expected \(5,\)"),
        ({"reward": np.ones((3, 1))}, r"reward has shape \(3, 1\), expected \(3,\)"),
        ({"transition_reward": np.ones(3)}, r"transition_reward has shape \(3,\), expected \(5,\)"),
        ({"initial": np.array([1.0])}, r"initial has shape \(1,\), expected \(3,\)"),
        ({"initial": np.array([0.5, 0.4, 0.0])}, "initial probabilities sum to 0.9, not 1"),
        ({"initial": np.array([1.5, -0.5, 0.0])}, "initial probability of state middle is -0.5"),
        ({"initial": np.array([np.nan, 0.5, 0.5])}, "initial probability of state start is nan"),
        ({"discount": 1.1}, r"discount must lie in \[0, 1\], not 1.1"),
        ({"discount": float("nan")}, r"discount must lie in \[0, 1\], not nan"),
        ({"state_names": ("a", "b")}, "2 state names for 3 states"),
        ({"labels": {"goal": np.array([5])}}, "label 'goal' names state 5, but states are 0..2"),
        ({"successor": np.array([0.0, 1, 2, 0, 2])}, "successor must hold integers, not float64"),
        ({"successor": np.array([0, 1, 2, 0, 2**40])}, "successor holds 1099511627776"),
    ],
)
def test_other_errors_say_what_was_expected(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make(**changes)


def test_unknown_label_lists_the_known() -> None:
    with pytest.raises(ModelError, match=r"'gaol' in this model \(labels: goal, start; states: "):
        make(labels={"start": np.array([0]), "goal": np.array([2])}).states_with("gaol")
    with pytest.raises(ModelError, match=r"labels: none"):
        make(labels={}).states_with("goal")


def test_parallel_transitions_are_kept() -> None:
    mdp = make(successor=np.array([1, 1, 2, 0, 2]), transition_reward=np.array([0.0, 4, 0, 0, 0]))
    assert mdp.n_transitions == 5
    assert mdp.matrix.toarray()[0].tolist() == [0, 1, 0]


def test_replace_validates_again() -> None:
    with pytest.raises(ModelError, match="discount"):
        replace(make(), discount=2.0)


def test_a_model_of_terminal_states_only() -> None:
    mdp = MDP(
        state_ptr=np.array([0, 0]),
        choice_ptr=np.array([0]),
        successor=np.array([], dtype=int),
        probability=np.array([]),
        reward=np.array([]),
        action=np.array([], dtype=int),
        initial=np.array([1.0]),
    )
    assert (mdp.n_actions, mdp.n_choices, mdp.terminal.tolist()) == (0, 0, [True])


def test_a_table_too_large_for_memory_is_refused() -> None:
    """Every state has an action of its own: 100,000 choices, but 10^10 pairs."""
    here = np.arange(100_000)
    mdp = from_triplets(here, here, here, np.ones(len(here)), n_states=len(here), initial=here * 0 + 1e-5)
    with pytest.raises(ModelError, match="100,000 states times 100,000 actions are too many for a table"):
        _ = mdp.legal
