"""Rooms: grid worlds with headings, hands and partial views, by the rules of MiniGrid."""

from .codes import RoomError as RoomError
from .engine import Rooms as Rooms
from .settings import Settings as Settings
from .state import Level as Level, RoomState as RoomState
