"""Rooms: grid worlds with headings, hands and partial views, by the rules of MiniGrid."""

from .codes import RoomError
from .engine import Rooms
from .settings import Settings
from .state import Level, RoomState

__all__ = ["Level", "RoomError", "RoomState", "Rooms", "Settings"]
