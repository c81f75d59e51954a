"""Rooms: grid worlds with headings, hands and partial views, by the rules of MiniGrid."""

from .codes import RoomError
from .engine import Level, Rooms, RoomState
from .settings import Settings

__all__ = ["Level", "RoomError", "RoomState", "Rooms", "Settings"]
