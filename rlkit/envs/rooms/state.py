"""What a room is at one moment, and where an episode in it begins."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...core.arrays import Array


@dataclass(frozen=True)
class Level:
    """One layout: what lies where, and where the agent begins."""

    grid: npt.NDArray[np.uint8]  # [H, W] codes
    cell: tuple[int, int]  # row and column of the agent
    heading: int  # 0 right, 1 down, 2 left, 3 up


@dataclass(frozen=True)
class RoomState:
    """What lies on every cell, and where the agent is, looks and carries."""

    grid: Array  # [B, H * W + 1] uint8 codes in reading order; the last cell is the wall around everything
    cell: Array  # [B] int64
    heading: Array  # [B] int64
    carrying: Array  # [B] uint8 code; EMPTY is an empty hand
