"""Games of two players who move in turn and whose gains cancel, and the model in which the agent is both."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.arrays import Array, namespace
from ...core.errors import NoExactModel
from ...core.model import Holder, Model, Step
from ..wrappers.indicators import indicators


@dataclass(frozen=True)
class Position:
    """What the state of every game holds; the rest is seen by the player to move."""

    second: Array  # [B] bool, whether the second player is to move
    over: Array  # [B] bool
    outcome: Array  # [B] int8: 1 the player to move has won, -1 lost, 0 drawn or not over


P = TypeVar("P", bound=Position)


class Game(Holder, ABC, Generic[P]):
    """Rules over batches of positions, written for numpy and torch alike.

    Every action is a move of the player to move, and the players alternate; one who cannot move plays a pass,
    which is an action. What the methods return for an illegal move, or after the end, means nothing.
    """

    height: int
    width: int
    n_actions: int
    n_planes: int = 2
    countable: bool = False  # whether the positions are few enough to list
    action_names: tuple[str, ...] | None = None
    marks: str  # of an empty point, the first and the second player, for text

    @abstractmethod
    def first(self, like: Array) -> P:
        """The position before the first move, once for each entry of `like` [B], on its device."""

    @abstractmethod
    def legal(self, position: P) -> Array:
        """Which moves the rules allow, [B, A]."""

    @abstractmethod
    def play(self, position: P, action: Array) -> P:
        """The position after a move [B] of the player to move."""

    @abstractmethod
    def turned(self, position: P) -> P:
        """The same position as the other player sees it."""

    @abstractmethod
    def planes(self, position: P) -> Array:
        """What the player to move sees, [B, n_planes, H, W] uint8: own stones, the other's, and more."""

    def stones(self, position: P) -> npt.NDArray[np.uint8]:
        """The board of a batch of one, [H, W]: 0 empty, 1 and 2 stones of the first and second player."""
        own, other = self.planes(position)[0, :2]
        second = bool(position.second[0])
        board: npt.NDArray[np.uint8] = own * (1 + second) + other * (2 - second)
        return board

    def text(self, position: P) -> str:
        """The board of a batch of one, a line a row, with the coordinates of its cells; what happens next."""
        stones = self.stones(position)
        rows = [" ".join(self.marks[stone] for stone in row) for row in stones]
        height, width = stones.shape
        cells = (self.action_names or ())[: height * width]
        if len(cells) == height * width:
            rows = [f"{cells[r * width][1:]:>2} {row}" for r, row in enumerate(rows)]
            rows += ["   " + " ".join(cell[0] for cell in cells[:width])]
        return "\n".join([*rows, self.status(position)])

    def status(self, position: P) -> str:
        """Who is to move, or who has won, in a batch of one."""
        mover = 1 + int(position.second[0])
        if not position.over[0]:
            return f"{self.marks[mover]} to move"
        outcome = int(position.outcome[0])
        return f"{self.marks[mover if outcome > 0 else 3 - mover]} has won" if outcome else "a draw"

    @abstractmethod
    def picture(self, position: P) -> npt.NDArray[np.uint8]:
        """The board of a batch of one, [H, W, 3]."""


class GameModel(Model[P]):
    """What the two models of a game share: the board, the mask and the pictures are the game's."""

    worst = -1.0

    def __init__(self, game: Game[P]) -> None:
        self.game = game
        self.n_actions = game.n_actions
        self.action_names = game.action_names
        self.observation_space = indicators(game.n_planes, game.height, game.width)

    def observe(self, state: P) -> Array:
        """The board as the player to move sees it, [B, planes, H, W]."""
        return self.game.planes(state)

    def legal(self, state: P) -> Array:
        """Which moves the rules allow, [B, A]."""
        return self.game.legal(state)

    def all_states(self) -> None:
        """None, or at once the error to which the search for all positions would come in the end."""
        if not self.game.countable:
            raise NoExactModel(f"{type(self.game).__name__} of this size has too many positions to list")

    def text(self, state: P) -> str:
        """The board of a batch of one as text."""
        return self.game.text(state)

    def picture(self, state: P) -> npt.NDArray[np.uint8]:
        """The board of a batch of one as an image [H, W, 3]."""
        return self.game.picture(state)


class SelfPlay(GameModel[P]):
    """Both players are the agent: every step is a move, and its reward is that of the player who made it.

    The observation is that of the player to move, so that what follows a step is worth the opposite to
    the player who made it: `rlkit.solve` plays such a model for both.
    """

    zero_sum = True

    def initial(self, event: Array) -> P:
        """The position before the first move."""
        return self.game.first(event)

    def transition(self, state: P, action: Array, event: Array) -> Step[P]:
        """Play the move."""
        after = self.game.play(state, action)
        return Step(after, paid(-after.outcome), after.over)


def paid(outcome: Array) -> Array:
    """The reward of an outcome for the player who sees it, [B] float64."""
    xp = namespace(outcome)
    return xp.astype(outcome, xp.float64)
