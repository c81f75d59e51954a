"""A maze in which one sees only the walls around, and sometimes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step, inverse_cdf
from ..grids.grid import Grid, GridState
from ..options import number
from ..rendering.sheet import AGENT, PAPER, RIM, Board, Image

MCCALLUM = ("SSSSS", "S#S#S", "S#G#S")
NOTHING = 16  # what is seen when the sensor fails


@dataclass(frozen=True)
class MazeState:
    """Which free cell the agent stands on, and what its sensor shows."""

    cell: Array  # [B] int64
    seen: Array  # [B] int64


class NoisyMaze(Model[MazeState]):
    """A grid world seen through a sensor of walls: bit m of what it shows is a wall in the way of move m."""

    partially_observable = True
    signs = Grid.signs

    def __init__(self, grid: Grid, noise: float) -> None:
        self.grid = grid
        self.n_actions, self.action_names = grid.n_actions, grid.action_names
        self.n_starts, self.n_events = 2 * grid.n_starts, 2 * grid.n_events
        self.observation_space = spaces.Discrete(NOTHING + 1)
        self.fails = np.array([1 - noise, noise])  # [2]
        here = np.arange(len(grid.position))
        moved = grid.neighbour.reshape(len(here), -1)[:, : grid.n_actions]
        walls = (moved == here[:, None]) @ (1 << np.arange(grid.n_actions))
        self.shown = np.stack([walls, np.full(len(here), NOTHING)], axis=1).reshape(-1)  # [cells * 2]
        self.chance = np.outer(grid.chance, self.fails).reshape(1, -1)  # [1, E]

    def start_probs(self) -> Array:
        """Every start cell is equally likely, the sensor failing or not, [n_starts]."""
        return np.outer(self.grid.start_probs(), self.fails).reshape(-1)

    def start_event(self, u: Array) -> Array:
        """The cell by equal parts of [0, 1), the sensor by where in its part u [B] lies."""
        xp = namespace(u)
        scaled = u * self.grid.n_starts
        cell = xp.astype(scaled, xp.int64)
        return 2 * cell + (scaled - cell >= self.fails[0])

    def initial(self, event: Array) -> MazeState:
        """The start cell and what is seen there."""
        cell = self.grid.initial(event // 2).cell
        return MazeState(cell, self.shown[2 * cell + event % 2])

    def event_probs(self, state: MazeState, action: Array) -> Array:
        """Each turn of a slip, the sensor failing or not, [B, E]."""
        xp = namespace(action)
        return xp.broadcast_to(self.chance, (action.shape[0], self.n_events))

    def sample_event(self, state: MazeState, action: Array, u: Array) -> Array:
        """The same for every state and action."""
        return inverse_cdf(self.chance, u)

    def transition(self, state: MazeState, action: Array, event: Array) -> Step[MazeState]:
        """Move, then look around."""
        step = self.grid.transition(GridState(state.cell), action, event // 2)
        cell = step.state.cell
        return Step(MazeState(cell, self.shown[2 * cell + event % 2]), step.reward, step.terminated)

    def observe(self, state: MazeState) -> Array:
        """The walls around as a number from 0 to 15, or 16 for nothing, [B]."""
        return state.seen

    def text(self, state: MazeState) -> str:
        """The map with `@` where the agent stands, and what it sees."""
        return f"{self.grid.text(GridState(state.cell))}\nsees {self._words(int(state.seen[0]))}"

    def picture(self, state: MazeState) -> Image:
        """The map from above with the agent, pale where its sensor fails, [H, W, 3]."""
        board = Board(self.grid.rows)
        at = tuple(self.grid.position[int(state.cell[0])])
        blind = int(state.seen[0]) == NOTHING
        board.disc(at, 0.30, fill=PAPER if blind else AGENT, outline=RIM, width=0.04)
        return board.pixels()

    def _words(self, seen: int) -> str:
        if seen == NOTHING:
            return "nothing"
        names = self.action_names or ()
        return "walls " + (" ".join(name for m, name in enumerate(names) if seen >> m & 1) or "nowhere")


def noisy_maze(
    *, map: str | Sequence[str] = MCCALLUM, noise: float = 0.2, slip: float = 0.0, step_reward: float = -0.05
) -> NoisyMaze:
    """Find the goal of a maze, seeing only the walls around, and with probability `noise` nothing.

    One starts on any `S` and is not told on which. `slip` is as in GridWorld, and entering the goal pays 1.
    The default is McCallum's maze of three legs that look alike (McCallum 1993), with a sensor that fails.
    """
    grid = Grid(map, slip=slip, step_reward=step_reward)
    return NoisyMaze(grid, number("noise", noise, 0, 1))
