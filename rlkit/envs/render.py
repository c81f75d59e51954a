"""Pictures and text of a state, drawn without a display."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.graph import layers
from ..core.model import Model
from ..core.table import TableModel
from .drawing import INK, PAPER
from .wrapping import Wrapper

Image = npt.NDArray[np.uint8]

MOST_NODES = 60  # states of an MDP that a graph can still show
TALLEST = 6  # column of nodes; larger graphs are drawn in a circle
ARROWS = {"left": "←", "down": "↓", "right": "→", "up": "↑"}


def picture(model: Model[Any], state: Any, action: int | None) -> Image:
    """An image [H, W, 3] of the one state in the batch: the model's own, else its graph, else its text."""
    model, state = _innermost(model, state)
    if hasattr(model, "picture"):
        drawn: Image = model.picture(state)
        return drawn
    if isinstance(model, TableModel) and model.mdp.n_states <= MOST_NODES:
        return _graph(model, int(state.index[0]), action)
    return _written(text(model, state, action))


def text(model: Model[Any], state: Any, action: int | None) -> str:
    """The one state in the batch as text: the model's own, else its name, else what is seen of it."""
    model, state = _innermost(model, state)
    last = "" if action is None else f"({_action_name(model, action)})\n"
    if hasattr(model, "text"):
        return f"{last}{model.text(state).rstrip()}\n"
    names = model.state_names(state)
    return f"{last}{names[0] if names else _seen(model.observe(state))}\n"


def _innermost(model: Model[Any], state: Any) -> tuple[Model[Any], Any]:
    if isinstance(model, Wrapper):
        return _innermost(model.inner, model.inside(state))
    return model, state


def _seen(observation: Any) -> str:
    if isinstance(observation, dict):
        return "\n".join(f"{name}: {_seen(part)}" for name, part in observation.items())
    if isinstance(observation, tuple):
        return ", ".join(_seen(part) for part in observation)
    return str(observation[0])


def _action_name(model: Model[Any], action: int) -> str:
    name = str(action) if model.action_names is None else model.action_names[action]
    return f"{name} {ARROWS[name]}" if name in ARROWS else name


def _written(words: str) -> Image:
    """Text as an image."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size=20)
    sheet = ImageDraw.Draw(Pillow.new("RGB", (1, 1)))
    _, _, right, bottom = sheet.multiline_textbbox((0, 0), words.rstrip(), font=font)
    image = Pillow.new("RGB", (max(320, int(right) + 48), max(120, int(bottom) + 48)), PAPER)
    ImageDraw.Draw(image).multiline_text((24, 24), words.rstrip(), font=font, fill=INK)
    return np.asarray(image)


def _graph(model: TableModel, here: int, action: int | None) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    last = "" if action is None else f"   after {_action_name(model, action)}"
    axes.set_title(f"{model.mdp.state_name(here)}{last}", fontsize=13)
    _draw_graph(axes, model, here)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _draw_graph(axes: Any, model: TableModel, here: int) -> None:
    """Nodes in columns by their distance from the start, or in a circle; the present one is filled."""
    mdp, columns = model.mdp, layers(model.mdp)
    place = {
        int(s): (float(depth), (len(column) - 1) / 2 - i)
        for depth, column in enumerate(columns)
        for i, s in enumerate(column)
    }
    if max(len(column) for column in columns) > TALLEST:
        turn = 2 * np.pi / len(place)
        place = {s: (2 * np.cos(i * turn), np.sin(i * turn)) for i, s in enumerate(place)}
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
