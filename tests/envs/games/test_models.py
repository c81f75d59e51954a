"""Games as models: the agent against opponents and against itself, in numpy and in torch."""

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import rlkit
from rlkit.core import NoExactModel, enumerate_model
from rlkit.core.enumerate import enumerate_states
from rlkit.core.model import each, inverse_cdf, leaves, where
from rlkit.envs.adapters.torch import on_device
from rlkit.envs.games import connect_four, go, othello, tic_tac_toe
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
MODELS = {
    "tic-tac-toe": lambda: tic_tac_toe(first="random"),
    "tic-tac-toe, greedy": lambda: tic_tac_toe(opponent="greedy"),
    "tic-tac-toe, perfect": lambda: tic_tac_toe(opponent="perfect", first=False),
    "connect four": lambda: connect_four(),
    "connect four of 63 bits": lambda: connect_four(width=9, height=6, connect=3, opponent="greedy"),
    "connect four, itself": lambda: connect_four(opponent=None),
    "othello": lambda: othello(first="random"),
    "othello of 64 bits": lambda: othello(size=8, first=False),
    "othello, itself": lambda: othello(size=8, opponent=None),
    "go 5": lambda: go(size=5, first="random"),
    "go 9": lambda: go(size=9, komi=7),
    "go 19": lambda: go(size=19, opponent=None),
}


def has_line(board: Any, player: Any) -> Any:
    return any(all(board[k] == player for k in line) for line in LINES)


@cache
def best_against_chance(board: Any, agent: Any) -> Any:
    """The largest expected outcome for X, who meets a random O; `agent`: X is to move."""
    if has_line(board, "O"):
        return Fraction(-1)
    if has_line(board, "X"):
        return Fraction(1)
    free = [k for k in range(9) if board[k] == "."]
    if not free:
        return Fraction(0)
    after = [best_against_chance(board[:k] + "OX"[agent] + board[k + 1 :], not agent) for k in free]
    return max(after) if agent else sum(after, Fraction(0)) / len(after)


@pytest.mark.parametrize("first", [True, False, "random"])
def test_tic_tac_toe_against_chance_by_brute_force(first: Any) -> None:
    values = {True: best_against_chance("." * 9, True), False: best_against_chance("." * 9, False)}
    expected = values[first] if first != "random" else (values[True] + values[False]) / 2
    solution = solve(rlkit.exact("rlkit/TicTacToe-v0", first=first))
    assert solution.converged
    assert solution.initial.value == pytest.approx(float(expected), abs=1e-12)


def test_tic_tac_toe_against_chance_as_published() -> None:
    """Moving first, 191 of 192 games are won and the other is drawn."""
    assert best_against_chance("." * 9, True) == Fraction(191, 192)
    value = solve(rlkit.exact("rlkit/TicTacToe-v0")).initial.value
    assert value == pytest.approx(0.99479, abs=1e-5)  # wins, since none is lost
    assert 1 - value == pytest.approx(0.00521, abs=1e-5)  # draws


@pytest.mark.parametrize("first", [True, False, "random"])
def test_the_perfect_opponent_is_never_beaten(first: Any) -> None:
    assert solve(rlkit.exact("rlkit/TicTacToe-v0", opponent="perfect", first=first)).initial.value == 0


def test_the_greedy_opponent_is_between() -> None:
    values = [
        solve(rlkit.exact("rlkit/TicTacToe-v0", opponent=opponent)).initial.value
        for opponent in ("perfect", "greedy", "random")
    ]
    assert values == sorted(set(values))


def at(model: Any, own: Any, other: Any) -> Any:
    """The tic-tac-toe state of cells of the agent and of the opponent."""
    state = model.initial(np.zeros(1, dtype=np.int64))
    cells = [np.array([sum(1 << k for k in side)]) for side in (own, other)]
    return type(state)(state.second, state.over, state.outcome, *cells)


@pytest.mark.parametrize(
    ("own", "other", "move", "replies"),
    [((0, 8), (3, 4), 2, [5]), ((0,), (8,), 1, [2]), ((0,), (4,), 8, [1, 2, 3, 5, 6, 7])],
    ids=["wins rather than blocks", "blocks", "any"],
)
def test_greedy_replies(own: Any, other: Any, move: int, replies: Any) -> None:
    model = tic_tac_toe(opponent="greedy")
    probs = model.event_probs(at(model, own, other), np.array([move]))[0]
    assert np.flatnonzero(probs).tolist() == replies
    assert probs[replies] == pytest.approx(1 / len(replies))


