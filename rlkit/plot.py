"""Pictures of solutions in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlkit.errors import RlkitError
from rlkit.solvers import Solution

STEPS = {  # column and row by which an action of that name moves
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
}


class PlotError(RlkitError, ValueError):
    """The picture cannot be written to this file."""


def heat_map(solution: Solution, grid: Mapping[str, Any], path: Path, *, title: str) -> None:
    """Draw the values of a grid as colours, with the policy's arrows; the suffix of `path` says the format.

    `grid` is a layout as `catalogue.layout` gives it. Raises `PlotError` for an unknown format.
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mdp, cells = solution.mdp, grid["cells"]
    height, width = len(cells), len(cells[0])
    values = np.full((height, width), np.nan)
    for r, row in enumerate(cells):
        for c, s in enumerate(row):
            if s is not None and not mdp.terminal[s] and grid["rows"][r][c] != "C":
                values[r, c] = solution.value[s]
    size = max(0.35, min(0.9, 9 / max(height, width)))
    figure = Figure(figsize=(width * size + 1.6, height * size + 0.9), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = colormaps["viridis"].with_extremes(bad="#2b303b")
    image = axes.imshow(np.where(np.isfinite(values), values, np.nan), cmap=colours)
    figure.colorbar(image, ax=axes, label="value", shrink=0.85)
    middle = np.nanmean([np.nanmin(values), np.nanmax(values)]) if np.isfinite(values).any() else 0.0
    for r, row in enumerate(cells):
        for c, s in enumerate(row):
            if s is None:
                continue
            if np.isnan(values[r, c]):
                axes.text(c, r, grid["rows"][r][c], ha="center", va="center", color="white", weight="bold")
                continue
            ink = "black" if values[r, c] > middle else "white"
            dx, dy = STEPS.get(mdp.action_name(int(solution.policy[s])), (0, 0))
            if dx or dy:
                axes.annotate(
                    "",
                    xy=(c + 0.3 * dx, r + 0.3 * dy - 0.12),
                    xytext=(c - 0.3 * dx, r - 0.3 * dy - 0.12),
                    arrowprops={"arrowstyle": "-|>", "color": ink},
                )
            if max(height, width) <= 12:
                number = f"{solution.value[s]:.3g}"
                axes.text(c, r + 0.34, number, ha="center", va="center", color=ink, fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(f"{title}: {solution.initial.value:.6g}")
    try:
        figure.savefig(path)
    except ValueError as error:
        raise PlotError(f"{path}: {error}") from None
