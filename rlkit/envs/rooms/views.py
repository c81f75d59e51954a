"""What the agent sees: the square before it with what walls hide, or the whole map; as numbers or as pixels.

Light goes from row to row of the square, from the agent outwards. What a row shows and what it lets through
to the next depends on two small sets of its cells, those that get light from the row before and those that
block it. A table over all pairs of such sets, kept as bits, makes the occlusion of a batch one look-up a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from gymnasium import spaces

from ...core.arrays import Array, fill_at, namespace
from ...core.model import Holder
from ..wrappers.indicators import indicators
from .codes import AGENT, EMPTY, HEADINGS, N_INDICATORS, N_TYPES, STEPS, UNSEEN, gather, indicated, looks
from .settings import Settings
from .state import RoomState

TILE = 8  # pixels


def view_of(settings: Settings, height: int, width: int) -> View:
    """The view that the settings choose, for maps of this size."""
    if settings.observation == "grid":
        return WholeView(height, width)
    if settings.observation == "grid-one-hot":
        return WholeOneHotView(height, width)
    sight = Sight(settings.view_size, height, width, settings.see_through)
    if settings.observation == "pixels":
        return PixelView(sight)
    return OneHotView(sight) if settings.observation == "one-hot" else PartialView(sight)


class Sight(Holder):
    """The square of side `size` before the agent, which stands in the middle of its nearest row."""

    def __init__(self, size: int, height: int, width: int, see_through: bool) -> None:
        self.size, self.see_through = size, see_through
        self.window = _windows(size, height, width)  # [H * W * 4, size * size], far row first, left to right
        self.passed = np.zeros(0) if see_through else _passed(size)  # [4 ** size]
        bits = np.arange(2**size)[:, None] >> np.arange(size) & 1
        self.shown = (bits * 255).astype(np.uint8)  # [2 ** size, size] bytes that keep what a row shows
        self.weights = (2 ** np.arange(size)).astype(np.float32)  # [size] bits of a row
        self.outside = height * width

    def places(self, state: RoomState) -> Array:
        """The cell of the map that each cell of the square is, [B, size * size]."""
        return gather(self.window, state.cell * len(HEADINGS) + state.heading)

    def codes(self, state: RoomState) -> Array:
        """What lies in the square, what the agent carries in its own place; UNSEEN is 0; [B, size, size]."""
        xp, n = namespace(state.cell), self.size
        place = self.places(state)
        batch = place.shape[0]
        first = xp.arange(batch, device=place.device) * (self.outside + 1)
        place += first[:, None]  # in place: it is large
        codes = xp.reshape(gather(xp.reshape(state.grid, (-1,)), place), (batch, n, n))
        if not self.see_through:
            codes = codes & self._lit(codes)
        codes[:, n - 1, n // 2] = state.carrying
        return codes

    def _lit(self, codes: Array) -> Array:
        """Bytes 255 where light reaches and 0 elsewhere, [B, size, size]."""
        xp, n = namespace(codes), self.size
        opaque = xp.astype(xp.reshape(codes >> 7, (-1, n)), xp.float32)
        blocked = xp.reshape(xp.astype(xp.matmul(opaque, self.weights), xp.int64), (-1, n))
        low, rows = 2**n - 1, []
        light = xp.zeros_like(blocked[:, 0]) + (1 << n // 2 << n)
        for y in reversed(range(n)):
            passed = self.passed[light | blocked[:, y]]
            light = passed & ~low
            rows.append(passed & low)
        return gather(self.shown, xp.stack(rows[::-1], axis=1))


class View(Holder, ABC):
    """What becomes of a state; a holder, so that its tables follow the model to its device."""

    space: spaces.Space[Any]
    partially_observable = True

    @abstractmethod
    def observe(self, state: RoomState) -> Any:
        """The observation of each state."""

    @abstractmethod
    def seen(self, state: RoomState) -> Array:
        """Cells of the map that are seen in the one state of a batch, H * W for those off the map."""


class SquareView(View):
    """What is made of the square before the agent."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    def seen(self, state: RoomState) -> Array:
        """The cells of the square that light reaches."""
        lit = self.sight.codes(state).reshape(-1) != UNSEEN
        return self.sight.places(state)[0][lit]


