"""Pictures and text of a state, drawn without a display."""

from functools import lru_cache
from typing import Any

import numpy as np

from ...core.mdp import MDP
from ...core.model import Model
from ...core.table import TableModel
from ...plain import label
from ..wrappers.base import Wrapper
from .graph import MARGIN, NODE, Place, colour, draw_arrows, draw_states, places, transitions
from .sheet import INK, PAPER, Image

MOST_NODES = 60  # states of an MDP that a graph can still show
MOST_ARROWS, MOST_LABELS = 40, 6  # in all to be drawn, from a state to have numbers
MOST_ACTIONS = 8  # in a legend
WIDTH, LARGEST_UNIT, NODE_SIZE = 6.4, 1.9, 0.3  # inches across, at most between neighbours; radius of a state
NUMBERED, LEGEND = 1.5, 1.4  # inches between neighbours with room for numbers, and of a name in a legend
LETTER, MOST_LETTERS = 0.13, 14  # inches of one in a title, and how many of a name are in a legend
HERE, END = "#e2703a", "#52729c"
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
    from PIL import Image as Pillow, ImageDraw, ImageFont

    font = ImageFont.load_default(size=20)
    sheet = ImageDraw.Draw(Pillow.new("RGB", (1, 1)))
    _, _, right, bottom = sheet.multiline_textbbox((0, 0), words.rstrip(), font=font)
    image = Pillow.new("RGB", (max(320, int(right) + 48), max(120, int(bottom) + 48)), PAPER)
    ImageDraw.Draw(image).multiline_text((24, 24), words.rstrip(), font=font, fill=INK)
    return np.asarray(image)


def _graph(model: TableModel, here: int, action: int | None) -> Image:
    """The graph with the present state filled, and where each choice leads from there."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    mdp, place = model.mdp, _places(model.mdp)
    across, up = np.ptp(list(place.values()), axis=0) + 2 * (NODE_SIZE + MARGIN)
    unit = min(LARGEST_UNIT, WIDTH / across)
    figure = Figure(figsize=(unit * across, unit * up + 0.9), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    last = "" if action is None else f"   after {_action_name(model, action)}"
    axes.set_title(label(f"{mdp.state_name(here)}{last}", int(unit * across / LETTER)), fontsize=15)
    fill = dict.fromkeys(place, NODE) | dict.fromkeys(np.flatnonzero(mdp.terminal).tolist(), END)
    patches = draw_states(axes, mdp, place, fill | {here: HERE}, {}, radius=NODE_SIZE, unit=unit)
    others = transitions(mdp, [s for s in place if s != here])
    if len(others) <= MOST_ARROWS:
        draw_arrows(axes, mdp, place, patches, others, labels=False, pale=True)
    arrows = transitions(mdp, [here])
    numbered = len(arrows) <= MOST_LABELS and unit > NUMBERED
    draw_arrows(axes, mdp, place, patches, arrows, bold=range(mdp.n_choices), labels=numbered)
    if mdp.n_actions <= MOST_ACTIONS:
        names = ((a, label(mdp.action_name(a), MOST_LETTERS)) for a in range(mdp.n_actions))
        lines = [Line2D([], [], color=colour(a), lw=3, label=name) for a, name in names]
        columns = min(len(lines), max(1, int(unit * across / LEGEND)))
        below: dict[str, Any] = {"loc": "outside lower center", "frameon": False}
        figure.legend(handles=lines, fontsize=12, ncols=columns, **below)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


@lru_cache(maxsize=8)
def _places(mdp: MDP) -> dict[int, Place]:
    return places(mdp)


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