@pytest.mark.parametrize("name", MODELS)
def test_torch_lives_the_same_games(name: Any) -> None:
    model, size, rng = MODELS[name](), 16, np.random.default_rng(1)
    other = on_device(model, torch.device("cpu"))
    u = rng.random(size)
    start = model.start_event(u) if model.n_starts > 1 else np.zeros(size, dtype=np.int64)
    state, again = model.initial(start), other.initial(torch.tensor(start))
    over = 0
    for _ in range({"go 19": 8, "othello, itself": 70}.get(name, 45)):
        legal = model.legal(state)
        assert legal.shape == (size, model.n_actions)
        assert legal.dtype == np.bool_
        assert legal.any(axis=1).all()
        action, u = (legal * rng.random(legal.shape)).argmax(axis=1), rng.random(size)
        seen = model.observe(state)
        assert (seen == other.observe(again).numpy()).all()
        assert (legal == other.legal(again).numpy()).all()
        assert seen[0] in model.observation_space
        event = model.sample_event(state, action, u)
        assert (event == other.sample_event(again, torch.tensor(action), torch.tensor(u)).numpy()).all()
        step = model.transition(state, action, event)
        twin = other.transition(again, torch.tensor(action), torch.tensor(event))
        for a, b in zip(leaves(step.state), leaves(twin.state), strict=True):
            assert str(a.dtype) == str(b.dtype).removeprefix("torch.")
            assert (a == b.numpy()).all()
        assert (step.reward == twin.reward.numpy()).all()
        assert step.reward.dtype == np.float64
        assert not step.reward[~step.terminated].any()
        over += int(step.terminated.sum())
        fresh = model.initial(start)
        state = where(step.terminated, fresh, step.state)
        again = each(lambda x: torch.tensor(np.ascontiguousarray(x)), state)
    assert over or name == "go 19"


@pytest.mark.parametrize("name", [n for n in MODELS if "itself" not in n and "go 1" not in n])
def test_sampling_is_the_inverse_of_the_distribution(name: Any) -> None:
    model, rng = MODELS[name](), np.random.default_rng(2)
    state = model.initial(np.zeros(200, dtype=np.int64))
    for _ in range(12):
        legal = model.legal(state)
        action, u = (legal * rng.random(legal.shape)).argmax(axis=1), rng.random(200)
        probs = model.event_probs(state, action)
        assert probs.sum(axis=1) == pytest.approx(1)
        event = model.sample_event(state, action, u)
        assert (event == inverse_cdf(probs, u)).all()
        step = model.transition(state, action, event)
        state = where(step.terminated, model.initial(np.zeros(200, dtype=np.int64)), step.state)


@pytest.mark.parametrize("make", [tic_tac_toe, connect_four, othello, go])
def test_who_begins(make: Any) -> None:
    """Planes are own stones and the other's; the opponent's first move is on the board if it began."""
    seen = {}
    for first in (True, False, "random"):
        model = make(first=first)
        events = np.arange(model.n_starts)[model.start_probs() > 0]
        planes = model.observe(model.initial(events))[:, :2]
        seen[first] = planes.sum(axis=(1, 2, 3))
        assert model.start_probs().sum() == pytest.approx(1)
    before = {othello: 4}.get(make, 0)
    assert set(seen[True]) == {before}
    assert set(seen[False]) <= {before, before + 1}
    assert len(seen["random"]) == len(seen[False]) + 1
    assert make(first="random").start_probs()[0] == 0.5


def test_the_last_board_is_seen_by_the_agent_whoever_ends_the_game() -> None:
    model = tic_tac_toe()
    won = model.transition(at(model, (0, 1), (3, 4)), np.array([2]), np.array([0]))
    lost = model.transition(at(model, (0, 1), (3, 4)), np.array([8]), np.array([5]))
    assert (won.reward[0], lost.reward[0]) == (1, -1)
    assert won.terminated[0]
    assert lost.terminated[0]
    for step, own in ((won, [0, 1, 2]), (lost, [0, 1, 8])):
        assert np.flatnonzero(model.observe(step.state)[0, 0]).tolist() == own


