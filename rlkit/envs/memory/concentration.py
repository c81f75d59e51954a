"""The card game Concentration: find pairs by turning over two cards at a time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import number, whole
from ..rendering.sheet import AGENT, CARD, FELT, FILL, INK, Image, Sheet

DOWN = "▒"


@dataclass(frozen=True)
class Table:
    """How the cards lie, which pairs are found, and which card was turned over last."""

    deal: Array  # [B] int64
    found: Array  # [B] int64, bit r for the pair of rank r
    card: Array  # [B] int64 its place, `cards` for none that lies open
    waits: Array  # [B] bool whether it is the first of its turn


class Concentration(Model[Table]):
    """Cards lie face down, each rank twice; two alike that are turned over in one turn stay up.

    Of two that differ the first is turned down at once, and the second with the next card: no two of them are
    seen together. To choose a card that lies open already changes nothing, but costs the step.
    """

    partially_observable = True

    def __init__(self, pairs: int, cost: float) -> None:
        self.pairs, self.cost = whole("pairs", pairs, 2, 5), number("cost", cost, 0, 1)
        self.n_actions = self.cards = 2 * pairs
        self.deals = _deals(pairs)  # [n_starts, cards] rank of each place
        self.n_starts = len(self.deals)
        self.place = np.arange(self.cards)
        self.all_found = (1 << pairs) - 1
        self.observation_space = spaces.MultiDiscrete(np.full(self.cards, pairs + 1), dtype=np.uint8)

    def initial(self, event: Array) -> Table:
        """All cards face down."""
        return Table(event, event * 0, event * 0 + self.cards, event < 0)

    def transition(self, state: Table, action: Array, event: Array) -> Step[Table]:
        """Turn one card over."""
        xp = namespace(action)
        rank = self.deals[state.deal, action]
        idle = ((state.found >> rank) & 1 == 1) | (state.waits & (action == state.card))
        match = state.waits & ~idle & (rank == self.deals[state.deal, state.card % self.cards])
        found = state.found | (xp.astype(match, xp.int64) << rank)
        card = xp.where(match, self.cards, xp.where(idle, state.card, action))
        reward = xp.astype(match, xp.float64) - self.cost
        return Step(Table(state.deal, found, card, state.waits ^ ~idle), reward, found == self.all_found)

    def observe(self, state: Table) -> Array:
        """The cards as they lie: 0 face down, else the rank + 1, uint8 [B, cards]."""
        xp = namespace(state.deal)
        rank = self.deals[state.deal]
        up = ((state.found[:, None] >> rank) & 1 == 1) | (self.place == state.card[:, None])
        return xp.astype((rank + 1) * up, xp.uint8)

    def text(self, state: Table) -> str:
        """The cards as they lie, as letters."""
        return " ".join(DOWN if card == 0 else chr(64 + card) for card in self.observe(state)[0])

    def picture(self, state: Table) -> Image:
        """The cards in two rows; those found are green, [H, W, 3]."""
        board = Sheet(2, self.pairs, fill=FELT)
        ranks, seen = self.deals[int(state.deal[0])], self.observe(state)[0]
        for i, (rank, card) in enumerate(zip(ranks, seen, strict=True)):
            at = divmod(i, self.pairs)
            found = int(state.found[0]) >> int(rank) & 1
            board.box(at, 0.34, tall=0.44, radius=0.08, fill=FILL["G"] if found else AGENT if card else CARD)
            if card:
                board.text(at, chr(64 + card), size=0.5, fill=INK)
        return board.pixels()


def concentration(*, pairs: int = 3, cost: float = 0.1) -> Concentration:
    """Turn over two cards at a time; two alike stay up and pay 1, and every card turned costs `cost`.

    `pairs` is from 2 to 5. Source: the card game; as a test of memory Morad et al. 2023 (POPGym).
    """
    return Concentration(pairs, cost)


def _deals(pairs: int) -> npt.NDArray[np.int64]:
    """Every way in which the cards can lie, [(2 pairs)! / 2^pairs, 2 pairs]."""
    rows = np.zeros((1, 0), dtype=np.int64)
    for rank in range(pairs):  # put two cards of a new rank into every deal of the ranks before
        n = rows.shape[1] + 2
        longer = []
        for i in range(n):
            for j in range(i + 1, n):
                new = np.full((len(rows), n), rank)
                new[:, np.setdiff1d(np.arange(n), (i, j))] = rows
                longer.append(new)
        rows = np.concatenate(longer)
    return rows
