"""Values and best actions by state number, and the colours of values in every picture."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from rlkit.plain import label
from rlkit.solvers import Solution

MOST_NAMES = 12  # of actions on an axis
MOST_LETTERS = 24  # of a name
HANDLE, LETTER = 0.7, 0.075  # inches of a legend
INFINITE = (0.75, 0.75, 0.78, 1.0)  # of values that no colour stands for


def number(x: float) -> str:
    """A value in three digits, a large one as a whole number."""
    return (f"{x:,.0f}" if 1000 <= abs(x) < 1e6 else f"{x:.3g}").replace("-", "−")


def heat(figure: Any, axes: Any, values: Sequence[float]) -> Callable[[float], Any]:
    """The colour of each of `values`, from dark to light, with a bar beside the axes as its key."""
    finite = [v for v in values if np.isfinite(v)] or [0.0]
    scale = ScalarMappable(Normalize(min(finite), max(finite)), colormaps["viridis"])
    if max(finite) > min(finite):
        figure.colorbar(scale, ax=axes, label="value", shrink=0.8, pad=0.02)
    return lambda value: scale.to_rgba(np.array(value)) if np.isfinite(value) else INFINITE


def legend(figure: Any, handles: Sequence[Any]) -> None:
    """A legend below everything, in as many columns as the figure has room for."""
    wide = sum(HANDLE + LETTER * len(handle.get_label()) for handle in handles)
    columns = min(len(handles), max(1, int(len(handles) * 0.9 * figure.get_figwidth() / wide)))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def draw_values(figure: Any, solution: Solution) -> None:
    """The value and the best action of each state that has a choice."""
    mdp = solution.mdp
    states = np.flatnonzero(~mdp.terminal)
    actions = mdp.action[solution.choice[states]]
    figure.set_size_inches(9, 6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    style: dict[str, Any] = {"marker": ".", "linestyle": "none", "markersize": 5 if len(states) < 400 else 2}
    upper.plot(states, np.where(np.isfinite(solution.value[states]), solution.value[states], np.nan), **style)
    upper.set_ylabel("value")
    lower.plot(states, actions, color="#c0392b", **style)
    lower.set_ylabel("best action")
    lower.set_xlabel("state")
    lower.yaxis.set_major_locator(MaxNLocator(MOST_NAMES, integer=True))
    lower.set_ylim(-0.5, mdp.n_actions - 0.5)
    lower.yaxis.set_major_formatter(
        lambda a, _: label(mdp.action_name(int(a)), MOST_LETTERS) if a in range(mdp.n_actions) else ""
    )
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
