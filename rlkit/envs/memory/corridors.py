"""Corridors whose far end is to be entered as a sign at their start said."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from ..options import whole
from ..rendering.sheet import Board, Image


@dataclass(frozen=True)
class CorridorState:
    """How far the agent has come, on which side the goal is, and what the sign showed."""

    place: Array  # [B] int64, 0 at the sign, `length` at the junction
    side: Array  # [B] int64, 0 up, 1 down
    sign: Array  # [B] int64


class Corridor(Model[CorridorState]):
    """A corridor with a sign at its start and a junction at its end, where the right turn pays.

    `length` steps lead from one to the other. The right turn pays 4; the wrong one, and staying where one
    is, -0.1. Any turn at the junction ends the episode.
    """

    partially_observable = True
    n_actions = 4
    action_names = ("left", "down", "right", "up")

    def __init__(self, length: int) -> None:
        self.ahead = np.array([-1, 0, 1, 0])
        self.pays = np.array([0.0, -0.1, 4.0])  # for a step, a mistake, and the right turn
        self.length = whole("length", length, 1, 10_000)
        self.max_episode_steps = 5 * length  # there, and some errors

    def transition(self, state: CorridorState, action: Array, event: Array) -> Step[CorridorState]:
        """Walk along the corridor, or turn at its end."""
        xp = namespace(action)
        turned = (state.place == self.length) & (action % 2 == 1)
        place = xp.clip(state.place + self.ahead[action], 0, self.length)
        stayed = xp.astype(place == state.place, xp.int64)
        right = turned & (action == 3 - 2 * state.side)
        return Step(CorridorState(place, state.side, state.sign), self.pays[stayed + right], turned)

    def text(self, state: CorridorState) -> str:
        """The corridor with `@` where the agent is, and the sign and junction as it sees them."""
        place = int(state.place[0])
        cells = ["."] * (self.length + 1)
        cells[0], cells[-1] = "?", "+"
        cells[place] = "@"
        upper, lower = self.ends(state)
        pad = " " * self.length
        return f"{pad}{upper}\n{''.join(cells)}  sign {self.shown(state)}\n{pad}{lower}"

    def ends(self, state: CorridorState) -> tuple[str, str]:
        """What stands above and below the junction; `*` is the goal."""
        return ("*", "-") if int(state.side[0]) == 0 else ("-", "*")

    def shown(self, state: CorridorState) -> str:
        """The sign in words."""
        return ("up", "down")[int(state.side[0])]

    def picture(self, state: CorridorState) -> Image:
        """The T from above: sign, agent, goal in green, [H, W, 3]."""
        wall, side = "#" * self.length, int(state.side[0])
        board = Board((wall + ".G"[side == 0], "S" + "." * self.length, wall + ".G"[side == 1]))
        board.agent((1, int(state.place[0])))
        board.text((0, 0), self.shown(state), size=0.34, fill=(242, 245, 249))
        for row, mark in zip((0, 2), self.ends(state), strict=True):
            if mark.isalpha():
                board.text((row, self.length), mark, size=0.5)
        return board.pixels()


class TMaze(Corridor):
    """A sign at the start says which way to turn at the far end."""

    n_starts = 2
    observation_space = spaces.Discrete(4)  # sign up, sign down, corridor, junction

    def initial(self, event: Array) -> CorridorState:
        """At the sign; the event is the side of the goal."""
        return CorridorState(event * 0, event, event)

    def observe(self, state: CorridorState) -> Array:
        """0 or 1 at the sign, 2 in the corridor, 3 at the junction, [B]."""
        xp = namespace(state.place)
        beyond = 2 + xp.astype(state.place == self.length, xp.int64)
        return xp.where(state.place == 0, state.side, beyond)


def t_maze(*, length: int = 10) -> TMaze:
    """A sign at the start of a corridor says which way to turn at its end (T-maze).

    `length` is the number of steps to the junction. Source: Bakker 2001, section 4.1.
    """
    return TMaze(length)


class MemoryCorridor(Corridor):
    """A shape at the start; of the two at the far end the same one is to be chosen."""

    def __init__(self, length: int, shapes: int) -> None:
        super().__init__(length)
        self.shapes = whole("shapes", shapes, 2, 26)
        pairs = [(i, j) for i in range(shapes) for j in range(shapes) if i != j]
        self.first = np.array([i for i, _ in pairs])  # the shape to look for
        turned = [(*pair, *pair[::-1]) for pair in pairs]
        self.doors = np.array([[pairs.index(t[:2]), pairs.index(t[2:])] for t in turned])  # [pairs, side]
        self.n_starts = 2 * len(pairs)
        self.observation_space = spaces.Discrete(shapes + 1 + len(pairs))

    def initial(self, event: Array) -> CorridorState:
        """At the shape; the event is the side, and which two shapes there are."""
        return CorridorState(event * 0, event % 2, event // 2)

    def observe(self, state: CorridorState) -> Array:
        """The shape at the start, the corridor, or the pair at the junction, upper one first, [B]."""
        xp = namespace(state.place)
        pair = self.shapes + 1 + self.doors[state.sign, state.side]
        beyond = xp.where(state.place == self.length, pair, self.shapes)
        return xp.where(state.place == 0, self.first[state.sign], beyond)

    def shown(self, state: CorridorState) -> str:
        """The shape to look for, as a letter."""
        return chr(ord("A") + int(self.first[state.sign[0]]))

    def ends(self, state: CorridorState) -> tuple[str, str]:
        """The two shapes as letters, the upper one first."""
        upper = int(self.doors[state.sign[0], state.side[0]])
        lower = int(self.doors[state.sign[0], 1 - state.side[0]])
        return chr(ord("A") + int(self.first[upper])), chr(ord("A") + int(self.first[lower]))


def memory_corridor(*, length: int = 8, shapes: int = 3) -> MemoryCorridor:
    """A shape is shown at the start of a corridor; at its end, turn to the same shape of two.

    `length` is the number of steps to the junction; the shapes are numbers from 0 on. It is the task of
    MiniGrid's Memory (Chevalier-Boisvert et al. 2023) without its pictures.
    """
    return MemoryCorridor(length, shapes)
