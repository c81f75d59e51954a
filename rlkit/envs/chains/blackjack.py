"""Blackjack from an infinite deck, with the dealer's play worked out beforehand."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ...core import TableModel, from_successors
from ...core.table import TableState
from ..options import OptionError, flag, one_of
from ..rendering.sheet import CARD, FELT, INK, PAPER, RIM, Image, Sheet

SEEN = [32, 11, 2]  # numbers of totals, of dealer's cards, and of usable aces
CARDS = {card: (4 if card == 10 else 1) / 13 for card in range(1, 11)}  # aces are 1, pictures 10
BEST, DEALER_STANDS = 21, 17


class Hand(NamedTuple):
    """What a player holds, what the dealer shows, and whether the game is over."""

    total: int
    dealer: int
    ace: bool  # counted as 11
    natural: bool  # an ace and a ten, where that makes a difference
    over: bool

    def __str__(self) -> str:
        kind = "natural" if self.natural else f"{'soft ' if self.ace else ''}{self.total}"
        return f"{kind} against {self.dealer}{' (over)' if self.over else ''}"


class Blackjack(TableModel):
    """Blackjack as a table; the observation is (total, dealer's card, usable ace). See `blackjack`."""

    def __init__(self, *, natural: bool, sab: bool, observation: str) -> None:
        hands = _hands(natural or sab)

        def outcomes(hand: Hand) -> Mapping[str, list[tuple[float, Hand, float]]]:
            if hand.over:
                return {}
            over = hand._replace(natural=False, over=True)
            settled: dict[float, float] = {}
            for (dealer, dealer_natural), chance in _dealers(*_add(0, False, hand.dealer), 1).items():
                reward = float(np.sign(hand.total - dealer))
                if sab and hand.natural and not dealer_natural:
                    reward = 1.0
                elif natural and not sab and hand.natural and reward == 1:
                    reward = 1.5
                settled[reward] = settled.get(reward, 0.0) + chance
            hits = []
            for card, chance in CARDS.items():
                total, ace = _add(hand.total, hand.ace, card)
                bust = total > BEST
                hits.append((chance, Hand(total, hand.dealer, ace, False, bust), -float(bust)))
            return {"stick": [(settled[reward], over, reward) for reward in sorted(settled)], "hit": hits}

        super().__init__(from_successors(outcomes, hands, action_names=("stick", "hit")))
        self.as_tuple = observation == "tuple"
        self.observation_space = spaces.MultiDiscrete(SEEN)
        if self.as_tuple:
            self.observation_space = spaces.Tuple([spaces.Discrete(n) for n in SEEN])
        self.partially_observable = natural or sab  # a natural looks like any other soft 21
        self.shown = np.array(list(hands), dtype=np.int64)[:, :3].copy()  # [S, 3]

    def observe(self, state: TableState) -> Any:
        """The player's total, the dealer's open card, whether an ace counts as 11: [B, 3] or three [B]."""
        shown = self.shown[state.index]
        return (shown[:, 0], shown[:, 1], shown[:, 2]) if self.as_tuple else shown

    def text(self, state: TableState) -> str:
        """The hand in words."""
        return self.mdp.state_name(int(state.index[0]))

    def picture(self, state: TableState) -> Image:
        """The dealer's cards above, the player's total below, [H, W, 3]."""
        total, dealer, ace = self.shown[state.index[0]].tolist()
        sheet = Sheet(5, 6, fill=FELT)
        for column, face in ((1.9, "A" if dealer == 1 else str(dealer)), (3.1, "")):
            sheet.box((1.2, column), 0.5, tall=0.72, radius=0.1, fill=PAPER if face else CARD, outline=RIM)
            sheet.text((1.2, column), face, size=0.55)
        sheet.text((0.1, 2.5), "dealer", size=0.3)
        sheet.text((3.1, 2.5), str(total), size=1.0, fill=INK if total <= BEST else RIM)
        stood = "stands" if self.ends[state.index[0]] else "usable ace" if ace else "player"
        sheet.text((4.0, 2.5), "bust" if total > BEST else stood, size=0.3)
        return sheet.pixels()


def blackjack(*, natural: bool = False, sab: bool = True, observation: str = "multi-discrete") -> Blackjack:
    """Come closer to 21 than the dealer without exceeding it (Gymnasium's Blackjack).

    Actions are stick and hit; cards come from an infinite deck, and the dealer draws up to 17. Winning pays
    1, losing -1. With `sab`, as in the book, a natural (an ace and a ten) beats all but a natural; with
    `natural`, it pays 1.5 if it wins. Gymnasium's `natural` is without effect beside `sab`; here it is an
    error. What is seen comes in one array, or with observation="tuple" in three, as in Gymnasium. Raises
    `OptionError`. Source: Sutton and Barto (2018), example 5.1.
    """
    flag("sab", sab)
    if flag("natural", natural) and sab:
        raise OptionError("natural=True needs sab=False: the book's rules pay a natural 1")
    one_of("observation", observation, ("multi-discrete", "tuple"))
    return Blackjack(natural=natural, sab=sab, observation=observation)


def _add(total: int, ace: bool, card: int) -> tuple[int, bool]:
    """A hand's total and whether an ace counts as 11 in it, after one more card."""
    low = total - 10 * ace + card
    usable = (ace or card == 1) and low + 10 <= BEST
    return low + 10 * usable, usable


@cache
def _dealers(total: int, ace: bool, cards: int) -> Mapping[tuple[int, bool], float]:
    """How likely the dealer ends with which total (0 for bust), and whether with a natural."""
    if total >= DEALER_STANDS:
        return {(total if total <= BEST else 0, total == BEST and cards == 2): 1.0}
    found: dict[tuple[int, bool], float] = {}
    for card, chance in CARDS.items():
        for end, later in _dealers(*_add(total, ace, card), cards + 1).items():
            found[end] = found.get(end, 0.0) + chance * later
    return found


def _hands(naturals: bool) -> dict[Hand, float]:
    """Every hand that can be seen, and the probability that it is dealt."""
    hands: dict[Any, float] = {}
    for over in (False, True):
        for dealer in CARDS:
            for ace, totals in ((False, range(4, 32 if over else BEST + 1)), (True, range(12, BEST + 1))):
                hands |= {Hand(total, dealer, ace, False, over): 0.0 for total in totals}
            if naturals and not over:
                hands[Hand(BEST, dealer, True, True, False)] = 0.0
    for dealer, shown in CARDS.items():
        for first, p in CARDS.items():
            for second, q in CARDS.items():
                total, ace = _add(*_add(0, False, first), second)
                hands[Hand(total, dealer, ace, naturals and total == BEST, False)] += shown * p * q
    return hands
