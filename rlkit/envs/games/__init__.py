"""Board games of two players, as environments against an opponent or for self-play."""

from .connect_four import ConnectFour as ConnectFour, connect_four as connect_four
from .game import Game as Game, SelfPlay as SelfPlay
from .go import Go as Go, go as go
from .opponents import Opponent as Opponent
from .oracle import Oracle as Oracle
from .othello import Othello as Othello, othello as othello
from .tic_tac_toe import TicTacToe as TicTacToe, tic_tac_toe as tic_tac_toe
from .versus import Versus as Versus
