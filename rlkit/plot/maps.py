"""Values and policies on maps: grid worlds, the town of the taxi, rooms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch, Patch, Polygon, Rectangle

from rlkit.core.mdp import IntArray
from rlkit.envs.grids.grid import STEPS
from rlkit.envs.grids.maps import CLIFF, GOAL, PIT, START, WALL
from rlkit.plot.charts import heat, legend, number
from rlkit.solvers import Solution

Mark = tuple[float, float, str, str]  # x, y, action and ink

COMPASS = {"south": "down", "north": "up", "east": "right", "west": "left"}
KINDS = {START: "start", GOAL: "goal", PIT: "hole", CLIFF: "cliff", WALL: "wall"}
STONE, PAPER, INK, ORANGE, GREEN = "#aab2bd", "#ffffff", "#1f2937", "#f97316", "#2f9e4f"
FILLS = {WALL: STONE, GOAL: GREEN, PIT: "#0a0c12", CLIFF: "#5c4f4d"}  # none of them a colour of values
HEADINGS = tuple(STEPS[way] for way in ("right", "down", "left", "up"))
WAYS = {name: step for name, step in STEPS.items() if name != "stay"}
WAYS |= {name: STEPS[way] for name, way in COMPASS.items()}
NUMBERED = 0.55  # inches of a cell from which there is room for a number
LEGIBLE, LARGEST = 0.3, 24.0  # inches of a cell whose arrow can be seen, and of the whole picture
LABEL = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
MIDDLE = {"ha": "center", "va": "center"}
ARROW = {  # lengths in cells
    **{"angles": "xy", "units": "xy", "scale_units": "xy", "scale": 1, "pivot": "mid"},
    **{"width": 0.07, "headwidth": 3.6, "headlength": 3.6, "headaxislength": 3.2},
}
MOST_STARTS = 4  # that are marked


@dataclass(frozen=True)
class Map:
    """Cells of kinds `rows` [H][W], and the state number of each heading there, [H, W, headings], or -1.

    With four headings these are right, down, left, up. `letters` stand in corners of cells (row, column),
    `walls` on the east side of some; `picture` [.., .., 3] lies below it all.
    """

    rows: Sequence[str]
    states: IntArray
    title: str = ""
    letters: Mapping[tuple[int, int], str] = field(default_factory=dict)
    walls: Sequence[tuple[int, int]] = ()
    picture: npt.NDArray[np.uint8] | None = None


def draw_maps(figure: Any, solution: Solution, maps: Sequence[Map]) -> None:
    """Each map in its own axes, all with the same colours."""
    columns = int(np.ceil(np.sqrt(len(maps))))
    lines = -(-len(maps) // columns)
    height, width = len(maps[0].rows), len(maps[0].rows[0])
    side = columns * max(height, width)
    cell = min(0.9, max(LEGIBLE, (9 if len(maps) == 1 else 12) / side), LARGEST / side)
    figure.set_size_inches(max(4.5, columns * width * cell + 1.6), lines * (height * cell + 0.3) + 1.2)
    axes = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).ravel()
    colours = heat(figure, list(axes), [float(solution.value[s]) for s in _alive(solution, maps)])
    for place, shown in zip(axes, maps, strict=False):
        _draw(place, solution, shown, colours, cell)
    for place in axes:
        place.set_axis_off()
    _explain(figure, solution, maps)


def _draw(axes: Any, solution: Solution, shown: Map, colours: Any, cell: float) -> None:
    """One map: objects, values as colours, the policy as arrows and letters."""
    height, width = len(shown.rows), len(shown.rows[0])
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_title(shown.title, fontsize=9)
    if shown.picture is not None:
        axes.imshow(shown.picture, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    marks: list[Mark] = []
    patches: list[Any] = []
    few = sum(row.count(START) for row in shown.rows) <= MOST_STARTS
    for (r, c), kind in np.ndenumerate(np.array([list(row) for row in shown.rows])):
        states = shown.states[r, c]
        if kind in (WALL, GOAL, PIT, CLIFF):
            patches += _thing(r, c, str(kind))
            if kind != WALL and cell > LEGIBLE:
                axes.text(c, r + 0.02, kind, color="white", weight="bold", fontsize=14 * cell, **MIDDLE)
            continue
        for heading, s in enumerate(states.tolist()):
            if s < 0 or solution.choice[s] < 0:
                continue
            colour, value = colours(solution.value[s]), float(solution.value[s])
            ink = "white" if np.dot(colour[:3], (0.3, 0.59, 0.11)) < 0.5 else INK
            part, x, y = _part(r, c, None if len(states) == 1 else heading, colour)
            patches.append(part)
            action = solution.mdp.action_name(int(solution.policy[s]))
            numbered = len(states) == 1 and cell >= NUMBERED
            marks.append((x, y - 0.12 * numbered, action, ink))
            if numbered:
                axes.text(x, y + 0.34, number(value), color=ink, fontsize=9 * cell, **MIDDLE)
        if kind == START and few:
            rim = {"edgecolor": ORANGE, "facecolor": "none", "linewidth": max(1.5, 3.5 * cell)}
            patches.append(_square(r, c, 0.45, **rim))
    axes.add_collection(PatchCollection(patches, match_original=True))
    _act(axes, marks, ways_of(solution), 0.3 if shown.states.shape[2] == 1 else 0.1, cell)
    for (r, c), letter in shown.letters.items():
        axes.text(c - 0.32, r - 0.3, letter, color=INK, weight="bold", fontsize=7, bbox=LABEL, **MIDDLE)
    for r, c in shown.walls:
        axes.plot([c + 0.5, c + 0.5], [r - 0.5, r + 0.5], color=INK, linewidth=3, solid_capstyle="butt")


def _part(r: int, c: int, heading: int | None, colour: Any) -> tuple[Any, float, float]:
    """A cell, or the quarter of it on the side that the agent faces, and its middle."""
    if heading is None:
        return _square(r, c, 0.5, facecolor=colour, edgecolor="white", linewidth=0.3), float(c), float(r)
    dy, dx = HEADINGS[heading]
    corners = [(c, r), (c + (dx - dy) / 2, r + (dy + dx) / 2), (c + (dx + dy) / 2, r + (dy - dx) / 2)]
    return Polygon(corners, facecolor=colour, edgecolor="white", linewidth=0.5), c + 0.33 * dx, r + 0.33 * dy


def _thing(r: int, c: int, kind: str) -> list[Any]:
    """What is on a cell without a decision, drawn as in films."""
    paper = FILLS[kind] if kind in (WALL, CLIFF) else PAPER
    edge = STONE if kind == WALL else "#d5dbe3"
    ground = _square(r, c, 0.5, facecolor=paper, edgecolor=edge, linewidth=0.3)
    look: dict[str, Any] = {"facecolor": FILLS[kind], "edgecolor": "none"}
    if kind == GOAL:
        box = "round,pad=0.1,rounding_size=0.12"
        return [ground, FancyBboxPatch((c - 0.3, r - 0.3), 0.6, 0.6, boxstyle=box, **look)]
    return [ground, Circle((c, r), 0.4, **look)] if kind == PIT else [ground]


def _square(r: int, c: int, half: float, **style: Any) -> Any:
    return Rectangle((c - half, r - half), 2 * half, 2 * half, **style)


def ways_of(solution: Solution) -> dict[str, tuple[int, int]]:
    """The actions that move, with the rows and columns of a step; left and right may also be turns."""
    names = solution.mdp.action_names or ()
    return {} if "forward" in names else {name: WAYS[name] for name in names if name in WAYS}


def _act(
    axes: Any, marks: Sequence[Mark], ways: Mapping[str, tuple[int, int]], half: float, cell: float
) -> None:
    """Arrows for actions that move, the first letter of others."""
    for ink in ("white", INK):
        arrows = [(x, y, *ways[action]) for x, y, action, own in marks if own == ink and action in ways]
        if not arrows:
            continue
        x, y, dy, dx = np.array(arrows, dtype=float).T
        long = 2 * half / np.hypot(dx, dy)
        axes.quiver(x, y, dx * long, dy * long, color=ink, **ARROW)
    size = (15 if half > 0.2 else 10) * cell
    for x, y, action, ink in marks:
        if action not in ways:
            axes.text(x, y, action[:1].upper(), color=ink, fontsize=size, weight="bold", **MIDDLE)


def _explain(figure: Any, solution: Solution, maps: Sequence[Map]) -> None:
    """A legend of the kinds of cells and of the letters of actions."""
    met = {kind for shown in maps for row in shown.rows for kind in row}
    fills = FILLS | {START: "none"}
    handles: list[Any] = [
        Patch(facecolor=fills[kind], edgecolor=ORANGE if kind == START else "none", linewidth=2, label=name)
        for kind, name in KINDS.items()
        if kind in met
    ]
    done = {solution.mdp.action_name(int(solution.policy[s])) for s in _alive(solution, maps)}
    handles += [
        Line2D([], [], linestyle="none", label=f"{name[:1].upper()}: {name}")
        for name in sorted(done - ways_of(solution).keys())
    ]
    if any(shown.states.shape[2] > 1 for shown in maps):
        handles.append(Line2D([], [], linestyle="none", label="a quarter of a cell: where the agent faces"))
    if handles:
        legend(figure, handles)


def _alive(solution: Solution, maps: Sequence[Map]) -> list[int]:
    """The states on the maps that have a choice."""
    return [s for shown in maps for s in shown.states.ravel().tolist() if s >= 0 and solution.choice[s] >= 0]
