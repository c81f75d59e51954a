"""Pictures of solutions in a file: maps with policies, the graph of a small model, curves of a large one."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlkit.errors import RlkitError
from rlkit.plain import label
from rlkit.plot.charts import draw_values
from rlkit.plot.graphs import draw_graph, fits_a_graph
from rlkit.plot.layouts import maps_of as maps_of
from rlkit.plot.maps import Map as Map, draw_maps
from rlkit.solvers import Solution

LETTER = 0.095  # inches of a title


class PlotError(RlkitError, ValueError):
    """The picture cannot be written to this file."""


def draw(solution: Solution, path: Path, *, title: str, maps: Sequence[Map] = ()) -> None:
    """Write a `picture` in the format of the file's suffix; raises `PlotError` where it cannot."""
    try:
        picture(solution, title=title, maps=maps).savefig(path, format=path.suffix[1:])
    except (OSError, ValueError) as error:
        raise PlotError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def picture(solution: Solution, *, title: str, maps: Sequence[Map] = ()) -> Figure:
    """Values and policy on `maps`, if any, as a graph if the model is small, else by state number."""
    figure = Figure(dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    if maps:
        draw_maps(figure, solution, maps)
    elif fits_a_graph(solution.mdp):
        draw_graph(figure, solution)
    else:
        draw_values(figure, solution)
    room = int(figure.get_figwidth() / LETTER)
    lines = (part for line in title.split("\n") for part in textwrap.wrap(line, room))
    figure.suptitle("\n".join(label(line, room) for line in lines), fontsize=11)
    return figure