def test_one_step_of_self_play_is_one_move() -> None:
    model = tic_tac_toe(opponent=None)
    state = model.initial(np.zeros(1, dtype=np.int64))
    rewards = []
    for move in (0, 3, 1, 4, 2):
        before = model.observe(state)[0]
        step = model.transition(state, np.array([move]), np.zeros(1, dtype=np.int64))
        rewards.append(float(step.reward[0]))
        state = step.state
        before[0].flat[move] = 1
        assert (model.observe(state)[0] == before[::-1]).all()
    assert rewards == [0, 0, 0, 0, 1]
    assert step.terminated[0]


@pytest.mark.parametrize("make", [connect_four, othello, go])
def test_what_is_too_large_says_so_at_once(make: Any) -> None:
    with pytest.raises(NoExactModel, match="too many positions"):
        enumerate_model(make())


def test_smaller_boards_are_exact() -> None:
    assert enumerate_model(othello(size=4)).n_states > 1000
    assert solve(rlkit.exact("rlkit/ConnectFour-v0", width=4, height=3, connect=3)).converged


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (tic_tac_toe, {"opponent": "stupid"}, "opponent must be None or one of random, greedy, perfect"),
        (tic_tac_toe, {"opponent": 3}, "opponent must be"),
        (tic_tac_toe, {"opponent": ["random"]}, "opponent must be"),
        (tic_tac_toe, {"first": "X"}, "first must be True, False or 'random', not 'X'"),
        (tic_tac_toe, {"first": 1}, "first must be"),
        (tic_tac_toe, {"opponent": None, "first": False}, "first needs an opponent"),
        (connect_four, {"width": 0}, "width must be a whole number from 2 to 20, not 0"),
        (connect_four, {"height": 2.5}, "height must be a whole number"),
        (connect_four, {"width": 10, "height": 6}, "at most 63, not 10 \\* 7"),
        (connect_four, {"connect": 8}, "connect must be a whole number from 2 to 7"),
        (connect_four, {"depth": 0}, "depth must be a whole number from 1 to 42"),
        (othello, {"size": 5}, "size must be 4, 6 or 8, not 5"),
        (othello, {"size": 10}, "size must be a whole number from 4 to 8"),
        (othello, {"opponent": "perfect"}, "opponent must be None or one of random"),
        (go, {"size": 4}, "size must be a whole number from 5 to 19, not 4"),
        (go, {"size": 20}, "size must be a whole number from 5 to 19"),
        (go, {"komi": float("nan")}, "komi must be a finite number"),
    ],
)
def test_options_are_checked(make: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)


@pytest.mark.parametrize("name", MODELS)
def test_text_and_pictures(name: Any) -> None:
    model, rng = MODELS[name](), np.random.default_rng(0)
    state = model.initial(np.zeros(1, dtype=np.int64))
    before = model.picture(state)
    for _ in range(3):
        action = (model.legal(state) * rng.random(model.n_actions)).argmax(axis=1)
        state = model.transition(state, action, model.sample_event(state, action, rng.random(1))).state
    text, picture = model.text(state), model.picture(state)
    assert picture.shape == before.shape
    assert picture.dtype == np.uint8
    assert (picture != before).any()
    marks = model.game.marks
    stones = model.game.stones(state)
    board = "\n".join(line for line in text.splitlines()[: model.game.height])
    assert [board.count(marks[k]) for k in (1, 2)] == [(stones == k).sum() for k in (1, 2)]


def test_text_of_a_board() -> None:
    model = tic_tac_toe()
    state = at(model, (0, 4), (2, 6))
    assert model.text(state) == " 3 X · O\n 2 · X ·\n 1 O · ·\n   a b c\nX to move"
    won = model.transition(state, np.array([8]), np.array([0])).state
    assert model.text(won).endswith("X has won")
    states = enumerate_states(tic_tac_toe(opponent=None))
    drawn = np.flatnonzero(states.over & (states.outcome == 0))[:1]
    assert model.text(each(lambda x: x[drawn], states)).endswith("a draw")
