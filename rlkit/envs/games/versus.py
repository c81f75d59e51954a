"""Games against an opponent, whose replies are the events of a step."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core.arrays import Array, namespace
from ...core.model import Step, only, where
from ..options import OptionError
from .game import Game, GameModel, P, SelfPlay, paid
from .opponents import Opponent


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
        return Step(final, paid(final.outcome), final.over)


def model_of(
    game: Game[Any], opponents: Mapping[str, Callable[[], Opponent]], opponent: str | None, first: bool | str
) -> GameModel[Any]:
    """The model that the options `opponent` and `first` ask for; raises `OptionError`."""
    if not (first is True or first is False or first == "random"):
        raise OptionError(f"first must be True, False or 'random', not {first!r}")
    if opponent is None:
        if first is not True:
            raise OptionError("first needs an opponent; without one the agent makes every move")
        return SelfPlay(game)
    if opponent not in list(opponents):
        raise OptionError(f"opponent must be None or one of {', '.join(opponents)}, not {opponent!r}")
    agent = {True: "first", False: "second", "random": "either"}[first]
    return Versus(game, opponents[opponent](), agent)
