"""Tasks whose rules look beyond the thing in front: moving balls, boxes to push, doors in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.arrays import Array, fill_at, namespace
from ...core.errors import NoExactModel
from ...core.model import Step
from . import codes
from .codes import EMPTY, N_CODES, RoomError, code, gather, kind_of
from .engine import Rooms
from .rules import WALKABLE
from .state import Level, RoomState

BALL_CODE = code(codes.BALL, codes.BLUE)
BLUE_DOOR, OPEN_RED_DOOR = code(codes.CLOSED, codes.BLUE), code(codes.OPEN, codes.RED)
TARGET, BOX_AWAY, BOX_HOME = (
    code(codes.FLOOR, codes.GREEN),
    code(codes.BOX, codes.YELLOW),
    code(codes.BOX, codes.GREEN),
)

MOST_LISTED, MOST_ENUMERATED = 4, 2  # balls whose ways, and whose places, are still listed
AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1), (0, 0))
WAYS = len(AROUND)  # that a ball can go; the last is to stay
BITS = 2 ** np.arange(WAYS - 1)  # of the cells around


@dataclass(frozen=True)
class ObstacleState(RoomState):
    """Rooms with balls that move."""

    balls: Array  # [B, n] int64 cells, in the order in which they move


class Obstacles(Rooms):
    """Balls that move one after the other, before the agent does, to any empty cell of the eight around.

    Walking into what was a ball or a wall before they moved costs 1 and ends the episode. An event is a
    number with one digit to base 9 for each ball: which of the cells around it takes, in reading order, or
    8 if it must stay. Levels may differ in nothing but the places of balls and agent.
    """

    def _lay(self, levels: Sequence[Level]) -> None:
        super()._lay(levels)
        boards = np.where(self.layouts == BALL_CODE, EMPTY, self.layouts)
        counts = (self.layouts == BALL_CODE).sum(axis=1)
        if (boards != boards[0]).any() or (counts != counts[0]).any():
            raise RoomError("levels with moving balls must have the same walls and as many balls each")
        self.first_balls = np.array([np.flatnonzero(row == BALL_CODE) for row in self.layouts])
        self.n_balls = self.first_balls.shape[1]
        self.n_events = WAYS**self.n_balls
        self.around = np.array([r * self.width + c for r, c in AROUND])  # [9]
        self.bit = np.zeros(2 * self.outside, dtype=np.int64)  # of a cell around, by its distance + H * W
        self.bit[self.around[:-1] + self.outside] = BITS
        cells = np.arange(self.outside)[:, None] + self.around[:-1]
        self.open = (boards[0].take(cells, mode="clip") == EMPTY) @ BITS  # [H * W] bits of empty cells around
        free = (np.arange(2 * BITS[-1])[:, None] & BITS) > 0
        free = np.concatenate([free, ~free.any(axis=1, keepdims=True)], axis=1)
        self.count = free.sum(axis=1)  # [256] ways to go with these bits
        self.chances = free / self.count[:, None]  # [256, 9]
        self.ranked = np.argsort(~free, axis=1, kind="stable")  # [256, 9] ways to go first
        self.place_value = WAYS ** np.arange(self.n_balls)[::-1, None]  # [n, 1] of the digits of an event
        self.solid = np.array([kind_of(c) not in WALKABLE for c in range(N_CODES)])
        self.partially_observable = True  # which ball is which cannot be seen

    def initial(self, event: Array) -> ObstacleState:
        """The level of that number, its balls in reading order."""
        return _with_balls(super().initial(event), self.first_balls[event])

    def all_states(self) -> None:
        """Refuse to be enumerated, by `NoExactModel`, where that would not end well."""
        if self.reward_decay:
            raise NoExactModel("success decays with time, the cost of a crash does not: take reward_decay=0")
        if self.n_balls > MOST_ENUMERATED:
            raise NoExactModel(f"{self.n_balls} balls lie in too many ways: take at most {MOST_ENUMERATED}")

    def event_probs(self, state: Any, action: Array) -> Array:
        """Chance of each combination of ways, [B, 9 ** n]; raises `NoExactModel` for more than four balls."""
        if self.n_balls > MOST_LISTED:
            raise NoExactModel(f"{self.n_balls} balls go too many ways at once: take at most {MOST_LISTED}")
        xp = namespace(action)
        things, chance = self._things(state), xp.ones(action.shape, dtype=xp.float64, device=action.device)
        for ball in range(self.n_balls):
            chance = xp.reshape(chance[:, None] * self.chances[self._ways(things, ball)], (-1,))
            things = xp.repeat(things, WAYS, axis=1)
            things[ball] = xp.reshape(xp.reshape(things[ball], (-1, WAYS)) + self.around, (-1,))
        return xp.reshape(chance, (action.shape[0], -1))

    def sample_event(self, state: Any, action: Array, u: Array) -> Array:
        """The event at u [B] of the cumulative probabilities: each ball divides what the one before left."""
        xp = namespace(u)
        things, event = self._things(state), xp.zeros_like(action)
        for ball in range(self.n_balls):
            ways = self._ways(things, ball)
            share = u * self.count[ways]
            rank = xp.astype(share, xp.int64)
            way = self.ranked[ways, rank]
            u, event = share - rank, event * WAYS + way
            things[ball] += self.around[way]
        return event

    def transition(self, state: Any, action: Array, event: Array) -> Step[RoomState]:
        """The balls move, then the agent does, unless it walked into something."""
        xp = namespace(action)
        *_, thing = self.facing(state, action)
        crash = gather(self.solid, thing) & self.rules.walks[action]
        old = xp.permute_dims(state.balls, (1, 0))
        new = old + self.around[event // self.place_value % WAYS]
        grid = xp.asarray(state.grid, copy=True)
        for cell, thing_there in ((old, EMPTY), (new, BALL_CODE)):
            fill_at(xp.reshape(grid, (-1,)), self.places(cell), thing_there)
        step = self.act(RoomState(grid, state.cell, state.heading, state.carrying), action)
        reward = xp.where(crash, -1.0, step.reward)
        return Step(_with_balls(step.state, xp.permute_dims(new, (1, 0))), reward, step.terminated | crash)

    def decayed(self, reward: Array, elapsed: Array) -> Array:
        """Success pays less with time, a crash always costs 1."""
        return namespace(reward).where(reward > 0, super().decayed(reward, elapsed), reward)

    def _things(self, state: Any) -> Array:
        """Cells of the balls and, last, of the agent, [n + 1, B]."""
        xp = namespace(state.cell)
        return xp.concat([xp.permute_dims(state.balls, (1, 0)), state.cell[None]])

    def _ways(self, things: Array, ball: int) -> Array:
        """Bits of the cells around a ball that are free, [B]."""
        taken = gather(self.bit, things - things[ball] + self.outside)
        return self.open[things[ball]] & ~namespace(things).sum(taken, axis=0)


def _with_balls(state: RoomState, balls: Array) -> ObstacleState:
    return ObstacleState(state.grid, state.cell, state.heading, state.carrying, balls)


class PushBox(Rooms):
    """Boxes that the agent pushes by walking into them, if there is room beyond; all home is success."""

    def _lay(self, levels: Sequence[Level]) -> None:
        super()._lay(levels)
        every = np.arange(N_CODES, dtype=np.uint8)
        self.is_box = (every == BOX_AWAY) | (every == BOX_HOME)
        self.has_place = (every == EMPTY) | (every == TARGET)
        self.with_box = np.where(every == TARGET, BOX_HOME, BOX_AWAY).astype(np.uint8)
        self.without_box = np.where(every == BOX_HOME, TARGET, EMPTY).astype(np.uint8)

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
