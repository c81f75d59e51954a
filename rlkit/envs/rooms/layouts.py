"""Generators of levels, one for each task: what MiniGrid's tasks of the same names lay out, drawn anew.

Each takes a random generator and the sizes of its task, which its factory has checked, and returns a level.
"""

from collections.abc import Sequence

import numpy as np

from . import codes
from .codes import STEPS, WALL_CODE, RoomError, code
from .plan import Place, Plan
from .state import Level

Rng = np.random.Generator
Room = tuple[int, int, int, int]  # top, left, height, width, walls included

SIDE, SMALLEST = 25, 4  # of the map of a chain of rooms, and of a room in it
TRIES, ATTEMPTS = 8, 1_000  # to place the next room, and to make a level
PULLS = 4  # steps backwards in time for each cell
HOME, AWAY = codes.GREEN, codes.YELLOW  # colours of boxes on and off their targets


def empty(rng: Rng, size: int, random_start: bool) -> Level:
    """One room, the goal in its far corner."""
    return obstacles(rng, size, 0, random_start)


def four_rooms(rng: Rng, size: int) -> Level:
    """Four rooms around a cross of walls, a gap in each of its arms; agent and goal anywhere."""
    plan, half = Plan(rng, size, size), size // 2
    plan.grid[half, :] = plan.grid[:, half] = WALL_CODE
    for low, high in ((1, half - 1), (half + 1, 2 * half - 1)):
        plan.put((plan.between(low, high), half), codes.EMPTY)
        plan.put((half, plan.between(low, high)), codes.EMPTY)
    plan.enter_somewhere()
    plan.goal(plan.choose(plan.free()))
    return plan.level()


def door_key(rng: Rng, size: int) -> Level:
    """A locked door in a wall; agent and key before it, the goal behind."""
    plan = Plan(rng, size, size)
    wall = plan.between(2, size - 3)
    plan.grid[:, wall] = WALL_CODE
    plan.goal()
    plan.enter_somewhere(columns=slice(wall))
    plan.put((plan.between(1, size - 3), wall), codes.LOCKED, codes.YELLOW)
    plan.put(plan.choose(plan.free(columns=slice(wall))), codes.KEY, codes.YELLOW)
    return plan.level()


def lava_gap(rng: Rng, size: int, thing: int) -> Level:
    """A wall of lava, or of stone, with one gap."""
    plan = Plan(rng, size, size)
    gap = (plan.between(1, size - 2), plan.between(2, size - 3))
    plan.grid[1:-1, gap[1]] = thing
    plan.put(gap, codes.EMPTY)
    plan.goal()
    plan.enter((1, 1))
    return plan.level()


def crossing(rng: Rng, size: int, crossings: int, thing: int) -> Level:
    """Rivers from side to side on even rows and columns, and a way through, one opening in each river."""
    plan = Plan(rng, size, size)
    banks = range(2, size - 2, 2)
    rivers = [(axis, at) for axis in (0, 1) for at in banks]  # axis 0: a row is flooded, 1: a column
    flooded = [rivers[i] for i in rng.permutation(len(rivers))[:crossings]]
    for axis, at in flooded:
        plan.grid[(at, slice(1, -1)) if axis == 0 else (slice(1, -1), at)] = thing
    plan.goal()
    limits = [sorted([0, size - 1, *(at for axis, at in flooded if axis == which)]) for which in (0, 1)]
    room = [0, 0]  # how many rivers of each axis lie behind
    for i in rng.permutation(len(flooded)):
        across = flooded[i][0]
        along = 1 - across
        opening = [0, 0]
        opening[across] = limits[across][room[across] + 1]
        opening[along] = plan.between(limits[along][room[along]] + 1, limits[along][room[along] + 1] - 1)
        plan.put((opening[0], opening[1]), codes.EMPTY)
        room[across] += 1
    plan.enter((1, 1))
    return plan.level()


def memory(rng: Rng, size: int, random_length: bool) -> Level:
    """A thing in a small room, a corridor, and at its end the same thing one way, another the other way."""
    plan, middle = Plan(rng, size, size), size // 2
    end = plan.between(4, size - 3) if random_length else size - 3  # the last column of the corridor
    plan.grid[[middle - 2, middle + 2], 1:5] = WALL_CODE
    plan.grid[[middle - 1, middle + 1], 4 : max(end, 5)] = WALL_CODE
    plan.grid[:, [end, end + 2]] = WALL_CODE
    plan.put((middle, end), codes.EMPTY)
    plan.enter((middle, plan.between(1, end)))
    cue, above = (codes.KEY, codes.BALL)[plan.between(0, 1)], (codes.KEY, codes.BALL)[plan.between(0, 1)]
    plan.put((middle - 1, 1), cue, codes.GREEN)
    plan.put((middle - 2, end + 1), above, codes.GREEN)
    plan.put((middle + 2, end + 1), codes.KEY + codes.BALL - above, codes.GREEN)
    plan.put((middle - 1, end + 1), codes.PRIZE if above == cue else codes.TRAP)
    plan.put((middle + 1, end + 1), codes.TRAP if above == cue else codes.PRIZE)
    return plan.level()


