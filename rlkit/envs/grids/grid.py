"""Grid worlds: one description of cells, moves, slip and wind, from which all index grids come."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import OptionError, flag, listed, number, one_of
from ..rendering.sheet import LINE, Board, Image
from .maps import CHARACTERS, CLIFF, GOAL, PIT, START, WALL, MapError, rows_of

IntTable = npt.NDArray[np.int64]
STEPS = {  # rows and columns by which a move leads on
    "left": (0, -1),
    "down-left": (1, -1),
    "down": (1, 0),
    "down-right": (1, 1),
    "right": (0, 1),
    "up-right": (-1, 1),
    "up": (-1, 0),
    "up-left": (-1, -1),
    "stay": (0, 0),
}
COMPASS = ("left", "down", "right", "up")
KINGS = tuple(move for move in STEPS if move != "stay")
OBSERVATIONS = ("index", "one-hot", "grid")
CODES = {kind: code for code, kind in enumerate(CHARACTERS)}  # of the symbolic observation
AGENT_CODE = len(CODES)
MAPS = {
    "4x3": ("...G", ".#.H", "S..."),  # Russell and Norvig's example
    "bridge": ("#HHHHH#", "S.....G", "#HHHHH#"),  # a long narrow way
    "lava": ("S...H...", "....H...", "....H...", "........", "....H...", "....H...", "....H...", "....H..G"),
}


@dataclass(frozen=True)
class GridState:
    """Which free cell the agent stands on."""

    cell: Array  # [B] int64, free cells in reading order


class Grid(Model[GridState]):
    """Move over a map of walls, pits, cliffs and goals.

    `rows` is text, rows apart by newline or `/`, or a sequence of rows. It holds `#` wall, `S` start (several
    are equally likely), `G` goal, `H` pit, `C` cliff, and `.` or `F` or a space where it is free. Cells other
    than walls are numbered in reading order. `moves` names the actions, in the order in which one turns; a
    move into a wall or off the map stays. With probability `slip` the move turns instead, to one of its two
    neighbours (`slip_to="sides"`) or to any other move (`"others"`), each equally likely. `wind` [columns]
    then pushes that many cells up, as seen from the column left; with probability `gust` it is one stronger
    or weaker where it blows at all.

    Goals and pits end the episode; a cliff sends back to the start. Every step pays `step_reward`, and
    entering a goal or pit its own reward besides; a fall pays `cliff_reward` alone.

    The observation is the number of the cell (`"index"`), a float32 vector [cells] (`"one-hot"`), or the map
    with the agent on it as uint8 [rows, columns] (`"grid"`): 0 wall, 1 free, 2 start, 3 goal, 4 pit, 5 cliff,
    6 agent. Raises `MapError`, also for a goal out of reach unless `allow_unreachable`, and `OptionError`.
    """

    def __init__(
        self,
        rows: str | Sequence[str],
        *,
        moves: Sequence[str] = COMPASS,
        slip: float = 0.0,
        slip_to: str = "sides",
        wind: Sequence[int] | None = None,
        gust: float = 0.0,
        step_reward: float = 0.0,
        goal_reward: float = 1.0,
        pit_reward: float = 0.0,
        cliff_reward: float = -100.0,
        discount: float = 1.0,
        observation: str = "index",
        allow_unreachable: bool = False,
    ) -> None:
        self.rows = rows_of(rows)
        self.discount = number("discount", discount, 0, 1)
        self.observation = one_of("observation", observation, OBSERVATIONS)
        self.action_names = moves = tuple(one_of("moves", move, STEPS) for move in moves)
        self.n_actions = len(moves)
        kinds = np.array([list(row) for row in self.rows])
        self.position = np.argwhere(kinds != WALL)  # [cells, 2]
        kind = kinds[kinds != WALL]
        self.starts = np.flatnonzero(kind == START)
        self.n_starts = len(self.starts)
        self.ends = (kind == GOAL) | (kind == PIT)
        self.wind = _checked_wind(wind, kinds.shape[1])  # [columns]

        turns = _turns(number("slip", slip, 0, 1), one_of("slip_to", slip_to, ("sides", "others")), moves)
        gusts = _gusts(number("gust", gust, 0, 1), bool(self.wind.any()))
        events = [(t, g, p * q) for (t, p), (g, q) in product(turns, gusts) if p * q > 0]
        self.n_events = len(events)
        self.chance = np.array([p for _, _, p in events])  # [E]
        summed = np.cumsum(self.chance)
        self.thresholds = tuple(float(c) for c in summed if c < summed[-1])
        # A move as it turns out, and the wind of the moment, count as one column of the tables below.
        self.n_columns = self.n_actions * len(gusts)
        force = [delta for delta, _ in gusts]
        self.column = np.array(
            [
                _turned(action, turn, moves) * len(gusts) + force.index(gust)
                for action in range(self.n_actions)
                for turn, gust, _ in events
            ]
        )  # [A * E]
        entered = _neighbours(kinds, moves, self.wind, force)  # [cells, columns]
        entry = number("step_reward", step_reward) + (
            number("goal_reward", goal_reward) * (kind == GOAL)
            + number("pit_reward", pit_reward) * (kind == PIT)
        )
        falls = kind[entered] == CLIFF
        if falls.any() and self.n_starts > 1:
            raise MapError(f"a map with cliffs (C) needs one start (S) to fall back to, not {self.n_starts}")
        self.pays = np.where(falls, number("cliff_reward", cliff_reward), entry[entered]).reshape(-1)
        self.neighbour = np.where(falls, self.starts[0], entered).reshape(-1)  # [cells * columns]
        if not flag("allow_unreachable", allow_unreachable) and not self._reached()[kind == GOAL].any():
            raise MapError("no goal (G) of the map can be reached from its start (S)")
        self._see(kinds)

    def _reached(self) -> npt.NDArray[np.bool_]:
        """Which cells an episode can come to, [cells]."""
        n, width = len(self.position), self.n_columns
        stay = np.broadcast_to(np.arange(n)[:, None], (n, width))
        around = np.where(self.ends[:, None], stay, self.neighbour.reshape(n, width))
        # One more row, which leads to the starts, is where the search begins.
        successor = np.concatenate([around.reshape(-1), self.starts])
        pointer = np.append(np.arange(n + 1) * width, len(successor))
        graph = csr_array((np.ones(len(successor)), successor, pointer), shape=(n + 1, n + 1))
        found = np.zeros(n + 1, dtype=np.bool_)
        found[breadth_first_order(graph, n, return_predecessors=False)] = True
        return found[:n]

    def _see(self, kinds: npt.NDArray[np.str_]) -> None:
        """What observations need: the squares that are shown, and the square of each cell."""
        n, shape = len(self.position), kinds.shape
        one_hot = self.observation == "one-hot"
        self.shown = np.arange(n if one_hot else kinds.size)
        self.square = self.shown if one_hot else self.position @ np.array([shape[1], 1])
        self.background = np.array([CODES[kind] for kind in kinds.flat], dtype=np.uint8)
        self.observation_space = {
            "index": spaces.Discrete(n),
            "one-hot": spaces.Box(0, 1, (n,), np.float32),
            "grid": spaces.Box(0, AGENT_CODE, shape, np.uint8),
        }[self.observation]

    def initial(self, event: Array) -> GridState:
        """The start cell of that number."""
        return GridState(self.starts[event])

    def event_probs(self, state: GridState, action: Array) -> Array:
        """Probability of each turn and gust, the same everywhere, [B, E]."""
        xp = namespace(action)
        return xp.broadcast_to(self.chance, (action.shape[0], self.n_events))

    def sample_event(self, state: GridState, action: Array, u: Array) -> Array:
        """How many cumulative probabilities u [B] has passed."""
        xp = namespace(u)
        event = xp.zeros(u.shape, dtype=xp.int64, device=u.device)
        for threshold in self.thresholds:
            event += u >= threshold
        return event

    def transition(self, state: GridState, action: Array, event: Array) -> Step[GridState]:
        """Move as it turns out, then be blown."""
        place = state.cell * self.n_columns + self.column[action * self.n_events + event]
        cell = self.neighbour[place]
        return Step(GridState(cell), self.pays[place], self.ends[cell])

    def observe(self, state: GridState) -> Array:
        """The cell as a number [B], a one-hot vector [B, cells], or on the map [B, rows, columns]."""
        if self.observation == "index":
            return state.cell
        xp = namespace(state.cell)
        here = self.square[state.cell][:, None] == self.shown
        if self.observation == "one-hot":
            return xp.astype(here, xp.float32)
        seen = xp.where(here, AGENT_CODE, self.background)
        return xp.reshape(seen, (-1, len(self.rows), len(self.rows[0])))

    def all_states(self) -> GridState:
        """Every cell that is no wall, in reading order."""
        return GridState(np.arange(len(self.position)))

    def state_names(self, state: GridState) -> tuple[str, ...]:
        """Row and column of each cell, from the top left."""
        return tuple(f"({r},{c})" for r, c in self.position[state.cell])

    signs = {"@": "you"} | {sign: name.partition(" (")[0] for sign, name in CHARACTERS.items()}

    def text(self, state: GridState) -> str:
        """The map with `@` where the agent stands."""
        row, column = self.position[int(state.cell[0])]
        lines = [list(line) for line in self.rows]
        lines[row][column] = "@"
        return "\n".join("".join(line) for line in lines)

    def picture(self, state: GridState) -> Image:
        """The map with the agent as a disc, and the strength of the wind at the foot, [H, W, 3]."""
        board = Board(self.rows)
        for column in np.flatnonzero(self.wind):
            board.text((len(self.rows) - 1, int(column)), str(self.wind[column]), size=0.4, fill=LINE)
        row, column = self.position[int(state.cell[0])]
        board.agent((row, column))
        return board.pixels()


def _checked_wind(wind: Sequence[int] | None, width: int) -> IntTable:
    if wind is None:
        return np.zeros(width, dtype=np.int64)
    wind = listed("wind", wind)
    if len(wind) != width or any(not isinstance(w, int) or w < 0 for w in wind):
        raise OptionError(f"wind needs one whole number >= 0 for each of the {width} columns, not {wind!r}")
    return np.array(wind, dtype=np.int64)


def _turns(slip: float, slip_to: str, moves: Sequence[str]) -> list[tuple[int, float]]:
    """By how many places in the order of moves a move may turn, with which probability."""
    n = sum(move != "stay" for move in moves)
    if slip_to == "sides":
        return [(-1, slip / 2), (0, 1 - slip), (1, slip / 2)]
    return [(0, 1 - slip), *((turn, slip / (n - 1)) for turn in range(1, n))]


def _turned(action: int, turn: int, moves: Sequence[str]) -> int:
    """The move that comes of an action and a turn; who stays does not turn."""
    directions = [i for i, move in enumerate(moves) if move != "stay"]
    if moves[action] == "stay":
        return action
    return directions[(directions.index(action) + turn) % len(directions)]


def _gusts(gust: float, blows: bool) -> list[tuple[int, float]]:
    """By how much the wind may be stronger, with which probability."""
    return [(-1, gust / 2), (0, 1 - gust), (1, gust / 2)] if blows and gust > 0 else [(0, 1.0)]


def _neighbours(
    kinds: npt.NDArray[np.str_], moves: Sequence[str], wind: IntTable, force: Sequence[int]
) -> IntTable:
    """The cell entered from each cell by each move under each wind, [cells, moves * winds]."""
    free = kinds != WALL
    number = np.full(np.array(kinds.shape) + 2, -1)  # of each cell; -1 for walls and beyond the edge
    number[1:-1, 1:-1][free] = np.arange(free.sum())
    row, column = np.nonzero(free)

    def beside(cell: IntTable, step: Sequence[int]) -> IntTable:
        there = number[row[cell] + step[0] + 1, column[cell] + step[1] + 1]
        return np.where(there < 0, cell, there)

    everywhere = np.arange(len(row))
    table = []
    for move, delta in product(moves, force):
        cell = beside(everywhere, STEPS[move])
        strength = np.where(wind > 0, wind + delta, 0)[column]
        for k in range(int(strength.max())):
            cell = np.where(strength > k, beside(cell, STEPS["up"]), cell)
        table.append(cell)
    return np.stack(table, axis=1)


def grid_world(
    *,
    map: str | Sequence[str] = "4x3",
    slip: float = 0.2,
    wind: Sequence[int] | None = None,
    step_reward: float = -0.04,
    goal_reward: float = 1.0,
    pit_reward: float = -1.0,
    cliff_reward: float = -1.0,
    discount: float = 1.0,
    observation: str = "index",
    allow_unreachable: bool = False,
) -> Grid:
    """A grid world of your own; by default the 4x3 world of Russell and Norvig (AIMA, section 17.1).

    `map` is text, rows apart by newline or `/`, or one of the names 4x3, bridge and lava. With probability
    `slip` a move turns left or right; `wind`, a list with a number for each column, then pushes up as many
    cells; `observation` is index, one-hot or grid. `rlkit.envs.Grid` describes all of them. Raises `MapError`
    and `OptionError`.
    """
    return Grid(
        MAPS.get(map, map) if isinstance(map, str) else map,
        slip=slip,
        wind=wind,
        step_reward=step_reward,
        goal_reward=goal_reward,
        pit_reward=pit_reward,
        cliff_reward=cliff_reward,
        discount=discount,
        observation=observation,
        allow_unreachable=allow_unreachable,
    )
