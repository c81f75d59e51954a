"""The search for connect four against published results, plain minimax and the solved MDP."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from rlkit.core import enumerate_model
from rlkit.core.enumerate import enumerate_states
from rlkit.envs.games import ConnectFour, Oracle, SelfPlay, connect_four
from rlkit.solvers import solve


def sequence(oracle: Any, moves: Any) -> Any:
    """The stones after moves given as digits, column 1 on the left."""
    own = other = 0
    for move in moves:
        stone = ((own | other) + oracle.bottom) & oracle.columns[int(move) - 1]
        assert stone
        own, other = other, own | stone
    return own, other


@pytest.mark.parametrize(
    ("width", "height", "outcome"),
    [
        (4, 4, 0),
        (4, 5, 0),
        pytest.param(5, 4, 0, marks=pytest.mark.slow),
        pytest.param(6, 4, -1, marks=pytest.mark.slow),
        pytest.param(5, 5, 0, marks=pytest.mark.slow),
    ],
)
def test_boards_solved_by_tromp(width: Any, height: Any, outcome: Any) -> None:
    assert Oracle(width, height).outcome(0, 0) == outcome


def test_every_kind_of_position_against_the_solved_game() -> None:
    game = SelfPlay(ConnectFour(4, 4))
    states = enumerate_states(game)
    solution = solve(enumerate_model(game))
    oracle, rng = Oracle(4, 4), np.random.default_rng(0)
    some = rng.choice(np.flatnonzero(~states.over), size=1000, replace=False)
    found = [oracle.outcome(int(states.own[s]), int(states.other[s])) for s in some]
    assert found == solution.value[some].tolist()
    assert {-1, 0, 1} <= set(found)
    chosen = [oracle.best(int(states.own[s]), int(states.other[s])) for s in some[:300]]
    after = game.transition(take_rows(states, some[:300]), np.array(chosen), np.zeros(300, dtype=np.int64))
    index = {(int(o), int(t)): s for s, (o, t) in enumerate(zip(states.own, states.other, strict=True))}
    worth = [
        r - solution.value[index[int(o), int(t)]]
        for r, o, t in zip(after.reward, after.state.own, after.state.other, strict=True)
    ]
    assert worth == solution.value[some[:300]].tolist()


def take_rows(states: Any, rows: Any) -> Any:
    return type(states)(*(getattr(states, name)[rows] for name in vars(states)))


def plain(width: Any, height: Any, connect: Any) -> Any:
    """Minimax without any trick, on columns as strings."""

    def lines(columns: Any, player: Any) -> Any:
        cells = {
            (c, r) for c, column in enumerate(columns) for r, stone in enumerate(column) if stone == player
        }
        return any(
            all((c + k * dc, r + k * dr) in cells for k in range(connect))
            for c, r in cells
            for dc, dr in ((1, 0), (0, 1), (1, 1), (1, -1))
        )

    @cache
    def value(columns: Any, player: Any) -> Any:
        if lines(columns, "XO"[player == "X"]):
            return -1
        after = [
            (*columns[:c], columns[c] + player, *columns[c + 1 :])
            for c in range(width)
            if len(columns[c]) < height
        ]
        return max((-value(columns, "XO"[player == "X"]) for columns in after), default=0)

    return value


@pytest.mark.parametrize(
    ("width", "height", "connect"), [(3, 3, 3), (4, 3, 3), (3, 4, 3), (3, 5, 3), (4, 3, 4), (3, 2, 2)]
)
def test_small_boards_against_plain_minimax(width: int, height: int, connect: int) -> None:
    assert Oracle(width, height, connect).outcome(0, 0) == plain(width, height, connect)(("",) * width, "X")


@pytest.mark.parametrize("empty", [8, 9, 10])
def test_endings_on_the_full_board_against_plain_minimax(empty: int) -> None:
    oracle, value, rng = Oracle(), plain(7, 6, 4), np.random.default_rng(empty)
    for _ in range(8):
        columns, moves, over = ("",) * 7, "", True
        while over or len(moves) < 42 - empty:
            columns, moves = (("",) * 7, "") if over else (columns, moves)
            c = int(rng.choice([c for c in range(7) if len(columns[c]) < 6]))
            columns = (*columns[:c], columns[c] + "XO"[len(moves) % 2], *columns[c + 1 :])
            moves += str(c + 1)
            own, other = sequence(oracle, moves)
            over = bool(ConnectFour()._won(np.array([other]))[0])
        assert oracle.outcome(own, other) == value(columns, "XO"[len(moves) % 2])


def test_the_alpha_beta_opponent_wins_blocks_and_sees_as_far_as_it_is_told() -> None:
    def reply(moves: Any, action: Any, **options: Any) -> Any:
        model = connect_four(opponent="alpha-beta", **options)
        own, other = sequence(Oracle(), moves)
        state = model.initial(np.zeros(1, dtype=np.int64))
        state = type(state)(state.second, state.over, state.outcome, np.array([own]), np.array([other]))
        return int(model.event_probs(state, np.array([action]))[0].argmax())

    assert reply("617171", 1, depth=1) == 0  # its own column of three: it wins
    assert reply("6161", 5, depth=2) == 5  # a column of three: it blocks
    assert reply("6161", 5, depth=1) == 3  # who does not look ahead plays nearest the middle
    # Two at the foot with both sides free become an open three, unless the other plays beside them.
    assert reply("37", 3, depth=4) in (1, 4)
    assert reply("37", 3, depth=1) == 3


def test_alpha_beta_needs_the_processor() -> None:
    from rlkit.envs import make_torch
    from rlkit.envs.options import OptionError

    with pytest.raises(OptionError, match=r"^opponent 'alpha-beta' searches on the processor"):
        make_torch("ConnectFour", 2, "cpu", opponent="alpha-beta")
