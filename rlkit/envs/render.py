"""Pictures and text of a state, drawn without a display."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.graph import layers
from ..core.model import Model
from ..core.table import TableModel, TableState
from .grid import ARROWS, GOAL, PIT, START, WALL, Grid, GridState
from .wrappers import Wrapper

Image = npt.NDArray[np.uint8]

CELL = 64  # pixels
COLOURS = {
    WALL: (55, 62, 77),
    START: (222, 230, 240),
    GOAL: (118, 190, 130),
    PIT: (52, 73, 110),
}
FREE_COLOUR, LINE, AGENT, AGENT_RIM = (242, 245, 249), (203, 212, 222), (226, 112, 58), (140, 60, 24)


@singledispatch
def picture(model: Model[Any], state: Any, action: int | None) -> Image:
    """An image [H, W, 3] of the one state in the batch: the model's own, else its text."""
    drawn: Image = model.picture(state) if hasattr(model, "picture") else written(text(model, state, action))
    return drawn


@singledispatch
def text(model: Model[Any], state: Any, action: int | None) -> str:
    """The one state in the batch as text: the model's own, else what is seen."""
    last = "" if action is None else f"({_action_name(model, action)})\n"
    return f"{last}{model.text(state) if hasattr(model, 'text') else _seen(model.observe(state))}\n"


@picture.register
def _(model: Wrapper, state: Any, action: int | None) -> Image:
    return picture(model.inner, model.inside(state), action)


@text.register
def _(model: Wrapper, state: Any, action: int | None) -> str:
    return text(model.inner, model.inside(state), action)


def written(words: str) -> Image:
    """Text as an image [H, W, 3]."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size=20)
    left, top, right, bottom = ImageDraw.Draw(Pillow.new("RGB", (1, 1))).multiline_textbbox(
        (0, 0), words.rstrip(), font=font
    )
    size = max(320, int(right - left) + 48), max(120, int(bottom - top) + 48)
    image = Pillow.new("RGB", size, FREE_COLOUR)
    ImageDraw.Draw(image).multiline_text((24, 24), words.rstrip(), font=font, fill=COLOURS[WALL])
    return np.asarray(image)


def _seen(observation: Any) -> str:
    if isinstance(observation, dict):
        return "\n".join(f"{name}: {_seen(part)}" for name, part in observation.items())
    if isinstance(observation, tuple):
        return ", ".join(_seen(part) for part in observation)
    return str(observation[0])


@text.register
def _(model: TableModel, state: TableState, action: int | None) -> str:
    last = "" if action is None else f"({_action_name(model, action)})\n"
    return f"{last}{model.mdp.state_name(int(state.index[0]))}\n"


@text.register
def _(model: Grid, state: GridState, action: int | None) -> str:
    row, column = model.position[int(state.cell[0])]
    last = "" if action is None else f"({_action_name(model, action)} {ARROWS[action]})\n"
    lines = [list(line) for line in model.rows]
    lines[row][column] = "@"
    return last + "\n".join("".join(line) for line in lines) + "\n"


@picture.register
def _(model: Grid, state: GridState, action: int | None) -> Image:
    image = np.concatenate(
        [np.concatenate([_cell(kind) for kind in row], axis=1) for row in model.rows], axis=0
    )
    row, column = model.position[int(state.cell[0])]
    tile = image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    distance = _distance_from_centre()
    tile[distance < 0.30 * CELL] = AGENT_RIM
    tile[distance < 0.26 * CELL] = AGENT
    return image


def _cell(kind: str) -> Image:
    tile = np.empty((CELL, CELL, 3), dtype=np.uint8)
    tile[:] = COLOURS[START] if kind == START else COLOURS[WALL] if kind == WALL else FREE_COLOUR
    if kind == PIT:
        tile[_distance_from_centre() < 0.40 * CELL] = COLOURS[PIT]
    if kind == GOAL:
        tile[6:-6, 6:-6] = COLOURS[GOAL]
    if kind != WALL:
        tile[:1], tile[-1:], tile[:, :1], tile[:, -1:] = LINE, LINE, LINE, LINE
    return tile


def _distance_from_centre() -> npt.NDArray[np.float64]:
    offset = np.arange(CELL) - (CELL - 1) / 2
    distance: npt.NDArray[np.float64] = np.hypot(offset[:, None], offset[None, :])
    return distance


MOST_NODES = 60  # states of an MDP that a picture can still show


@picture.register
def _(model: TableModel, state: TableState, action: int | None) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mdp, here = model.mdp, int(state.index[0])
    figure = Figure(figsize=(6.4, 4.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    last = "" if action is None else f"   after {_action_name(model, action)}"
    axes.set_title(f"{mdp.state_name(here)}{last}", fontsize=13)
    if mdp.n_states <= MOST_NODES:
        _graph(axes, model, here)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _graph(axes: Any, model: TableModel, here: int) -> None:
    """Nodes in columns by their distance from the start, the present one filled."""
    mdp = model.mdp
    place: dict[int, tuple[float, float]] = {}
    for depth, column in enumerate(layers(mdp)):
        for i, s in enumerate(column):
            place[int(s)] = (float(depth), (len(column) - 1) / 2 - i)
    owner = np.repeat(mdp.state_of_choice, np.diff(mdp.choice_ptr))
    for s, t in {(int(s), int(t)) for s, t in zip(owner, mdp.successor, strict=True)}:
        if s in place and t in place and s != t:
            axes.annotate(
                "",
                xy=place[t],
                xytext=place[s],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#9aa7b5",
                    "shrinkA": 19,
                    "shrinkB": 19,
                    "connectionstyle": "arc3,rad=0.08",
                },
            )
    for s, (x, y) in place.items():
        colour = "#e2703a" if s == here else "#52729c" if mdp.terminal[s] else "#dee6f0"
        axes.scatter([x], [y], s=1100, c=colour, edgecolors="#374151", zorder=3)
        ink = "white" if s == here or mdp.terminal[s] else "#1f2937"
        axes.text(x, y, mdp.state_name(s)[:8], ha="center", va="center", fontsize=10, color=ink, zorder=4)
    axes.margins(0.15)


def show(window: Any, frame: Image, *, fps: int) -> Any:
    """Show a frame in a pygame window, opened at the first call; returns the window."""
    import pygame

    height, width = frame.shape[:2]
    if window is None:
        pygame.display.init()
        pygame.display.set_caption("rlkit")
        window = pygame.display.set_mode((width, height))
    window.blit(pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
    pygame.event.pump()
    pygame.display.flip()
    pygame.time.Clock().tick(fps)
    return window


def _action_name(model: Model[Any], action: int) -> str:
    return str(action) if model.action_names is None else model.action_names[action]
