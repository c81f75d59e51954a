"""Who plays against the agent: by chance, by looking one move ahead, or by a table."""

from abc import ABC, abstractmethod
from typing import Any

from ...core.arrays import Array, namespace
from ...core.model import Holder, equally, inverse_cdf, take
from .game import Game


class Opponent(Holder, ABC):
    """A way to choose a move in every position of a game."""

    @abstractmethod
    def replies(self, game: Game[Any], position: Any) -> Array:
        """Probability of each move, [B, A]; only legal ones where the game is not over."""

    def reply(self, game: Game[Any], position: Any, u: Array) -> Array:
        """Moves [B] for uniform numbers u [B]."""
        return inverse_cdf(self.replies(game, position), u)


class Random(Opponent):
    """Every legal move is equally likely."""

    def replies(self, game: Game[Any], position: Any) -> Array:
        """The same probability for every legal move, [B, A]."""
        return equally(game.legal(position))

    def reply(self, game: Game[Any], position: Any, u: Array) -> Array:
        """The legal move of number floor(u n) of n."""
        rank = counted(game.legal(position))
        xp = namespace(u)
        wanted = xp.astype(xp.floor(u * rank[:, -1]), xp.int16)
        return xp.sum(rank <= wanted[:, None], axis=1, dtype=xp.int64)


class Greedy(Opponent):
    """Wins if one move can, else plays where one move of the other would win, else by chance."""

    def replies(self, game: Game[Any], position: Any) -> Array:
        """The same probability for every move that it thinks best, [B, A]."""
        legal = game.legal(position)
        xp = namespace(legal)
        best = legal
        for seen in (game.turned(position), position):
            winning = _winning(game, seen) & legal
            best = xp.where(xp.any(winning, axis=1)[:, None], winning, best)
        return equally(best)


def _winning(game: Game[Any], position: Any) -> Array:
    """Which moves end the game in favour of the player to move, [B, A]."""
    xp = namespace(position.over)
    size, n = position.over.shape[0], game.n_actions
    every = xp.arange(size * n, device=position.over.device)
    after = game.play(take(position, every // n), every % n)
    return xp.reshape(after.outcome < 0, (size, n))


def counted(mask: Array) -> Array:
    """How often a mask [B, A] holds up to each column, [B, A] int16.

    The sums double their reach with every addition of whole columns, which numpy does faster than its own.
    """
    xp = namespace(mask)
    sums, reach = xp.astype(mask, xp.int16), 1
    while reach < mask.shape[1]:
        sums = xp.concat([sums[:, :reach], sums[:, reach:] + sums[:, :-reach]], axis=1)
        reach *= 2
    return sums
