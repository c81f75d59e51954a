"""Go against hand-made positions and against slow rules that follow stones one by one."""

from typing import Any

import numpy as np
import pytest
import torch

from rlkit.core.model import each, take
from rlkit.envs.adapters.torch import on_device
from rlkit.envs.games import Go

PASS = None


class SlowGo:
    """The same rules on a dictionary of stones: 1 is Black, -1 White."""

    def __init__(self, size: Any) -> None:
        self.board: dict[Any, Any] = {}
        self.size, self.colour, self.before = size, 1, None

    def around(self, point: Any) -> Any:
        r, c = point
        beside = ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1))
        return [p for p in beside if 0 <= p[0] < self.size and 0 <= p[1] < self.size]

    def area(self, board: Any, point: Any) -> Any:
        """The points of one kind connected with a point, and the kinds of their neighbours."""
        kind, found, queue, met = board.get(point, 0), {point}, [point], set()
        while queue:
            for p in self.around(queue.pop()):
                if board.get(p, 0) != kind:
                    met.add(board.get(p, 0))
                elif p not in found:
                    found.add(p)
                    queue.append(p)
        return found, met

    def after(self, point: Any) -> Any:
        """The board after a move, None if it is forbidden."""
        if point in self.board:
            return None
        board = {**self.board, point: self.colour}
        for p in self.around(point):
            if board.get(p) == -self.colour:
                chain, met = self.area(board, p)
                if 0 not in met:
                    board = {q: k for q, k in board.items() if q not in chain}
        if 0 not in self.area(board, point)[1] or board == self.before:
            return None
        return board

    def legal(self) -> Any:
        return [self.after((r, c)) is not None for r in range(self.size) for c in range(self.size)]

    def play(self, point: Any) -> None:
        self.before, self.board = self.board, self.board if point is PASS else self.after(point)
        self.colour = -self.colour

    def lead(self) -> Any:
        """Black's area less White's."""
        total = sum(self.board.values())
        for point in ((r, c) for r in range(self.size) for c in range(self.size)):
            if point not in self.board:
                met = self.area(self.board, point)[1]
                total += (met == {1}) - (met == {-1})
        return total


def set_up(game: Any, rows: Any) -> Any:
    """A position with Black to move after one pass, from rows of X, O and dots."""
    position = game.first(np.zeros(1))
    cells = "".join(rows.split())
    stones = [[i for i, cell in enumerate(cells) if cell == colour] for colour in "XO"]
    for k in range(max(map(len, stones))):
        for own in stones:
            action = own[k] if k < len(own) else game.points
            position = game.play(position, np.array([action]))
    return position


def played(game: Any, position: Any, *moves: Any) -> Any:
    for move in moves:
        assert game.legal(position)[0, move]
        position = game.play(position, np.array([move]))
    return position


def board(game: Any, position: Any) -> Any:
    return ["".join(".XO"[stone] for stone in row) for row in game.stones(position)]


@pytest.mark.parametrize(("size", "games", "moves"), [(5, 24, 60), (9, 3, 120)])
def test_random_games_against_slow_rules(size: int, games: int, moves: int) -> None:
    game, rng = Go(size, komi=0.0), np.random.default_rng(size)
    position, slow = game.first(np.zeros(games)), [SlowGo(size) for _ in range(games)]
    captures = kos = 0
    for _ in range(moves):
        legal = game.legal(position)
        assert legal[:, :-1].tolist() == [s.legal() for s in slow]
        assert legal[:, -1].all()
        kos += int((position.ko < game.points).sum())
        weight = rng.random(legal.shape) * legal
        weight[:, -1] *= 0.1
        action = weight.argmax(axis=1)
        before = (position.chain != 0).sum()
        position = game.play(position, action)
        captures += (position.chain != 0).sum() <= before
        for s, a in zip(slow, action.tolist(), strict=True):
            s.play(PASS if a == game.points else divmod(a, size))
        ended = game.play(game.play(position, np.full(games, game.points)), np.full(games, game.points))
        lead = np.array([s.lead() * s.colour for s in slow])
        assert ended.over.all()
        assert ended.outcome.tolist() == np.sign(lead).tolist()
    assert captures > 5
    assert kos > 0


def test_capture_of_several_chains_at_once() -> None:
    game = Go(5)
    position = set_up(game, "OOXXX O.OX. XOXX. XXX.. .....")
    assert board(game, played(game, position, 6)) == ["..XXX", ".X.X.", "X.XX.", "XXX..", "....."]


