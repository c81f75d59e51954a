"""Rooms: an agent with a heading and a hand among walls, doors, keys, balls and boxes."""

import copy
from collections.abc import Collection, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ...core.arrays import Array, namespace
from ...core.model import Model, Step
from . import pictures
from .codes import EMPTY, GOAL_CODE, HEADINGS, LAVA_CODE, STEPS, WALL_CODE, RoomError, gather
from .rules import MOVES, STEP, SWAP, Deed, Rules
from .settings import Settings
from .state import Level, RoomState
from .views import view_of

GOALS = (("forward", GOAL_CODE),)
ENDS = (*GOALS, ("forward", LAVA_CODE))


class Rooms(Model[RoomState]):
    """Rooms with the rules of MiniGrid, on a pool of levels of one size, each as likely as it is frequent.

    Success pays 1. What hands do never fails. A compass move turns the agent, then steps. `pays` and `ends`
    hold the deeds, verb and code, that are success and that end the episode; `others` names the actions
    besides moves, `idle` those among them that do nothing. Raises `RoomError`.
    Source: Chevalier-Boisvert et al., Minigrid & Miniworld (2023).
    """

    def __init__(
        self,
        levels: Sequence[Level],
        settings: Settings,
        *,
        max_episode_steps: int,
        pays: Collection[Deed] = GOALS,
        ends: Collection[Deed] = ENDS,
        others: Sequence[str] = (),
        idle: Collection[str] = (),
    ) -> None:
        moves = MOVES[settings.move]
        self.max_episode_steps = max_episode_steps
        self.action_names = (*moves, *others)
        self.n_actions = len(self.action_names)
        self.step_reward, self.reward_decay = settings.step_reward, settings.reward_decay
        verbs = ["done" if name in idle else name for name in self.action_names]
        self.rules = Rules(verbs, pays=pays, ends=ends)
        self.n_events, self.chance, self.slipped = _slips(len(moves), self.n_actions, settings.slip)
        self.settings = settings
        self._lay(levels)

    def _lay(self, levels: Sequence[Level]) -> None:
        self.height, self.width = levels[0].grid.shape
        self.outside = self.height * self.width
        distinct: dict[tuple[bytes, tuple[int, int], int], tuple[Level, int]] = {}
        for level in levels:
            _check(level, (self.height, self.width))
            key = (level.grid.tobytes(), level.cell, level.heading)
            distinct[key] = (level, distinct.get(key, (level, 0))[1] + 1)
        pool = [level for level, _ in distinct.values()]
        self.n_starts = len(pool)
        self.start_chance = np.array([count for _, count in distinct.values()]) / len(levels)
        self.layouts = np.array([[*level.grid.reshape(-1), WALL_CODE] for level in pool], dtype=np.uint8)
        self.first_cell = np.array([r * self.width + c for r, c in (level.cell for level in pool)])
        self.first_heading = np.array([level.heading for level in pool])
        self.step = np.array([r * self.width + c for r, c in STEPS])  # [4] how much one step adds to a cell
        self.view = view_of(self.settings, self.height, self.width)
        self.observation_space = self.view.space
        self.partially_observable = self.view.partially_observable

    signs = pictures.NAMES

    def with_levels(self, levels: Sequence[Level]) -> Self:
        """The same task on these levels, which must be of one size."""
        if not levels:
            raise RoomError("levels must hold at least one level")
        other = copy.copy(self)
        other._lay(levels)
        return other

    def start_probs(self) -> Array:
        """How frequent each distinct level is, [n_starts]."""
        return self.start_chance

    def initial(self, event: Array) -> RoomState:
        """The level of that number, hand empty."""
        xp = namespace(event)
        hand = xp.full(event.shape, EMPTY, dtype=xp.uint8, device=event.device)
        return RoomState(self.layouts[event], self.first_cell[event], self.first_heading[event], hand)

    def event_probs(self, state: RoomState, action: Array) -> Array:
        """As wished first, then each of the other moves, [B, n_events]."""
        return gather(self.chance, action)

    def transition(self, state: RoomState, action: Array, event: Array) -> Step[RoomState]:
        """Slip or not, then act."""
        if self.n_events > 1:
            action = self.slipped[action * self.n_events + event]
        return self.act(state, action)

    def act(self, state: RoomState, action: Array) -> Step[RoomState]:
        """Turn, then do to the thing in front what the rules say."""
        xp, rules = namespace(action), self.rules
        heading, front, place, thing = self.facing(state, action)
        case = action * 256 + thing
        needed = rules.needs[case]
        able = (needed == 0) | (needed == state.carrying)
        effect = rules.effect[case] * able
        swap = effect == SWAP
        left = xp.where(swap, state.carrying, xp.where(able, rules.after[case], thing))
        after = RoomState(
            self.written(state.grid, place, left),
            xp.where(effect == STEP, front, state.cell),
            heading,
            xp.where(swap, thing, state.carrying),
        )
        return Step(after, self.step_reward + rules.pays[case] * able, rules.ends[case] & able)

    def facing(self, state: RoomState, action: Array) -> tuple[Array, Array, Array, Array]:
        """Heading after a move, the cell in front, its place in the flattened grids, its code; [B] each."""
        xp = namespace(action)
        heading = self.rules.heading[action * len(HEADINGS) + state.heading]
        front = state.cell + self.step[heading]
        place = self.places(front)
        return heading, front, place, xp.take(xp.reshape(state.grid, (-1,)), place)

    def places(self, cell: Array) -> Array:
        """Where the cells [..., B] are in the flattened grids of a batch."""
        xp = namespace(cell)
        return xp.arange(cell.shape[-1], device=cell.device) * (self.outside + 1) + cell

    def written(self, grid: Array, place: Array, codes: Array) -> Array:
        """Grids with other codes at these places."""
        xp = namespace(grid)
        new = xp.asarray(grid, copy=True)
        xp.reshape(new, (-1,))[place] = codes
        return new

    def observe(self, state: RoomState) -> Any:
        """What the chosen view shows."""
        return self.view.observe(state)

    def seen(self, state: RoomState) -> Array:
        """Cells that the one agent in a batch sees, in no order; those off the map count as H * W."""
        return self.view.seen(state)

    def text(self, state: RoomState) -> str:
        """A map: the agent > v < ^, walls #, goal G, lava ~, doors | / L, keys, balls and boxes k o b."""
        return pictures.text(state, self.height, self.width)

    def picture(self, state: RoomState) -> npt.NDArray[np.uint8]:
        """The map from above, what the agent sees lit up, what it carries on a badge; [H, W, 3]."""
        return pictures.picture(state, self.height, self.width, self.seen(state))


def _slips(n_moves: int, n_actions: int, slip: float) -> tuple[int, Array, Array]:
    """Number of events, their chances [A, E], and the action that each makes of each, [A * E]."""
    if slip == 0:
        return 1, np.ones((n_actions, 1)), np.arange(n_actions)
    action, event = np.arange(n_actions)[:, None], np.arange(n_moves)
    is_move = action < n_moves
    slipped = np.where(is_move, (action + event) % n_moves, action)
    chance = np.where(event == 0, 1 - slip * is_move, slip / (n_moves - 1) * is_move)
    return n_moves, chance, slipped.reshape(-1)


def _check(level: Level, shape: tuple[int, int]) -> None:
    (height, width), (r, c) = shape, level.cell
    if level.grid.shape != shape:
        raise RoomError(f"all levels must be of one size, not {level.grid.shape} and {shape}")
    if not (0 < r < height - 1 and 0 < c < width - 1):
        raise RoomError(f"the agent must begin within the outermost cells, not in row {r}, column {c}")
