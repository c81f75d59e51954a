"""Games of two players who move in turn and whose gains cancel, and the two models that come of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ...core.arrays import Array, namespace
from ...core.model import Holder, Model, Step, only, where
from ...core.validation import NoExactModel
from ..indicators import indicators
from ..knobs import KnobError
from .opponents import Opponent


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

    masked = True
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
    the player who made it: `solvers.minimax` solves such a model.
    """

    n_events = 1
    zero_sum = True

    def start_probs(self) -> Array:
        """One beginning, [1]."""
        return np.ones(1)

    def initial(self, event: Array) -> P:
        """The position before the first move."""
        return self.game.first(event)

    def event_probs(self, state: P, action: Array) -> Array:
        """Nothing is left to chance, [B, 1]."""
        xp = namespace(action)
        return xp.ones((action.shape[0], 1), dtype=xp.float64, device=action.device)

    def transition(self, state: P, action: Array, event: Array) -> Step[P]:
        """Play the move."""
        after = self.game.play(state, action)
        return Step(after, _reward(-after.outcome), after.over)


class Versus(GameModel[P]):
    """The agent against an opponent, whose reply is the event of a step.

    `agent` says who begins: "first" or "second" for the agent, "either" for a fair coin.
    """

    def __init__(self, game: Game[P], opponent: Opponent, agent: str = "first") -> None:
        super().__init__(game)
        self.opponent, self.agent = opponent, agent
        self.n_events = game.n_actions
        opening = opponent.replies(game, game.first(np.zeros(1)))[0]
        chances = {"first": [1.0], "second": opening, "either": np.append(0.5, opening / 2)}
        self.starts = np.asarray(chances[agent])
        self.n_starts = len(self.starts)

    def start_probs(self) -> Array:
        """Probability that the agent begins, and of each first move of the opponent, where they may be."""
        return self.starts

    def initial(self, event: Array) -> P:
        """The position in which the agent first moves."""
        game, opening = self.game, self.game.first(event)
        if self.agent == "first":
            return opening
        if self.agent == "second":
            return game.play(opening, event)
        reply = namespace(event).where(event > 0, event - 1, 0)
        return where(event == 0, opening, game.play(opening, reply))

    def event_probs(self, state: P, action: Array) -> Array:
        """Probability of each reply, [B, A]; the first for certain where there is none to make."""
        after = self.game.play(state, action)
        xp = namespace(action)
        return xp.where(
            after.over[:, None], only(0, action, self.n_events), self.opponent.replies(self.game, after)
        )

    def sample_event(self, state: P, action: Array, u: Array) -> Array:
        """The reply of the opponent, [B]."""
        after = self.game.play(state, action)
        return self.opponent.reply(self.game, after, u) * ~after.over

    def transition(self, state: P, action: Array, event: Array) -> Step[P]:
        """Play the move and, unless it ended the game, the reply."""
        return self._answered(self.game.play(state, action), event)

    def sample(self, state: P, action: Array, u: Array) -> Step[P]:
        """The same with the reply drawn, without playing the agent's move twice."""
        after = self.game.play(state, action)
        return self._answered(after, self.opponent.reply(self.game, after, u) * ~after.over)

    def _answered(self, after: P, reply: Array) -> Step[P]:
        final = where(after.over, self.game.turned(after), self.game.play(after, reply))
        return Step(final, _reward(final.outcome), final.over)


def _reward(outcome: Array) -> Array:
    xp = namespace(outcome)
    return xp.astype(outcome, xp.float64)


def model_of(
    game: Game[Any], opponents: Mapping[str, Callable[[], Opponent]], opponent: str | None, first: bool | str
) -> GameModel[Any]:
    """The model that the knobs `opponent` and `first` ask for; raises `KnobError`."""
    if not (first is True or first is False or first == "random"):
        raise KnobError(f"first must be True, False or 'random', not {first!r}")
    if opponent is None:
        if first is not True:
            raise KnobError("first needs an opponent; without one the agent makes every move")
        return SelfPlay(game)
    if opponent not in list(opponents):
        raise KnobError(f"opponent must be None or one of {', '.join(opponents)}, not {opponent!r}")
    agent = {True: "first", False: "second", "random": "either"}[first]
    return Versus(game, opponents[opponent](), agent)