def test_suicide_is_forbidden_and_a_capture_is_none() -> None:
    game = Go(5)
    position = set_up(game, ".O.X. O..XX ..XOO ..XO. ..XXO")
    legal = game.legal(position)[0]
    assert not legal[0]  # alone between White's stones
    assert legal[4]  # an own eye
    assert board(game, played(game, position, 19)) == [".O.X.", "O..XX", "..X..", "..X.X", "..XX."]
    assert not game.legal(set_up(game, "X.O.. XXO.. OOO.. ..... ....."))[0, 1]  # of a whole chain


KO = ".XO.. XO.O. .XO.. ..... ....."


def test_ko_forbids_to_retake_at_once() -> None:
    game = Go(5)
    position = played(game, set_up(game, KO), 7)
    assert int(position.ko[0]) == 6
    assert not game.legal(position)[0, 6]
    elsewhere = played(game, position, 24, 23)
    assert game.legal(elsewhere)[0, 6]
    assert board(game, played(game, elsewhere, 6))[1] == "XO.O."


@pytest.mark.parametrize(
    ("rows", "move", "back", "after"),
    [
        ("OO.O. XXO.. ..... ..... .....", 2, 1, [".O.O.", "XXO.."]),
        (".XOO. XO.XO .XOO. ..... .....", 7, 6, [".XOO.", "XO..O"]),
    ],
    ids=["it captured two", "it joined another"],
)
def test_a_stone_may_be_retaken_if_that_makes_a_new_position(
    rows: str, move: int, back: int, after: Any
) -> None:
    game = Go(5)
    position = played(game, set_up(game, rows), move)
    assert int(position.ko[0]) == game.points
    assert board(game, played(game, position, back))[:2] == after


def test_a_stone_that_keeps_a_liberty_makes_no_ko() -> None:
    game = Go(5)
    position = played(game, set_up(game, ".XO.. XO... .XO.. ..... ....."), 7)
    assert int(position.ko[0]) == game.points


def test_two_passes_end_the_game_and_a_move_between_does_not() -> None:
    game = Go(5)
    last = game.points
    assert not played(game, game.first(np.zeros(1)), last, 3, last).over[0]
    assert played(game, game.first(np.zeros(1)), 3, last, last).over[0]


@pytest.mark.parametrize(("komi", "outcome"), [(-3, 1), (0.5, 1), (1.5, 1), (2, 0), (2.5, -1), (7.5, -1)])
def test_area_scoring(komi: float, outcome: int) -> None:
    """Black has 7 stones and 6 points, White 7 and 4; one point touches both. The lead is 2."""
    game = Go(5, komi=komi)
    position = set_up(game, "..XO. ..XO. .XXOO XX.O. .XOO.")
    ended = played(game, position, game.points, game.points)
    assert ended.over[0]
    assert not ended.second[0]
    assert int(ended.outcome[0]) == outcome
    assert int(game.turned(ended).outcome[0]) == -outcome


SNAKE = """
    X........
    OOOOOOOO.
    .........
    .OOOOOOOO
    .........
    OOOOOOOO.
    .........
    .OOOOOOOO
    .........
"""


def test_black_is_reached_from_the_far_end_of_a_long_way() -> None:
    """One black stone makes all 48 free points neutral, so that White leads by its 32 stones less one."""
    game = Go(9, komi=-31)
    ended = played(game, set_up(game, SNAKE), 81, 81)
    on_torch = on_device(game, torch.device("cpu"))
    last = played(game, set_up(game, SNAKE), 81)
    tensors = each(lambda x: torch.tensor(np.ascontiguousarray(x)), last)
    for result in (ended, on_torch.play(tensors, torch.tensor([81]))):
        assert bool(result.over[0])
        assert int(result.outcome[0]) == 0
    on_torch.longest_way = 40
    assert int(on_torch.play(tensors, torch.tensor([81])).outcome[0]) != 0


def test_turned_twice_is_the_same_and_turned_once_is_legal_for_the_other() -> None:
    game = Go(5)
    position = set_up(game, KO)
    turned = game.turned(position)
    assert (game.turned(turned).chain == position.chain).all()
    assert (turned.chain == -position.chain).all()
    assert turned.second[0] != position.second[0]
    assert board(game, turned) == board(game, position)
    assert take(turned, slice(0, 1)).atari.sum() == position.atari.sum() > 0
