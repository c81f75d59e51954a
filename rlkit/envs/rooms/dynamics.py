"""Tasks whose rules look beyond the thing in front: moving balls, boxes to push, doors in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array, namespace
from ...core.model import Step
from ...core.validation import NoExactModel
from .codes import (
    AGENT,
    BALL,
    BLUE,
    BOX,
    CLOSED,
    EMPTY,
    FLOOR,
    GREEN,
    N_CODES,
    OPEN,
    RED,
    YELLOW,
    code,
    gather,
    kind_of,
)
from .engine import Level, Rooms, RoomState
from .rules import WALKABLE

BALL_CODE = code(BALL, BLUE)
BLUE_DOOR, OPEN_RED_DOOR = code(CLOSED, BLUE), code(OPEN, RED)
TARGET, BOX_AWAY, BOX_HOME = code(FLOOR, GREEN), code(BOX, YELLOW), code(BOX, GREEN)

WAYS = 8  # a ball can go, at most
MOST_LISTED, MOST_ENUMERATED = 4, 2  # balls whose ways, and whose places, are still listed
AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class ObstacleState(RoomState):
    """Rooms with balls that move."""

    balls: Array  # [B, n] int64 cells, in the order in which they move


class Obstacles(Rooms):
    """Balls that move one after the other, before the agent does, to any empty cell of the eight around.

    Walking into what was a ball or a wall before they moved costs 1 and ends the episode. An event is a
    number with one digit to base 8 for each ball: which of the cells around it takes, in reading order.
    """

    def _lay(self, levels: Sequence[Level]) -> None:
        super()._lay(levels)
        self.first_balls = np.array([np.flatnonzero(row == BALL_CODE) for row in self.layouts])
        self.n_balls = self.first_balls.shape[1]
        self.n_events = WAYS**self.n_balls
        self.around = np.array([r * self.width + c for r, c in AROUND])  # [8]
        self.bits = (2 ** np.arange(WAYS)).astype(np.float32)  # [8]
        free = (np.arange(2**WAYS)[:, None] >> np.arange(WAYS) & 1).astype(np.bool_)
        free[0, 0] = True  # where no way is free the ball stays, which is called way 0
        self.count = free.sum(axis=1)  # [256] ways of each set
        self.chances = free / self.count[:, None]  # [256, 8]
        self.ranked = np.argsort(~free, axis=1, kind="stable")  # [256, 8] the free ways first
        self.solid = np.array([kind_of(c) not in WALKABLE for c in range(N_CODES)])
        self.hidden = True  # which ball is which cannot be seen

    def initial(self, event: Array) -> ObstacleState:
        """The level of that number, its balls in reading order."""
        return _with_balls(super().initial(event), self.first_balls[event])

    def all_states(self) -> None:
        """Refuse to be enumerated, by `NoExactModel`, where that would not end well."""
        if self.decay:
            raise NoExactModel("success fades with time, the cost of a crash does not: take decay=0")
        if self.n_balls > MOST_ENUMERATED:
            raise NoExactModel(f"{self.n_balls} balls lie in too many ways: take at most {MOST_ENUMERATED}")

    def event_probs(self, state: Any, action: Array) -> Array:
        """Chance of each combination of ways, [B, 8 ** n]; raises `NoExactModel` for more than four balls."""
        if self.n_balls > MOST_LISTED:
            raise NoExactModel(
                f"{self.n_balls} balls move in {self.n_events} ways: take at most {MOST_LISTED}"
            )
        xp = namespace(action)
        grid, chance = self._with_agent(state), xp.ones((action.shape[0], 1), dtype=xp.float64)
        way = xp.arange(WAYS, device=action.device)
        for ball in range(self.n_balls):
            cell = xp.repeat(state.balls[:, ball], WAYS**ball)
            chance = xp.reshape(chance, (-1, 1)) * self.chances[self._free(grid, cell)]
            if ball + 1 < self.n_balls:
                row = xp.arange(grid.shape[0] * WAYS, device=action.device) // WAYS
                grid = grid[row]
                self._roll(grid, cell[row], xp.tile(way, (row.shape[0] // WAYS,)))
        return xp.reshape(chance, (action.shape[0], -1))

    def sample_event(self, state: Any, action: Array, u: Array) -> Array:
        """The event at u [B] of the cumulative probabilities: each ball divides what the one before left."""
        xp = namespace(u)
        grid, event = self._with_agent(state), xp.zeros_like(action)
        for ball in range(self.n_balls):
            cell = state.balls[:, ball]
            free = self._free(grid, cell)
            share = u * self.count[free]
            rank = xp.astype(share, xp.int64)
            way = self.ranked[free, rank]
            u, event = share - rank, event * WAYS + way
            self._roll(grid, cell, way)
        return event

    def transition(self, state: Any, action: Array, event: Array) -> Step[RoomState]:
        """The balls move, then the agent does, unless it walked into something."""
        *_, thing = self.facing(state, action)
        crash = gather(self.solid, thing) & self.rules.walks[action]
        grid, balls = self._with_agent(state), []
        for ball in range(self.n_balls):
            way = (event >> 3 * (self.n_balls - 1 - ball)) % WAYS
            balls.append(self._roll(grid, state.balls[:, ball], way))
        xp = namespace(action)
        here = self.places(state.cell)
        xp.reshape(grid, (-1,))[here] = xp.reshape(state.grid, (-1,))[here]
        step = self.act(RoomState(grid, state.cell, state.heading, state.carrying), action)
        reward = xp.where(crash, -1.0, step.reward)
        return Step(_with_balls(step.state, xp.stack(balls, axis=1)), reward, step.terminated | crash)

    def decayed(self, reward: Array, elapsed: Array) -> Array:
        """Success pays less with time, a crash always costs 1."""
        return namespace(reward).where(reward > 0, super().decayed(reward, elapsed), reward)

    def _with_agent(self, state: RoomState) -> Array:
        """The grids with the agent as a thing that is in the way."""
        agent = namespace(state.grid).full_like(state.carrying, AGENT)
        return self.written(state.grid, self.places(state.cell), agent)

    def _free(self, grid: Array, cell: Array) -> Array:
        """Bits of the empty cells around cells [B]."""
        xp = namespace(grid)
        around = self.places(cell)[:, None] + self.around
        free = xp.astype(gather(xp.reshape(grid, (-1,)), around) == EMPTY, xp.float32)
        return xp.astype(xp.matmul(free, self.bits), xp.int64)

    def _roll(self, grid: Array, cell: Array, way: Array) -> Array:
        """Move the balls at cells [B] within the grids, where their way is free; returns the new cells."""
        flat = namespace(grid).reshape(grid, (-1,))
        here, go = self.places(cell), self.around[way]
        go = go * (flat[here + go] == EMPTY)
        flat[here] = EMPTY
        flat[here + go] = BALL_CODE
        return cell + go


def _with_balls(state: RoomState, balls: Array) -> ObstacleState:
    return ObstacleState(state.grid, state.cell, state.heading, state.carrying, balls)


class PushBox(Rooms):
    """Boxes that the agent pushes by walking into them, if there is room beyond; all home is success."""

    def _lay(self, levels: Sequence[Level]) -> None:
        super()._lay(levels)
        codes = np.arange(N_CODES, dtype=np.uint8)
        self.is_box = (codes == BOX_AWAY) | (codes == BOX_HOME)
        self.has_place = (codes == EMPTY) | (codes == TARGET)
        self.with_box = np.where(codes == TARGET, BOX_HOME, BOX_AWAY).astype(np.uint8)
        self.without_box = np.where(codes == BOX_HOME, TARGET, EMPTY).astype(np.uint8)

    def act(self, state: RoomState, action: Array) -> Step[RoomState]:
        """Push the box, then walk on."""
        xp = namespace(action)
        heading, _, place, thing = self.facing(state, action)
        pushed = self.rules.walks[action] & gather(self.is_box, thing)
        beyond = place + self.step[heading] * pushed
        thing_beyond = xp.reshape(state.grid, (-1,))[beyond]
        pushed = pushed & gather(self.has_place, thing_beyond)
        grid = self.written(
            state.grid, beyond, xp.where(pushed, gather(self.with_box, thing_beyond), thing_beyond)
        )
        grid = self.written(grid, place, xp.where(pushed, gather(self.without_box, thing), thing))
        step = super().act(RoomState(grid, state.cell, state.heading, state.carrying), action)
        home = ~xp.any(step.state.grid == BOX_AWAY, axis=1)
        return Step(step.state, step.reward + home, home)


class RedBlueDoors(Rooms):
    """Opening the blue door ends the episode, and is success if the red one is open."""

    def act(self, state: RoomState, action: Array) -> Step[RoomState]:
        """What the rules say, which end the episode at the blue door and pay nothing."""
        step = super().act(state, action)
        red = namespace(action).any(step.state.grid == OPEN_RED_DOOR, axis=1)
        return Step(step.state, step.reward + (step.terminated & red), step.terminated)
