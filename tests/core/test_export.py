"""Models for other packages' solvers, which must find the values that rlkit finds."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from client_ids import MADE

import rlkit
from rlkit.core import (
    ModelError,
    from_arrays,
    from_gymnasium,
    from_successors,
    to_arrays,
    to_gymnasium,
    to_pairs,
)
from rlkit.core.errors import NoTable
from rlkit.core.files import read_model, write_model
from rlkit.solvers import solve

GAMMA = 0.9
MODELS = {
    "Exam": {},
    "Gambler": {"goal": 20},
    "Inventory": {},
    "RiverSwim": {},
    "Garnet": {},
    "Queue": {},
    "FrozenLake": {},
    "CliffWalking": {},
    "WindyGridWorld": {},
    "Taxi": {},
    "TicTacToe": {},
}
SMALL = [name for name in MODELS if name not in ("TicTacToe", "Taxi")]


def model(name: Any) -> Any:
    return rlkit.exact(f"rlkit/{name}-v0", **MODELS[name])


def dense(mdp: Any) -> Any:
    """Probabilities and rewards [S, A, S], those of parallel transitions together."""
    probability, reward = np.zeros((2, mdp.n_states, mdp.n_actions, mdp.n_states))
    sizes = np.diff(mdp.choice_ptr)
    paid = np.repeat(mdp.reward, sizes) if mdp.transition_reward is None else mdp.transition_reward
    place = np.repeat(mdp.state_of_choice, sizes), np.repeat(mdp.action, sizes), mdp.successor
    np.add.at(probability, place, mdp.probability)
    np.add.at(reward, place, mdp.probability * paid)
    return probability, reward


@pytest.mark.parametrize("name", SMALL)
def test_gymnasiums_table_comes_back_as_the_same_model(name: Any) -> None:
    mdp = model(name)
    again = from_gymnasium(to_gymnasium(mdp), mdp.initial, discount=mdp.discount)
    assert np.array_equal(again.terminal, mdp.terminal)
    assert np.array_equal(again.legal, mdp.legal)
    for one, other in zip(dense(mdp), dense(again), strict=True):
        assert one == pytest.approx(other, abs=1e-15)


@pytest.mark.filterwarnings("ignore:unreachable")
@pytest.mark.parametrize("how", [{}, {"order": "ASS"}, {"order": "ASS", "sparse": True}])
@pytest.mark.parametrize("name", SMALL)
def test_arrays_come_back_as_the_same_model(name: Any, how: Any) -> None:
    mdp = model(name)
    order = how.get("order", "SAS")
    again = from_arrays(*to_arrays(mdp, **how), order=order, terminal=mdp.terminal, legal=mdp.legal)
    assert dense(mdp)[0] == pytest.approx(dense(again)[0], abs=1e-15)
    assert np.array_equal(again.legal, mdp.legal)
    assert again.reward == pytest.approx(mdp.reward, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_quantecon_finds_the_same_values(name: Any) -> None:
    markov = pytest.importorskip("quantecon.markov")
    mdp = model(name)
    value = solve(mdp, gamma=GAMMA).value
    reward, transition, state, action = to_pairs(mdp)
    assert (np.diff(state * mdp.n_actions + action) > 0).all()
    found = markov.DiscreteDP(reward, transition, GAMMA, state, action).solve(method="policy_iteration").v
    assert found == pytest.approx(value, rel=1e-9, abs=1e-9)
    if name in SMALL:
        transition, reward = to_arrays(mdp)
        found = markov.DiscreteDP(reward, transition, GAMMA).solve(method="policy_iteration").v
        assert found == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Comparing a sparse matrix")  # in pymdptoolbox's own checks
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_pymdptoolbox_finds_the_same_values(name: Any, sparse: bool) -> None:
    solvers = pytest.importorskip("mdptoolbox.mdp")
    mdp = model(name)
    transition, reward = to_arrays(mdp, order="ASS", sparse=sparse)
    peer = solvers.PolicyIteration(transition, reward, GAMMA)
    peer.run()
    assert np.array(peer.V) == pytest.approx(solve(mdp, gamma=GAMMA).value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["Exam", "Gambler", "Inventory", "TicTacToe"])
def test_model_checkers_files_have_the_same_values(name: str, tmp_path: Path) -> None:
    mdp = model(name)
    write_model(mdp, tmp_path / "m.drn")
    assert solve(read_model(tmp_path / "m.drn"), gamma=GAMMA).value == pytest.approx(
        solve(mdp, gamma=GAMMA).value
    )
    write_model(mdp, tmp_path / "m.tra")
    again = read_model(tmp_path / "m.tra", labels=tmp_path / "m.lab", rewards=[tmp_path / "m.trew"])
    assert again.action_name(0) == mdp.action_name(0).replace(" ", "_")
    assert solve(again, gamma=GAMMA).value == pytest.approx(solve(mdp, gamma=GAMMA).value)


def sweep(table: Any, gamma: Any = GAMMA) -> Any:
    """Value iteration as textbooks write it, which knows nothing but the table."""
    value = np.zeros(len(table))
    for _ in range(500):
        value = np.array(
            [
                max(
                    sum(p * (r + gamma * value[t] * (not over)) for p, t, r, over in outcomes)
                    for outcomes in table[s].values()
                )
                for s in range(len(table))
            ]
        )
    return value


@pytest.mark.parametrize("options", [{}, {"illegal": "lose"}, {"illegal": "random"}])
@pytest.mark.parametrize("name", ["Exam", "Inventory", "FrozenLake"])
def test_a_textbooks_sweep_over_the_table_of_an_environment(name: str, options: Any) -> None:
    env = gym.make(f"rlkit/{name}-v0", **options).unwrapped
    assert len(env.P) == env.observation_space.n
    n_actions = {len(actions) for actions in env.P.values()}
    assert n_actions == {env.action_space.n} or not options
    value = solve(env.mdp(), gamma=GAMMA).value[: len(env.P)]
    assert sweep(env.P) == pytest.approx(value, abs=1e-6)


def test_the_table_is_that_of_gymnasiums_frozen_lake() -> None:
    ours, theirs = (gym.make(id).unwrapped for id in ("rlkit/FrozenLake-v0", "FrozenLake-v1"))
    assert np.array_equal(ours.initial_state_distrib, theirs.initial_state_distrib)
    for s, by_action in theirs.P.items():
        for a, outcomes in by_action.items():
            assert summed(ours.P[s][a]) == pytest.approx(summed(outcomes))


def summed(outcomes: Any) -> Any:
    total: dict[Any, Any] = {}
    for p, *outcome in outcomes:
        key = tuple(map(float, outcome))
        total[key] = total.get(key, 0.0) + p
    return total


def indexed(id: Any) -> Any:
    """Whether an observation of this id is the number of its state."""
    env = MADE[id].unwrapped
    return isinstance(env.observation_space, gym.spaces.Discrete) and not env.model.partially_observable


NUMBERED = [
    *((id, {}) for id in MADE if indexed(id)),
    ("rlkit/Gambler-v0", {"goal": 10, "illegal": "lose"}),
    ("rlkit/Inventory-v0", {"illegal": "lose"}),
    ("rlkit/Inventory-v0", {"illegal": "random"}),
    ("rlkit/FrozenLake-v0", {"reward_noise": 0.5}),
]


@pytest.mark.parametrize(("id", "options"), NUMBERED)
def test_observations_index_the_table_and_every_step_is_in_it(id: Any, options: Any) -> None:
    env = gym.make(id, **options)
    base = env.unwrapped
    assert set(base.P) == set(range(env.observation_space.n))
    assert base.initial_state_distrib.sum() == pytest.approx(1)
    env.action_space.seed(0)
    state, _ = env.reset(seed=0)
    for _ in range(100):
        assert base.initial_state_distrib[state] or env.unwrapped._steps
        action = int(env.action_space.sample())
        after, reward, terminated, truncated, _ = env.step(action)
        assert (after, reward, terminated) in [outcome[1:] for outcome in base.P[int(state)][action]]
        state = env.reset()[0] if terminated or truncated else after


def test_a_terminal_state_leads_to_itself_for_nothing() -> None:
    mdp = from_successors(lambda s: {"go": [(1.0, 1, 2.0)]} if s == 0 else {}, 0)
    assert to_gymnasium(mdp) == {0: {0: [(1.0, 1, 2.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
    assert [part.tolist() for part in to_arrays(mdp)] == [[[[0, 1]], [[0, 1]]], [[2], [0]]]
    reward, transition, state, action = to_pairs(mdp)
    assert (reward.tolist(), state.tolist(), action.tolist()) == ([2, 0], [0, 1], [0, 0])
    assert transition.toarray().tolist() == [[0, 1], [0, 1]]


def test_what_is_not_legal_has_no_outcome_and_the_reward_of_minus_infinity() -> None:
    mdp = from_successors(lambda s: {"on": [(1.0, 1, 0.0)]} | ({"back": [(1.0, 0, 0.0)]} if s else {}), 0)
    assert list(to_gymnasium(mdp)[0]) == [0]
    transition, reward = to_arrays(mdp, order="ASS")
    assert reward.tolist() == [[0, -np.inf], [0, 0]]
    assert transition.tolist() == [[[0, 1], [0, 1]], [[1, 0], [1, 0]]]


def test_what_such_tables_cannot_say_is_refused() -> None:
    game = rlkit.exact("rlkit/TicTacToe-v0", opponent=None)
    decaying = rlkit.exact("rlkit/DoorKey5x5-v0", observation="grid")
    tiger = rlkit.exact("rlkit/Tiger-v0")
    for export in (to_gymnasium, to_arrays, to_pairs):
        with pytest.raises(ModelError, match="both players"):
            export(game)
        with pytest.raises(ModelError, match="decay"):
            export(decaying)
        with pytest.raises(ModelError, match="full_information"):
            export(tiger)
    for id, reason in (("Go9x9", "too many positions"), ("DoorKey5x5", "decay")):
        env = gym.make(f"rlkit/{id}-v0", **({} if id == "Go9x9" else {"observation": "grid"})).unwrapped
        assert not hasattr(env, "P")
        with pytest.raises(NoTable, match=reason):
            env.initial_state_distrib  # noqa: B018
    with pytest.raises(ModelError, match="order must be"):
        to_arrays(model("Exam"), order="AS")
    with pytest.raises(ModelError, match="'ASS', not 'SAS'"):
        to_arrays(model("Exam"), sparse=True)
    with pytest.raises(ModelError, match="too large: use to_pairs"):
        to_arrays(rlkit.exact("rlkit/Garnet-v0", states=3_000, actions=40, branching=1))
