"""What `illegal=` makes of actions that are not legal: the same in every interface and in the exact MDP."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from client_ids import MASKED
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import rlkit
from rlkit.core import TableModel, from_successors
from rlkit.core.enumerate import enumerated
from rlkit.core.model import batch_size, leaves, take
from rlkit.envs import make_torch
from rlkit.envs.adapters import simulation
from rlkit.envs.adapters.torch import on_device
from rlkit.envs.chains.gambler import gambler
from rlkit.envs.chains.inventory import inventory
from rlkit.envs.games import tic_tac_toe
from rlkit.envs.grids.taxi import taxi
from rlkit.envs.options import OptionError
from rlkit.envs.wrappers.illegal import illegal_actions
from rlkit.solvers import evaluate_policy, optimum, solve, uniform_policy

NO_PICTURE = "ignore:It seems that your observation", "ignore:The minimal resolution"  # of SB3, for planes
CONSEQUENCES = ("lose", "random")
MODELS = {
    "gambler": lambda: gambler(goal=8),
    "inventory": inventory,
    "tic-tac-toe": lambda: tic_tac_toe(opponent="greedy"),
}


def test_the_masked_ids_are_these() -> None:
    assert [id.removeprefix("rlkit/").removesuffix("-v0") for id in MASKED] == [
        *("Gambler", "Inventory", "TicTacToe", "ConnectFour", "Othello6x6", "Go5x5", "Go9x9")
    ]


@pytest.mark.filterwarnings(*NO_PICTURE)
@pytest.mark.parametrize("illegal", CONSEQUENCES)
@pytest.mark.parametrize("id", MASKED)
def test_checkers_find_an_environment_without_masks(id: Any, illegal: Any) -> None:
    env = gym.make(id, illegal=illegal, render_mode="rgb_array")
    assert type(env.action_space) is gym.spaces.Discrete
    assert "action_mask" not in env.reset()[1]
    check_env(env.unwrapped)
    sb3_check_env(env)
    rlkit.check_env(env, steps=50)
    rlkit.check_model(env.unwrapped.model, steps=10)


@pytest.mark.parametrize("illegal", CONSEQUENCES)
@pytest.mark.parametrize("id", MASKED)
def test_scalar_vector_and_torch_agree_on_any_action(
    id: Any, illegal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "COMPILE_FROM", 200)  # tables are looked up from the middle on
    n, limit = 4, 30
    scalars = [gym.make(id, illegal=illegal, max_episode_steps=limit) for _ in range(n)]
    batches = (
        gym.make_vec(
            id, n, vectorization_mode="vector_entry_point", illegal=illegal, max_episode_steps=limit
        ),
        make_torch(id, n, "cpu", illegal=illegal, max_episode_steps=limit),
    )
    first = [env.reset(seed=3 + i)[0] for i, env in enumerate(scalars)]
    for batch in batches:
        assert np.array_equal(np.asarray(batch.reset(seed=3)[0]), np.stack(first))
    rng, over, refused = np.random.default_rng(0), [False] * n, 0
    for _ in range(100):
        actions = rng.integers(batches[0].single_action_space.n, size=n)
        inner = [env.unwrapped.model for env in scalars]
        refused += sum(
            bool(m.refused(e.unwrapped.state, a[None]))
            for m, e, a in zip(inner, scalars, actions, strict=True)
        )
        rows = [
            (*env.reset()[:1], 0.0, False, False) if ended else env.step(a)[:4]
            for env, ended, a in zip(scalars, over, actions, strict=True)
        ]
        over = [row[2] or row[3] for row in rows]
        for batch in batches:
            found = batch.step(torch.as_tensor(actions) if batch is batches[1] else actions)
            for told, column in zip(found[:4], zip(*rows, strict=True), strict=True):
                assert np.array_equal(np.asarray(told), np.asarray(column, dtype=np.asarray(told).dtype))
    assert refused >= 5


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("illegal", CONSEQUENCES)
@pytest.mark.parametrize("name", MODELS)
def test_sampling_gives_what_the_exact_model_says(name: Any, illegal: Any, library: str) -> None:
    """Uniform numbers on a grid fall into the events as often as the MDP's probabilities have it."""
    model = illegal_actions(MODELS[name](), illegal)
    mdp, states, place = enumerated(model)
    rng = np.random.default_rng(0)
    choices = rng.choice(mdp.n_choices, 20)
    grid = (np.arange(2_000) + 0.5) / 2_000
    index = {key(states, i): i for i in range(batch_size(states))}
    sampled = model if library == "numpy" else on_device(model, torch.device("cpu"))
    for c in choices.tolist():
        here = np.full(len(grid), int(mdp.state_of_choice[c]))
        arrays = take(states, here), np.full(len(grid), int(mdp.action[c])), grid
        if library == "torch":
            arrays = moved(arrays[0]), *map(torch.as_tensor, arrays[1:])
        step = sampled.sample(*arrays)
        assert float(np.asarray(step.reward).mean()) == pytest.approx(mdp.reward[c], abs=0.02)
        back = type(states)(*(np.asarray(leaf) for leaf in leaves(step.state)))
        share = np.zeros(batch_size(states))
        np.add.at(share, [index[key(back, i)] for i in range(len(grid))], 1 / len(grid))
        row = mdp.matrix[[c]].toarray()[0]
        assert share == pytest.approx(np.bincount(place, weights=row, minlength=len(share)), abs=0.01)
        assert float(np.asarray(step.terminated).mean()) == pytest.approx(row @ mdp.terminal, abs=0.01)


