"""The taxi: fetch a passenger and bring him where he wants to go."""

import numpy as np
import numpy.typing as npt

from ...core import TableModel
from ...core.outcomes import from_outcomes
from ...core.table import TableState
from ..options import OptionError, flag, number
from ..rendering.sheet import AGENT, INK, PADS as COLOURS, RIM, Board, Image

SIZE = 5
PADS = ((0, 0), (0, 4), (4, 0), (4, 3))  # row and column
PAD_NAMES = "RGYB"
ABOARD = len(PADS)  # where the passenger is when not on a pad
WALL_EAST_OF = ((0, 1), (1, 1), (3, 0), (3, 2), (4, 0), (4, 2))
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # south, north, east, west
LEFT_AND_RIGHT = ((2, 3), (3, 2), (1, 0), (0, 1))  # the steps to the left and right of each
ACTIONS = ("south", "north", "east", "west", "pickup", "dropoff")
PICKUP, DROPOFF = 4, 5
STEP_REWARD, REFUSED, DELIVERED = -1.0, -10.0, 20.0
IntTable = npt.NDArray[np.int64]


class Taxi(TableModel):
    """The taxi problem as a table of 500 states; see `taxi` for what they are."""

    def __init__(self, *, straight: float, masked: bool) -> None:
        n = SIZE * SIZE * (ABOARD + 1) * ABOARD
        state = np.arange(n)
        self.place, self.passenger, self.destination = np.unravel_index(
            state, (SIZE * SIZE, ABOARD + 1, ABOARD)
        )
        at_pad = self.place[:, None] == np.array([r * SIZE + c for r, c in PADS])  # [states, pads]
        pad, on_pad = at_pad.argmax(axis=1), at_pad.any(axis=1)
        aboard = self.passenger == ABOARD
        there = on_pad & (self.passenger == pad)
        arrived = aboard & on_pad & (self.destination == pad)
        blocked = _neighbours()[self.place] == self.place[:, None]  # [states, steps]
        idle = np.column_stack([blocked, ~there, ~(aboard & on_pad)])  # [states, actions]

        # One entry for each action and way it may turn out: action, successor, chance, reward, terminated.
        outcomes: list[tuple[npt.ArrayLike, ...]] = []
        for action, sides in enumerate(LEFT_AND_RIGHT):
            for step, chance in ((action, straight), *((side, (1 - straight) / 2) for side in sides)):
                entered = np.where(blocked[:, action], self.place, _neighbours()[self.place, step])
                outcomes.append((action, self._number(entered, self.passenger), chance, STEP_REWARD, False))
        inside = self._number(self.place, np.where(there, ABOARD, self.passenger))
        outcomes.append((PICKUP, inside, 1.0, np.where(there, STEP_REWARD, REFUSED), False))
        outside = self._number(self.place, np.where(aboard & on_pad, pad, self.passenger))
        reward = np.where(arrived, DELIVERED, np.where(aboard & on_pad, STEP_REWARD, REFUSED))
        outcomes.append((DROPOFF, outside, 1.0, reward, arrived))

        parts = [np.broadcast_arrays(state, *outcome) for outcome in outcomes]
        rows = [np.concatenate(part) for part in zip(*parts, strict=True)]
        kept = ~idle[rows[0], rows[1]] | (not masked)
        waits = ~aboard & (self.passenger != self.destination)
        super().__init__(
            from_outcomes(
                *(row[kept] for row in rows),
                initial=waits / waits.sum(),
                action_names=ACTIONS,
                state_names=[self._name(s) for s in range(n)],
            )
        )

    def _number(self, place: IntTable, passenger: IntTable) -> IntTable:
        return (place * (ABOARD + 1) + passenger) * ABOARD + self.destination

    def _name(self, s: int) -> str:
        row, column = divmod(int(self.place[s]), SIZE)
        passenger = "aboard" if self.passenger[s] == ABOARD else f"at {PAD_NAMES[self.passenger[s]]}"
        return f"taxi ({row},{column}), passenger {passenger}, to {PAD_NAMES[self.destination[s]]}"

    signs = {"@": "taxi", "|": "wall", "R": "red", "G": "green", "Y": "yellow", "B": "blue pad"}

    def text(self, state: TableState) -> str:
        """The map with `@` for the taxi, and in words where the passenger is and wants to go."""
        s = int(state.index[0])
        row, column = divmod(int(self.place[s]), SIZE)
        lines = [["." for _ in range(SIZE)] for _ in range(SIZE)]
        for name, (r, c) in zip(PAD_NAMES, PADS, strict=True):
            lines[r][c] = name
        lines[row][column] = "@"
        for r, c in WALL_EAST_OF:
            lines[r][c] += "|"
        drawn = ["".join(cell.ljust(2) for cell in line).rstrip() for line in lines]
        return "\n".join([*drawn, self._name(s)])

    def picture(self, state: TableState) -> Image:
        """The town: pads with their letters, the destination ringed, the passenger as a disc, [H, W, 3]."""
        s = int(state.index[0])
        board = Board(["." * SIZE] * SIZE)
        for pad, place in enumerate(PADS):
            board.box(place, 0.46, fill=COLOURS[pad])
            board.text(place, PAD_NAMES[pad], size=0.45)
        board.box(PADS[self.destination[s]], 0.44, outline=INK, width=0.06)
        for r, c in WALL_EAST_OF:
            board.line((r, c + 1), (r + 1, c + 1), width=0.1)
        at: tuple[float, float] = divmod(int(self.place[s]), SIZE)
        board.box(at, 0.34, tall=0.24, radius=0.1, fill=AGENT, outline=RIM, width=0.04)
        if self.passenger[s] != ABOARD:
            r, c = PADS[self.passenger[s]]
            at = (r + 0.28, c + 0.28)
        board.disc(at, 0.15, fill=INK)
        return board.pixels()


def taxi(*, is_rainy: bool = False, rainy_probability: float | None = None, masked: bool = False) -> Taxi:
    """Fetch a passenger from one of four pads and bring him to another (Gymnasium's Taxi).

    State ((row 5 + column) 5 + passenger) 4 + destination; passenger 4 is aboard. A step pays -1, picking
    up or dropping off where that is impossible -10, delivering 20, which ends the episode. In the rain a move
    that is possible turns left or right instead, together with probability 1 - `rainy_probability` (0.8
    unless given). With `masked` only actions that have an effect are legal; without, all are, as in
    Gymnasium's table. Raises `OptionError`. Source: Dietterich (2000), Hierarchical reinforcement learning
    with the MAXQ value function decomposition.
    """
    if not flag("is_rainy", is_rainy) and rainy_probability is not None:
        raise OptionError("rainy_probability needs is_rainy=True")
    chance = 0.8 if rainy_probability is None else number("rainy_probability", rainy_probability, 0, 1)
    return Taxi(straight=chance if is_rainy else 1.0, masked=flag("masked", masked))


def _neighbours() -> IntTable:
    """The cell entered from each cell by each step, [cells, 4]."""
    table = np.empty((SIZE, SIZE, len(STEPS)), dtype=np.int64)
    for (r, c, step), _ in np.ndenumerate(table):
        dr, dc = STEPS[step]
        inside = 0 <= r + dr < SIZE and 0 <= c + dc < SIZE
        walled = dc != 0 and (r, min(c, c + dc)) in WALL_EAST_OF
        table[r, c, step] = (r + dr) * SIZE + c + dc if inside and not walled else r * SIZE + c
    return table.reshape(-1, len(STEPS))
