"""The tiger behind one of two doors."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import number
from ..rendering.sheet import PADS, Image, Sheet


@dataclass(frozen=True)
class TigerState:
    """Behind which door the tiger is, and what was heard last."""

    side: Array  # [B] int64, 0 left, 1 right
    heard: Array  # [B] int64, 0 nothing, 1 left, 2 right


class Tiger(Model[TigerState]):
    """Listen for a tiger behind one of two doors, and open the other."""

    partially_observable = True
    n_actions, n_events, n_starts = 3, 2, 2
    action_names = ("listen", "open left", "open right")
    observation_space = spaces.Discrete(3)

    def __init__(self, accuracy: float) -> None:
        self.chance = np.array([number("accuracy", accuracy, 0.5, 1), 0.5, 0.5])  # of the first event
        self.pays = np.array([[-1.0, -1.0], [-100.0, 10.0], [10.0, -100.0]])  # [action, side]

    def initial(self, event: Array) -> TigerState:
        """Nothing heard yet; the event is the tiger's door."""
        return TigerState(event, event * 0)

    def event_probs(self, state: TigerState, action: Array) -> Array:
        """Heard rightly or wrongly; after a door, the tiger's new place, [B, 2]."""
        xp = namespace(action)
        first = self.chance[action]
        return xp.stack([first, 1 - first], axis=1)

    def sample_event(self, state: TigerState, action: Array, u: Array) -> Array:
        """Whether u [B] is beyond the probability of the first event."""
        xp = namespace(u)
        return xp.astype(u >= self.chance[action], xp.int64)

    def transition(self, state: TigerState, action: Array, event: Array) -> Step[TigerState]:
        """Hear something, or open a door and begin again."""
        xp = namespace(action)
        listened = action == 0
        side = xp.where(listened, state.side, event)
        heard = (1 + (state.side ^ event)) * listened
        return Step(TigerState(side, heard), self.pays[action, state.side], side < 0)

    def observe(self, state: TigerState) -> Array:
        """What was heard last: nothing, left, right, [B]."""
        return state.heard

    def text(self, state: TigerState) -> str:
        """Where the tiger is, and what was heard."""
        where = ("left", "right")[int(state.side[0])]
        return f"tiger {where}   heard {('nothing', 'left', 'right')[int(state.heard[0])]}"

    def picture(self, state: TigerState) -> Image:
        """Two doors, the tiger's red, and a mark before the one where it was heard, [H, W, 3]."""
        sheet, side, heard = Sheet(3, 4), int(state.side[0]), int(state.heard[0])
        for door in range(2):
            at = (0.75, 2 * door + 0.5)
            sheet.box(at, 0.7, tall=1.05, radius=0.1, fill=PADS[0 if door == side else 1])
            sheet.text(at, "tiger" if door == side else "", size=0.4)
        if heard:
            sheet.agent((2.2, 2 * heard - 1.5))
        return sheet.pixels()


def tiger(*, accuracy: float = 0.85) -> Tiger:
    """A tiger is behind one of two doors: listen for -1, or open one for 10, or -100 if it is there.

    What is heard is right with probability `accuracy`. After a door is opened the tiger takes a new place,
    and nothing is heard until one listens again; there is no end. Source: Kaelbling, Littman and Cassandra
    1998, section 5.1, where gamma is 0.95.
    """
    return Tiger(accuracy)
