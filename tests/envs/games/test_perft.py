"""Numbers of move sequences and positions, against the published ones and slow rules written anew."""

from typing import Any

import numpy as np
import pytest

from rlkit.core import enumerate_model
from rlkit.core.enumerate import enumerate_states
from rlkit.core.model import take
from rlkit.envs.games import ConnectFour, Go, Othello, SelfPlay, TicTacToe

WAYS = [(dr, dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc]


def perft(game: Any, depth: Any) -> Any:
    """Sequences of 1, 2, ... moves, and how many of the games end there."""
    position, counts, ended = game.first(np.zeros(1)), [], []
    for _ in range(depth):
        row, action = np.nonzero(game.legal(position) & ~position.over[:, None])
        position = game.play(take(position, row), action)
        counts.append(len(action))
        ended.append(int(position.over.sum()))
    return counts, ended


def test_tic_tac_toe() -> None:
    counts, ended = perft(TicTacToe(), 9)
    assert counts == [9, 72, 504, 3024, 15120, 54720, 148176, 200448, 127872]
    assert ended == [0, 0, 0, 0, 1440, 5328, 47952, 72576, 127872]
    assert sum(ended) == 255168
    assert enumerate_model(SelfPlay(TicTacToe())).n_states == 5478


def test_connect_four() -> None:
    assert perft(ConnectFour(), 7)[0] == [7, 49, 343, 2401, 16807, 117649, 823536]


@pytest.mark.parametrize(("width", "height", "positions"), [(4, 4, 161_029), (2, 2, 18), (1, 1, 2)])
def test_positions_of_connect_four(width: int, height: int, positions: int) -> None:
    """Tromp's counts of legal positions."""
    assert enumerate_model(SelfPlay(ConnectFour(width, height))).n_states == positions


def test_othello() -> None:
    assert perft(Othello(8), 7)[0] == [4, 12, 56, 244, 1396, 8200, 55092]


@pytest.mark.parametrize(("size", "depth"), [(4, 8), (6, 5)])
def test_othello_of_other_sizes(size: int, depth: int) -> None:
    middle = size // 2
    board = {
        (middle - 1, middle - 1): -1,
        (middle, middle): -1,
        (middle - 1, middle): 1,
        (middle, middle - 1): 1,
    }
    assert perft(Othello(size), depth)[0] == [othello_perft(size, board, 1, d) for d in range(1, depth + 1)]


def othello_perft(size: Any, board: Any, colour: Any, depth: Any) -> Any:
    """Move sequences by rules that walk from disc to disc."""
    if depth == 0:
        return 1
    moves = othello_moves(size, board, colour)
    if not moves:
        passing = othello_moves(size, board, -colour)
        return othello_perft(size, board, -colour, depth - 1) if passing else 0
    return sum(
        othello_perft(size, {**board, cell: colour, **dict.fromkeys(turned, colour)}, -colour, depth - 1)
        for cell, turned in moves.items()
    )


def othello_moves(size: Any, board: Any, colour: Any) -> Any:
    """Where a disc may be put -> the discs that turn."""
    moves = {}
    for r in range(size):
        for c in range(size):
            turned = []
            for dr, dc in WAYS:
                line, cell = [], (r + dr, c + dc)
                while board.get(cell) == -colour:
                    line.append(cell)
                    cell = (cell[0] + dr, cell[1] + dc)
                turned += line if board.get(cell) == colour else []
            if (r, c) not in board and turned:
                moves[r, c] = turned
    return moves


@pytest.mark.parametrize(("size", "boards"), [(1, 1), (2, 57), (3, 12675)])
def test_legal_boards_of_go(size: int, boards: int) -> None:
    """Tromp and Farnebäck 2007, table 1: every legal board can be reached, and no other."""
    states = enumerate_states(SelfPlay(Go(size, komi=0.5)))
    colour = np.sign(states.chain) * np.where(states.second, -1, 1)[:, None]
    assert len(np.unique(colour, axis=0)) == boards
    # Chains are named alike whatever order their stones came in, so that a position has one description.
    parts = [np.sign(states.chain), states.second, states.ko, states.passed, states.over]
    told = np.column_stack([np.asarray(x).reshape(len(states.over), -1) for x in parts])
    assert len(np.unique(told, axis=0)) == len(states.over)