def obstacles(rng: Rng, size: int, balls: int, random_start: bool) -> Level:
    """One room, the goal in its far corner, balls anywhere else."""
    plan = Plan(rng, size, size)
    plan.goal()
    if random_start:
        plan.enter_somewhere()
    else:
        plan.enter((1, 1))
    for _ in range(balls):
        plan.put(plan.choose(plan.free()), codes.BALL, codes.BLUE)
    return plan.level()


def red_blue_doors(rng: Rng, size: int) -> Level:
    """A room between two others, a red door on its left and a blue one on its right."""
    plan, left = Plan(rng, size, 2 * size), size // 2
    plan.room(0, left, size, size)
    plan.enter_somewhere(columns=slice(left, left + size))
    plan.put((plan.between(1, size - 2), left), codes.CLOSED, codes.RED)
    plan.put((plan.between(1, size - 2), left + size - 1), codes.CLOSED, codes.BLUE)
    return plan.level()


def unlock(rng: Rng, size: int) -> Level:
    """Two rooms, a locked door between them, agent and key on its left."""
    plan, wall = Plan(rng, size, 2 * size - 1), size - 1
    plan.grid[:, wall] = WALL_CODE
    (colour,) = plan.colours(1)
    plan.put((plan.between(1, size - 2), wall), codes.LOCKED, colour)
    plan.put(plan.choose(plan.free(columns=slice(wall))), codes.KEY, colour)
    _enter_unhindered(plan, columns=slice(wall))
    return plan.level()


def locked_room(rng: Rng) -> Level:
    """Three rooms on each side of a hall; one is locked and holds the goal, another holds its key."""
    plan = Plan(rng, 19, 19)
    plan.grid[:, [7, 11]] = plan.grid[[6, 12], :7] = plan.grid[[6, 12], 12:] = WALL_CODE
    rooms = [(top, left) for top in (0, 6, 12) for left in (0, 11)]
    colours = plan.colours(len(rooms))
    locked, with_key = (int(i) for i in rng.permutation(len(rooms))[:2])
    for i, (top, left) in enumerate(rooms):
        plan.put((top + 3, left or 7), codes.LOCKED if i == locked else codes.CLOSED, colours[i])
    inside = [(plan.between(top + 1, top + 5), plan.between(left + 1, left + 6)) for top, left in rooms]
    plan.goal(inside[locked])
    plan.put(inside[with_key], codes.KEY, colours[locked])
    plan.enter_somewhere(columns=slice(8, 11))
    return plan.level()