def key(states: Any, i: Any) -> Any:
    return tuple(leaf[i].tobytes() for leaf in leaves(states))


def moved(states: Any) -> Any:
    return type(states)(*map(torch.as_tensor, leaves(states)))


@pytest.mark.parametrize("make", [lambda: gambler(goal=8), inventory])
def test_the_table_of_a_random_legal_action(make: Any) -> None:
    plain, open_ = (enumerated(m).mdp for m in (make(), illegal_actions(make(), "random")))
    before, after = (dense(mdp) for mdp in (plain, open_))
    legal = plain.legal
    assert open_.legal[~plain.terminal].all()
    for s in np.flatnonzero(~plain.terminal):
        for a in range(plain.n_actions):
            for table, expected in zip(after, before, strict=True):
                wanted = expected[s, a] if legal[s, a] else expected[s, legal[s]].mean(axis=0)
                assert table[s, a] == pytest.approx(wanted)


@pytest.mark.parametrize(("make", "lost"), [(lambda: gambler(goal=8), 0.0), (inventory, -130.0)])
def test_the_table_of_a_loss(make: Any, lost: float) -> None:
    """The dearest step of a stock costs 13, for ever at discount 0.9; the gambler is left with nothing."""
    plain, open_ = (enumerated(m).mdp for m in (make(), illegal_actions(make(), "lose")))
    (before, paid), (after, pays) = (dense(mdp) for mdp in (plain, open_))
    n, legal = plain.n_states, plain.legal
    for s, a in zip(*np.nonzero(legal), strict=True):
        assert np.array_equal(after[s, a, :n], before[s, a])
        assert pays[s, a] == paid[s, a]
    refused = ~legal & ~plain.terminal[:, None]
    ends = open_.terminal[after[:n].argmax(axis=2)]
    assert refused.any()
    assert ends[refused].all()
    assert pays[:n][refused] == pytest.approx(lost)


def dense(mdp: Any) -> Any:
    """Probabilities [S, A, S] and rewards [S, A], 0 where there is no choice."""
    probs = np.zeros((mdp.n_states, mdp.n_actions, mdp.n_states))
    probs[mdp.state_of_choice, mdp.action] = mdp.matrix.toarray()
    return probs, mdp.table(mdp.reward, 0.0)


