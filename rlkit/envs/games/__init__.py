"""Board games of two players, as environments against an opponent or for self-play."""

from .connect_four import ConnectFour, connect_four
from .game import Game, SelfPlay
from .go import Go, go
from .opponents import Opponent
from .oracle import Oracle
from .othello import Othello, othello
from .tic_tac_toe import TicTacToe, tic_tac_toe
from .versus import Versus

__all__ = [
    "ConnectFour",
    "Game",
    "Go",
    "Opponent",
    "Oracle",
    "Othello",
    "SelfPlay",
    "TicTacToe",
    "Versus",
    "connect_four",
    "go",
    "othello",
    "tic_tac_toe",
]