def key_corridor(rng: Rng, size: int, rows: int) -> Level:
    """A corridor between two columns of rooms: a ball in a locked one, its key in one on the other side."""
    step = size - 1
    plan = Plan(rng, rows * step + 1, 3 * step + 1)
    group = {(row, column): (row, column) for row in range(rows) for column in range(3)}
    for row, column in group:
        plan.room(row * step, column * step, size, size)
        group[row, column] = (0, 1) if column == 1 else (row, column)
    for row in range(1, rows):
        plan.grid[row * step, step + 1 : 2 * step] = codes.EMPTY
    doors: list[tuple[Place, Place, Place]] = []  # a room, the next one, and where a door can be between them
    for row, column in group:
        if column < 2:
            at = (row * step + plan.between(1, step - 1), (column + 1) * step)
            doors.append(((row, column), (row, column + 1), at))
        if row < rows - 1 and column != 1:
            at = ((row + 1) * step, column * step + plan.between(1, step - 1))
            doors.append(((row, column), (row + 1, column), at))

    locked = (plan.between(0, rows - 1), 2)
    colour = plan.between(0, 5)
    (entrance,) = [at for _, beyond, at in doors if beyond == locked and at[1] == 2 * step]
    plan.put(entrance, codes.LOCKED, colour)
    group[locked] = (0, 1)
    plan.put(plan.choose(_inside(plan, locked, step)), codes.BALL, plan.between(0, 5))
    plan.put(plan.choose(_inside(plan, (plan.between(0, rows - 1), 0), step)), codes.KEY, colour)
    hall = slice(rows // 2 * step, rows // 2 * step + size)
    _enter_unhindered(plan, rows=hall, columns=slice(step, 2 * step + 1))

    open_doors = [door for door in doors if locked not in door[:2]]
    for i in rng.permutation(len(open_doors)):
        if len(set(group.values())) == 1:
            break
        here, there, at = open_doors[i]
        plan.put(at, codes.CLOSED, plan.between(0, 5))
        group = {room: group[here] if of == group[there] else of for room, of in group.items()}
    return plan.level()


def multi_room(rng: Rng, rooms: int, size: int) -> Level:
    """A chain of rooms with a door from each to the next; the agent in the first, the goal in the last."""
    plan = Plan(rng, SIDE, SIDE, walled=False)
    for _ in range(ATTEMPTS):
        chain, doors = _chain(plan, rooms, size)
        if len(chain) == rooms:
            break
    else:
        raise RoomError(f"{rooms} rooms of up to {size} cells a side do not fit: take fewer rooms or smaller")
    for room in chain:
        plan.room(*room)
    colour = -1
    for at in doors:
        colour = next(c for c in plan.colours(2) if c != colour)
        plan.put(at, codes.CLOSED, colour)
    plan.enter_somewhere(*_region(chain[0]))
    plan.goal(plan.choose(plan.free(*_region(chain[-1]))))
    return plan.level()


def _chain(plan: Plan, count: int, largest: int) -> tuple[list[Room], list[Place]]:
    """Rooms, each behind a door of the one before, until there are enough or the next fits nowhere."""
    height, width = plan.between(SMALLEST, largest), plan.between(SMALLEST, largest)
    chain = [(plan.between(0, SIDE - 3), plan.between(0, SIDE - 3), height, width)]
    doors: list[Place] = []
    came = codes.RIGHT  # the way taken into the last room
    if not _fits(chain[0], []):
        return [], []
    for _ in range(count - 1):
        for _ in range(TRIES):
            way = (came + 3 + plan.between(0, 2)) % 4  # any but back
            at = _door(plan, chain[-1], way)
            height, width = plan.between(SMALLEST, largest), plan.between(SMALLEST, largest)
            top = at[0] - {codes.DOWN: 0, codes.UP: height - 1}.get(way, plan.between(1, height - 2))
            left = at[1] - {codes.RIGHT: 0, codes.LEFT: width - 1}.get(way, plan.between(1, width - 2))
            if _fits((top, left, height, width), chain[:-1]):
                break
        else:
            return chain, doors
        chain.append((top, left, height, width))
        doors.append(at)
        came = way
    return chain, doors


def _door(plan: Plan, room: Room, way: int) -> Place:
    """A place in one wall of a room, corners excepted."""
    top, left, height, width = room
    if way in (codes.DOWN, codes.UP):
        return (top + (height - 1) * (way == codes.DOWN), left + plan.between(1, width - 2))
    return (top + plan.between(1, height - 2), left + (width - 1) * (way == codes.RIGHT))


def _fits(room: Room, others: Sequence[Room]) -> bool:
    """Whether a room lies on the map and shares no cell with others."""
    top, left, height, width = room
    apart = (top + height <= t or t + h <= top or left + width <= x or x + w <= left for t, x, h, w in others)
    return top >= 0 and left >= 0 and top + height <= SIDE and left + width <= SIDE and all(apart)


def _region(room: Room) -> tuple[slice, slice]:
    top, left, height, width = room
    return slice(top, top + height), slice(left, left + width)


def push_box(rng: Rng, size: int, boxes: int, pillars: int) -> Level:
    """Boxes that a walk backwards in time has pulled off their targets, so that they can be pushed home."""
    for _ in range(ATTEMPTS):
        plan = Plan(rng, size, size)
        for _ in range(pillars):
            plan.put(plan.choose(plan.free()), codes.WALL, codes.GREY)
        for _ in range(boxes):
            plan.put(plan.choose(plan.free()), codes.BOX, HOME)
        plan.enter_somewhere()
        for _ in range(PULLS * size * size):
            _pull(plan)
        if not (plan.grid == code(codes.BOX, HOME)).any():
            return plan.level()
    raise RoomError(f"{boxes} boxes and {pillars} pillars leave no room to push on {size} x {size} cells")


def _pull(plan: Plan) -> None:
    """One step of the walk: any way that is free, with the box behind the agent if there is one."""
    plan.heading = plan.between(0, 3)
    (r, c), (dr, dc) = plan.agent, STEPS[plan.heading]
    ahead, behind = (r + dr, c + dc), (r - dr, c - dc)
    if plan.kind_at(ahead) not in (codes.EMPTY, codes.FLOOR):
        return
    if plan.kind_at(behind) == codes.BOX:
        home = plan.grid[behind] == code(codes.BOX, HOME)
        plan.put(plan.agent, codes.BOX, HOME if plan.kind_at(plan.agent) == codes.FLOOR else AWAY)
        plan.grid[behind] = code(codes.FLOOR, HOME) if home else codes.EMPTY
    plan.agent = ahead


def _inside(plan: Plan, room: Place, step: int) -> list[Place]:
    """The empty cells of a room of a raster."""
    top, left = room[0] * step, room[1] * step
    return plan.free(slice(top + 1, top + step), slice(left + 1, left + step))


def _enter_unhindered(plan: Plan, **region: slice) -> None:
    """Place the agent so that nothing but a wall is right in front of it."""
    plan.enter_somewhere(**region)
    while plan.kind_ahead() not in (codes.EMPTY, codes.WALL):
        plan.enter_somewhere(**region)
