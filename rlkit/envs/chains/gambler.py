"""The gambler's problem: stakes on the tosses of a coin."""

from collections.abc import Mapping
from typing import Any

from ...core import TableModel, from_successors
from ...core.table import TableState
from ..grids.maps import GOAL
from ..options import number, whole
from ..rendering.sheet import AGENT, FILL, INK, LINE, RIM, Image, Sheet

Outcomes = Mapping[str, list[tuple[float, Any, float]]]


class Gambler(TableModel):
    """The gambler's problem; see `gambler` for what its states and actions are."""

    def text(self, state: TableState) -> str:
        """The capital, and what it is to become."""
        return f"capital {self._capital(state)} of {self._goal}"

    def picture(self, state: TableState) -> Image:
        """A bar as long as the goal, filled as far as the capital reaches, [H, W, 3]."""
        capital, goal = self._capital(state), self._goal
        sheet = Sheet(4, 10)
        middle, long = (1.9, 4.5), 4.0
        share = long * capital / goal
        sheet.box(middle, long, tall=0.5, fill=LINE)
        if capital:
            fill, rim = (FILL[GOAL], INK) if capital == goal else (AGENT, RIM)
            left = (middle[0], middle[1] - long + share)
            sheet.box(left, share, tall=0.5, fill=fill, outline=rim, width=0.04)
        sheet.text((0.9, middle[1] - long + 2 * share), str(capital), size=0.8)
        sheet.text((2.9, middle[1] - long), "0", size=0.5)
        sheet.text((2.9, middle[1] + long), f"{goal}", size=0.5)
        return sheet.pixels()

    @property
    def _goal(self) -> int:
        return self.mdp.n_states - 1

    def _capital(self, state: TableState) -> int:
        return int(self.mdp.state_name(int(state.index[0])))


def gambler(*, goal: int = 100, p_heads: float = 0.4, capital: int | None = None) -> Gambler:
    """Stake a part of one's capital on each toss of a coin until one has it all or nothing (the gambler).

    State s is the capital, 0 and `goal` end, and entering `goal` pays 1. Action a stakes a + 1, at most what
    one has and at most what is missing. Without a `capital` to start with, each of 1..goal-1 is equally
    likely. Raises `OptionError`. Source: Sutton and Barto (2018), example 4.3.
    """
    whole("goal", goal, 2, 2_000)
    heads = number("p_heads", p_heads, 0, 1)
    first = range(1, goal) if capital is None else [whole("capital", capital, 1, goal - 1)]

    def outcomes(s: int) -> Outcomes:
        return {
            f"stake {a}": [(heads, s + a, float(s + a == goal)), (1 - heads, s - a, 0.0)]
            for a in range(1, min(s, goal - s) + 1)
        }

    initial = {s: (s in first) / len(first) for s in range(goal + 1)}
    stakes = [f"stake {a}" for a in range(1, goal // 2 + 1)]
    return Gambler(from_successors(outcomes, initial, action_names=stakes))