@pytest.mark.parametrize(
    ("id", "options"),
    [
        ("rlkit/Gambler-v0", {"goal": 20}),
        ("rlkit/Inventory-v0", {}),
        ("rlkit/TicTacToe-v0", {}),
        ("rlkit/ConnectFour-v0", {"width": 3, "height": 4}),
    ],
)
def test_the_optimum_stays_and_so_does_random_play_over_legal_actions(id: str, options: Any) -> None:
    plain, lose, random = (rlkit.exact(id, illegal=how, **options) for how in ("error", *CONSEQUENCES))
    best = optimum(plain).solution.initial.value
    for mdp in (lose, random):
        assert optimum(mdp).solution.initial.value == pytest.approx(best)
    average = [mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp))) for mdp in (plain, lose, random)]
    assert average[2] == pytest.approx(average[0])
    assert average[1] < average[0]


@pytest.mark.parametrize("illegal", CONSEQUENCES)
def test_a_game_against_oneself_keeps_its_value(illegal: Any) -> None:
    mdp = rlkit.exact("rlkit/TicTacToe-v0", opponent=None, illegal=illegal)
    assert mdp.zero_sum
    assert mdp.expectation(solve(mdp).value) == 0


@pytest.mark.parametrize("id", MASKED)
def test_legal_actions_lead_to_the_same_episodes(id: Any) -> None:
    envs = [gym.make(id, illegal=how) for how in ("error", *CONSEQUENCES)]
    for seed in range(3):
        first = [env.reset(seed=seed)[0] for env in envs]
        assert all(np.array_equal(first[0], other) for other in first)
        envs[0].action_space.seed(seed)
        for _ in range(50):
            action = envs[0].action_space.sample()
            steps = [env.step(action) for env in envs]
            for other in steps[1:]:
                assert np.array_equal(other[0], steps[0][0])
                assert other[1:4] == steps[0][1:4]
            if steps[0][2] or steps[0][3]:
                break


def test_losing_needs_a_worst_return() -> None:
    walk = from_successors(
        lambda s: {"on": [(1.0, s + 1, -1.0)]} | ({"back": [(1.0, 0, -1.0)]} if s else {}) if s < 3 else {}, 0
    )
    with pytest.raises(OptionError, match="worst return"):
        gym.make("rlkit/MDP-v0", mdp=walk, illegal="lose")
    with pytest.raises(OptionError, match="worst return"):
        illegal_actions(taxi(masked=True), "lose")
    mdp = enumerated(illegal_actions(TableModel(walk), "random")).mdp
    assert solve(mdp).initial.value == -3


def test_the_worst_return_of_two_players_is_what_the_other_wins() -> None:
    """The table of a game pays the winner alone; who loses by what is not legal must not come off with 0."""
    game = rlkit.exact("rlkit/TicTacToe-v0", opponent=None)
    with pytest.raises(OptionError, match="another player"):
        illegal_actions(TableModel(game), "lose")
    ends = {"win": [(1.0, 1, 2.0)], "lose": [(1.0, 2, 0.0)]}
    moves = {0: ends, 1: {}, 2: {"win": [(1.0, 1, 2.0)]}}
    mdp = replace(from_successors(moves.__getitem__, 0, discount=0.5), zero_sum=True)
    model = illegal_actions(TableModel(mdp), "lose")
    assert model.lost == -4.0
    assert solve(enumerated(model).mdp).value[0] == 2


def test_an_unknown_consequence_is_named_and_an_unmasked_id_takes_all() -> None:
    with pytest.raises(OptionError, match="illegal must be one of error, lose, random, not 'ignore'"):
        gym.make("rlkit/Gambler-v0", illegal="ignore")
    assert gym.make("rlkit/Exam-v0", illegal="random").unwrapped.model.n_events == 2