class PartialView(SquareView):
    """Type, colour and state of each cell of the square, and the heading, as MiniGrid has them."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(sight)
        image = self._image_space(sight.size)
        self.space = spaces.Dict({"image": image, "direction": spaces.Discrete(len(HEADINGS))})

    def _image_space(self, size: int) -> spaces.Space[Any]:
        return spaces.Box(0, N_TYPES - 1, (size, size, 3), np.uint8)

    def observe(self, state: RoomState) -> Any:
        """`image` [B, columns, rows, 3] uint8, the agent last in the middle column; `direction` [B] int64."""
        return {"image": self._image(self.sight.codes(state)), "direction": state.heading}

    def _image(self, codes: Array) -> Array:
        return _symbols(codes)


class OneHotView(PartialView):
    """What lies on each cell of the square as indicators: one for each of `SEEN` and each colour, 16 in all.

    Nothing holds of a cell that is not seen, and a floor is an empty cell with a colour.
    """

    def __init__(self, sight: Sight) -> None:
        super().__init__(sight)
        self.indicators = indicated()

    def _image_space(self, size: int) -> spaces.Space[Any]:
        return indicators(size, size, N_INDICATORS)

    def _image(self, codes: Array) -> Array:
        return gather(self.indicators, namespace(codes).permute_dims(codes, (0, 2, 1)))


class PixelView(SquareView):
    """The square as a picture, 8 pixels a cell, the agent below looking up."""

    def __init__(self, sight: Sight) -> None:
        from .pictures import tiles

        super().__init__(sight)
        self.tiles = tiles(TILE)  # [codes, 8, 8, 3]
        side = sight.size * TILE
        self.space = spaces.Box(0, 255, (side, side, 3), np.uint8)

    def observe(self, state: RoomState) -> Any:
        """Red, green and blue [B, rows, columns, 3] uint8; what is carried hides the agent."""
        n = self.sight.size
        codes = self.sight.codes(state)
        xp = namespace(codes)
        hand = codes[:, n - 1, n // 2]
        codes[:, n - 1, n // 2] = xp.where(hand == EMPTY, xp.full_like(hand, AGENT), hand)
        image = xp.permute_dims(gather(self.tiles, codes), (0, 1, 3, 2, 4, 5))
        return xp.reshape(image, (-1, n * TILE, n * TILE, 3))


class WholeView(View):
    """Type, colour and state of every cell of the map, and in the agent's own its heading as the state."""

    partially_observable = False

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.space = spaces.Box(0, N_TYPES - 1, (width, height, 3), np.uint8)

    def observe(self, state: RoomState) -> Any:
        """[B, W, H, 3] uint8, columns before rows as in MiniGrid; what the agent carries is not shown."""
        xp = namespace(state.cell)
        batch = state.cell.shape[0]
        image = _symbols(xp.reshape(state.grid[:, :-1], (batch, self.height, self.width)))
        heading = xp.astype(state.heading, xp.uint8)
        agent = xp.stack([xp.full_like(heading, AGENT), xp.zeros_like(heading), heading], axis=1)
        rows = xp.arange(batch, device=state.cell.device)
        image[rows, state.cell % self.width, state.cell // self.width] = agent
        return image

    def seen(self, state: RoomState) -> Array:
        """Every cell."""
        return np.arange(self.height * self.width)


class WholeOneHotView(WholeView):
    """What lies on each cell as indicators, and where the agent stands one of four more for its heading."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.space = indicators(width, height, N_INDICATORS + len(HEADINGS))
        self.indicators = np.pad(indicated(), ((0, 0), (0, len(HEADINGS))))  # [codes, 20]

    def observe(self, state: RoomState) -> Any:
        """[B, W, H, 20] uint8, columns before rows."""
        xp = namespace(state.cell)
        batch = state.cell.shape[0]
        codes = xp.reshape(state.grid[:, :-1], (batch, self.height, self.width))
        image = gather(self.indicators, xp.permute_dims(codes, (0, 2, 1)))
        rows = xp.arange(batch, device=state.cell.device)
        place = N_INDICATORS + state.heading
        fill_at(image, (rows, state.cell % self.width, state.cell // self.width, place), 1)
        return image


def _symbols(codes: Array) -> Array:
    """Type, colour and state of codes [B, rows, columns]: [B, columns, rows, 3] uint8."""
    xp = namespace(codes)
    return xp.stack([xp.permute_dims(part, (0, 2, 1)) for part in looks(codes)], axis=-1)


def _windows(size: int, height: int, width: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """For each cell and heading the cells of the square, the one behind the last for those off the map."""
    r, c = np.divmod(np.arange(height * width), width)
    ahead = np.arange(size)[::-1][:, None]  # of the agent, in each row of the square
    aside = np.arange(size) - size // 2  # to its right, in each column
    row, column = np.empty((2, len(r), len(HEADINGS), size, size), dtype=np.int64)
    for heading, (forward, right) in enumerate(zip(STEPS, (*STEPS[1:], STEPS[0]), strict=True)):
        row[:, heading] = r[:, None, None] + forward[0] * ahead + right[0] * aside
        column[:, heading] = c[:, None, None] + forward[1] * ahead + right[1] * aside
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    place = np.where(inside, row * width + column, height * width)
    return place.reshape(-1, size * size)


def _passed(size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What a row does with light: bits of what it shows, and above them of what gets light in the next row.

    The index holds the bits of its cells that block the view, and above them of those that have light. Light
    spreads from a lit cell that does not block to the neighbours beside it and to the three cells beyond.
    """
    index = np.arange(4**size)
    clear, lit, beyond = ~index, index >> size, np.zeros_like(index)
    for order, side in ((range(size - 1), 1), (range(size - 1, 0, -1), -1)):
        for x in order:
            source = lit >> x & clear >> x & 1
            lit = lit | source << x + side
            beyond = beyond | source << x | source << x + side
    return lit | beyond << size
