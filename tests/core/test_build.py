from __future__ import annotations

import numpy as np
import pytest

from rlkit.core import (
    MDP,
    ModelError,
    ModelWarning,
    NoExactModel,
    from_arrays,
    from_gymnasium,
    from_outcomes,
    from_successors,
    from_triplets,
)

# state 0: left stays with reward 1 (1/4) or moves to 1 with reward 2 (3/4); right moves to 1 for 5
# state 1: left ends for 10; right goes back for nothing
P = np.array([[[0.25, 0.75, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
R = np.array([[[1, 2, 0], [0, 5, 0]], [[0, 0, 10], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])


def successors(state: int) -> dict[str, list[tuple[float, int, float]]]:
    if state == 2:
        return {}
    return {
        name: [(P[state, a, t], t, R[state, a, t]) for t in range(3) if P[state, a, t]]
        for a, name in enumerate(("left", "right"))
    }


def gym_table() -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
    table = {
        s: {a: [(P[s, a, t], t, R[s, a, t], t == 2) for t in range(3) if P[s, a, t]] for a in range(2)}
        for s in range(2)
    }
    return table | {2: {0: [(1.0, 2, 0.0, True)], 1: [(1.0, 2, 0.0, True)]}}


def assert_same(a: MDP, b: MDP) -> None:
    for name in ("state_ptr", "choice_ptr", "successor", "probability", "reward", "action", "initial"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_array_equal(a.transition_reward, b.transition_reward)


def test_builders_agree() -> None:
    names = {"action_names": ("left", "right")}
    dense = from_arrays(P, R, terminal=[False, False, True], **names)
    source, action, target = np.nonzero(P)
    shuffled = np.random.default_rng(0).permutation(len(source))
    triplets = from_triplets(
        *(x[shuffled] for x in (source, action, target, P[source, action, target])),
        n_states=3,
        reward=R[source, action, target][shuffled],
        **names,
    )
    assert_same(dense, from_successors(successors, 0))
    assert_same(dense, from_gymnasium(gym_table(), **names))
    order = np.lexsort((triplets.successor, np.repeat(np.arange(4), np.diff(triplets.choice_ptr))))
    np.testing.assert_array_equal(triplets.successor[order], dense.successor)
    np.testing.assert_array_equal(triplets.matrix.toarray(), dense.matrix.toarray())
    assert dense.reward.tolist() == triplets.reward.tolist() == [1.75, 5, 10, 0]
    assert dense.transition_reward is not None
    assert dense.transition_reward.tolist() == [1, 2, 5, 10, 0]
    assert dense.terminal.tolist() == [False, False, True]


def test_equal_rewards_need_no_reward_per_transition() -> None:
    mdp = from_arrays(P, np.array([[1, 2], [3, 4], [0, 0]]), terminal=[False, False, True])
    assert mdp.transition_reward is None
    assert mdp.reward.tolist() == [1, 2, 3, 4]
    by_state = from_arrays(P, np.array([1, 2, 0]), terminal=[False, False, True])
    assert by_state.reward.tolist() == [1, 1, 2, 2]


def test_legal_actions_depend_on_the_state() -> None:
    legal = np.array([[True, False], [True, True], [True, True]])
    mdp = from_arrays(P, R, terminal=[False, False, True], legal=legal)
    assert mdp.legal.tolist() == [[True, False], [True, True], [False, False]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transition": P[:, 0]}, r"transition has shape \(3, 3\), expected \(S, A, S\)"),
        ({"reward": R[0]}, r"reward has shape \(2, 3\), expected \(3,\), \(3, 2\) or \(3, 2, 3\)"),
        ({"terminal": [True]}, r"terminal has shape \(1,\), expected \(3,\)"),
        ({"legal": np.zeros((3, 2), bool)}, "state 0 has no action"),
        ({"terminal": [False] * 3}, "state 2, action 0 has probabilities that sum to 0, not 1"),
        ({"reward": np.array([0, 0, 3])}, "terminal state 2 has reward 3.0, but is never left"),
        ({"initial": 3}, "initial state 3 is none of 0..2"),
        ({"initial": [0.5, 0.5]}, r"initial has shape \(2,\), expected \(3,\)"),
    ],
)
def test_bad_arrays(arguments: dict[str, object], message: str) -> None:
    good = {"transition": P, "reward": R, "terminal": [False, False, True]}
    with pytest.raises(ModelError, match=message):
        from_arrays(**(good | arguments))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (([5], [0], [0], [1.0]), r"a transition starts in state 5, but states are 0\.\.1"),
        (([-1], [0], [0], [1.0]), r"a transition starts in state -1"),
        (([1], [-2], [0], [1.0]), "state 1 has the negative action -2"),
        (([0, 0], [0, 0], [0, 1], [0.5, 0.6]), r"state 0, action 0 has probabilities that sum to 1\.1"),
    ],
)
def test_bad_triplets(rows: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_triplets(*rows, n_states=2)


def test_unreachable_states_are_warned_of() -> None:
    with pytest.warns(ModelWarning, match="unreachable from the initial states: 1, 2, 3 and 1 more"):
        from_triplets([0], [0], [0], [1.0], n_states=5)


def test_bad_successors() -> None:
    with pytest.raises(ModelError, match="state a offers 'up', which is none of down"):
        from_successors(lambda s: {"up": [(1.0, s, 0.0)]}, "a", action_names=["down"])
    with pytest.raises(ModelError, match="state a, action up has no successor"):
        from_successors(lambda s: {"up": []}, "a")
    with pytest.raises(NoExactModel, match="more than 10 states: 10 found so far"):
        from_successors(lambda n: {"on": [(1.0, n + 1, 0.0)]}, 0, max_states=10)
    with pytest.raises(ModelError, match=r"state a, action up has probabilities that sum to 0\.5"):
        from_successors(lambda s: {"up": [(0.5, s, 0.0)]}, "a")


def test_successors_name_and_number_states_as_found() -> None:
    mdp = from_successors(successors, {1: 0.25, 0: 0.75})
    assert mdp.state_names == ("1", "0", "2")
    assert mdp.initial.tolist() == [0.25, 0.75, 0]
    assert mdp.action_names == ("left", "right")


def test_a_state_entered_alive_and_by_the_end_gets_a_twin() -> None:
    """State 1 is walked through by action 0 and ends the episode by action 1."""
    table = {
        0: {0: [(1.0, 1, 2.0, False)], 1: [(1.0, 1, 3.0, True)]},
        1: {0: [(0.5, 0, 0.0, False), (0.5, 2, 8.0, True)], 1: [(1.0, 2, 8.0, True)]},
        2: {0: [(1.0, 2, 0.0, True)], 1: [(1.0, 2, 0.0, True)]},
    }
    mdp = from_gymnasium(table, action_names=["walk", "leap"])
    assert mdp.n_states == 4, "states keep their numbers, the twin comes last"
    assert mdp.terminal.tolist() == [False, False, True, True]
    assert mdp.state_names == ("0", "1", "2", "1 (end)")
    walk, leap = mdp.state_ptr[0], mdp.state_ptr[0] + 1
    assert mdp.matrix[[walk]].toarray()[0].tolist() == [0, 1, 0, 0]
    assert mdp.matrix[[leap]].toarray()[0].tolist() == [0, 0, 0, 1]
    assert mdp.reward.tolist() == [2, 3, 4, 8]


def test_a_start_that_also_ends_keeps_its_choices() -> None:
    table = {0: {0: [(0.5, 0, 1.0, True), (0.5, 1, 0.0, False)]}, 1: {0: [(1.0, 0, 5.0, True)]}}
    mdp = from_gymnasium(table)
    assert mdp.terminal.tolist() == [False, False, True]
    assert mdp.matrix.toarray().tolist() == [[0, 0.5, 0.5], [0, 0, 1]]


def test_transitions_of_probability_zero_keep_nothing_alive() -> None:
    """Without the impossible live transition into state 1, it is only ever entered by the end."""
    table = {
        0: {0: [(0.0, 1, 0.0, False), (1.0, 1, 1.0, True)]},
        1: {0: [(1.0, 0, 9.0, False)]},
    }
    mdp = from_gymnasium(table)
    assert mdp.n_states == 2
    assert mdp.terminal.tolist() == [False, True]


def test_transitions_of_probability_zero_end_nothing() -> None:
    table = {
        0: {0: [(1.0, 1, 0.0, False), (0.0, 1, 0.0, True)]},
        1: {0: [(1.0, 0, 9.0, False)]},
    }
    assert not from_gymnasium(table).terminal.any()


def test_a_long_chain_is_searched_once() -> None:
    """A pass over all transitions for each of its layers would take many minutes."""
    n = 300_000
    state = np.arange(n)
    over = state == n - 1
    parts = state, np.zeros(n, np.int64), (state + 1) % n, np.ones(n), np.ones(n), over
    mdp = from_outcomes(*parts, initial=np.eye(1, n)[0])
    assert (mdp.n_states, mdp.n_choices) == (n + 1, n), "the first state is also entered to end"
    assert np.flatnonzero(mdp.terminal).tolist() == [n]


def test_bad_tables() -> None:
    with pytest.raises(ModelError, match="no transitions"):
        from_gymnasium({0: {}})
    with pytest.raises(ModelError, match=r"leads to state 4, but states are 0\.\.0"):
        from_gymnasium({0: {0: [(1.0, 4, 0.0, False)]}})
    with pytest.raises(ModelError, match="leads to state -1"):
        from_gymnasium({0: {0: [(1.0, -1, 0.0, False)]}})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0.0], [0], [0], [1.0]), "state must hold integers, not float64"),
        (([0, 0], [0], [0], [1.0]), r"state has shape \(2,\)"),
        (([0], [0], [0], ["sure"]), "probability must hold real numbers"),
        (([0], [0], [0], [1j]), "probability must hold real numbers"),
    ],
)
def test_triplets_of_the_wrong_kind(columns: tuple[list[object], ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_triplets(*columns, n_states=1)


def test_arrays_and_tables_of_the_wrong_kind() -> None:
    with pytest.raises(ModelError, match="transition must hold real numbers"):
        from_arrays([["a"]], [0.0])
    with pytest.raises(ModelError, match=r"initial state 0\.5 is none of 0\.\.0"):
        from_arrays([[[1.0]]], [0.0], initial=0.5)


GOOD = [(1.0, 0, 0.0, True)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": {0: GOOD}}, r"the table has 'a' among its states, which must be 0\.\.0"),
        ({(0, 0): {0: GOOD}}, r"\(0, 0\) among its states"),
        ({1: {0: GOOD}}, r"1 among its states, which must be 0\.\.0"),
        ({0: {"up": GOOD}}, "state 0 of the table has 'up' among its actions"),
        ({0: {-1: GOOD}}, "-1 among its actions"),
        ({0: {0: [], 1: GOOD}}, "state 0, action 0 of the table has no outcome"),
        (
            {0: {0: [(1.0, 0, 0.0, True, {})]}},
            r"action 0 .* expected \(probability, successor, reward,",
        ),
        ({0: {0: [(1.0, 0, 0.0)]}}, "has the outcome"),
        (
            {0: {0: [(1.0, (0, 0), 0.0, True)]}},
            r"has the outcome \(1.0, \(0, 0\), 0.0, True\), expected \(prob",
        ),
        ({0: {0: [(1.0, 0.0, 0.0, True)]}}, r"has the outcome \(1.0, 0.0, 0.0, True\), expected"),
        ({0: {0: [(1.0, 0, None, True)]}}, r"has the outcome \(1.0, 0, None, True\), expected"),
        ({0: {0: [(1.0, 0, [1.0, 2.0], True)]}}, r"outcome \(1.0, 0, \[1.0, 2.0\], True\), expected"),
        ({0: {0: [(None, 0, 0.0, True)]}}, r"has the outcome \(None, 0, 0.0, True\), expected"),
        ({0: {0: [("1", 0, 0.0, True)]}}, r"has the outcome \('1', 0, 0.0, True\), expected"),
        ({0: {0: [(1.0, 0, 0.0, None)]}}, r"has the outcome \(1.0, 0, 0.0, None\), expected"),
        ({0: {0: [None]}}, "has the outcome None"),
        ({0: {0: None}}, "must have a list of outcomes"),
        ({0: {0: (1.0, 0, 0.0, True)}}, "has the outcome 1.0"),
        ({0: None}, "state 0 of the table must map the numbers of actions, or list them, not None"),
        (None, "the table must map the numbers of states"),
    ],
)
def test_tables_that_are_none(table: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_gymnasium(table)


def test_tables_of_lists() -> None:
    table = gym_table()
    lists = [[table[s][a] for a in range(2)] for s in range(3)]
    assert_same(from_gymnasium(lists), from_gymnasium(table))
    arrays = [[[np.array(outcome, dtype=object) for outcome in outcomes] for outcomes in s] for s in lists]
    assert_same(from_gymnasium(arrays), from_gymnasium(table))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (lambda s: {"up": [(1.0, [s], 0.0)]}, 0),
            r"action up: the successor \[0\] cannot be hashed",
        ),
        ((lambda s: {}, [0, 1]), r"the initial state \[0, 1\] cannot be hashed: let a state be a tuple"),
        ((lambda s: {}, np.zeros(2)), "the initial state .* cannot be hashed"),
        ((lambda s: None, 0), r"successors\(0\) must map actions to outcomes, .* not None"),
        ((lambda s: {"up": None}, 0), "state 0, action up must have a list of outcomes"),
        (
            (lambda s: {"up": [(1.0, 0)]}, 0),
            r"outcome \(1\.0, 0\), expected \(probability",
        ),
        ((lambda s: {"up": [(1.0, 0, 0.0, True)]}, 0), "has the outcome"),
        ((lambda s: {"up": [(1.0, 0, None)]}, 0), "reward must hold real numbers"),
        ((lambda s: {"up": [(None, 0, 0.0)]}, 0), "probability must hold real numbers"),
        ((lambda s: {}, {0: None}), "initial must hold real numbers"),
        ((lambda s: {}, {}), "at least one state"),
    ],
)
def test_successors_of_the_wrong_kind(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        from_successors(*arguments)


def test_names_that_are_no_text_become_text() -> None:
    mdp = from_successors(lambda s: {} if s else {0: [(1.0, 1, 5.0)], 1: [(1.0, 1, 0.0)]}, 0)
    assert mdp.action_names == ("0", "1")
    with pytest.raises(ModelError, match="offers 2, which is none of 0, 1"):
        from_successors(lambda s: {2: [(1.0, s, 0.0)]}, 0, action_names=[0, 1])


@pytest.mark.parametrize("discount", ["0.9", None, 1j, [0.9], float("nan"), -1])
def test_discounts_of_the_wrong_kind(discount: object) -> None:
    with pytest.raises(ModelError, match=r"^discount must lie in \[0, 1\], not "):
        from_triplets([0], [0], [0], [1.0], n_states=1, discount=discount)


@pytest.mark.parametrize("n_states", ["1", 1.0, None, -1, 2**64])
def test_counts_of_the_wrong_kind(n_states: object) -> None:
    with pytest.raises(ModelError, match=r"^n_states must be a whole number below 2\^31, not "):
        from_triplets([0], [0], [0], [1.0], n_states=n_states)


def test_labels_by_number_or_mask() -> None:
    columns = ([0, 1], [0, 0], [1, 0], [1.0, 1.0])
    mdp = from_triplets(*columns, n_states=2, labels={"a": [1, 0, 1], "b": [False, True]})
    assert {name: states.tolist() for name, states in mdp.labels.items()} == {"a": [0, 1], "b": [1]}
    with pytest.raises(ModelError, match="label 'c' must be state numbers or a mask"):
        from_triplets(*columns, n_states=2, labels={"c": [True]})
    with pytest.raises(ModelError, match="label 'c' must be state numbers or a mask"):
        from_triplets(*columns, n_states=2, labels={"c": "x"})
