"""A small model as a graph, its values as colours and its policy as bold arrows (Figure 6.35)."""

from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from rlkit.core.graph import layers
from rlkit.core.mdp import MDP
from rlkit.envs.rendering.graph import (
    MARGIN,
    RADIUS,
    RIM,
    colour,
    draw_arrows,
    draw_states,
    places,
    transitions,
)
from rlkit.plain import label
from rlkit.plot.charts import MOST_LETTERS, heat, legend, number
from rlkit.solvers import Solution

MOST_STATES, MOST_ARROWS, MOST_LABELS = 40, 100, 50
MOST_ACTIONS = 8  # that colours tell apart
INCHES, LARGEST = 1.9, 20.0  # between neighbours, and a side of the picture
LEGIBLE = 14  # letters of a name in a state
NUMBERED = 1.4  # inches between neighbours that leave room for numbers
END = "#f4f6f9"


def fits_a_graph(mdp: MDP) -> bool:
    """Whether its graph is legible: few states and few actions."""
    known = np.concatenate(layers(mdp))
    return len(known) <= MOST_STATES and mdp.n_actions <= MOST_ACTIONS


def draw_graph(figure: Any, solution: Solution) -> None:
    """The states that can be reached, and an arrow for each outcome of a choice.

    Where these are too many, only the best choices have arrows.
    """
    mdp, place = solution.mdp, places(solution.mdp)
    alive = [s for s in place if not mdp.terminal[s]]
    best = {int(solution.choice[s]) for s in alive}
    arrows = transitions(mdp, place)
    if len(arrows) > MOST_ARROWS:
        arrows = [arrow for arrow in arrows if arrow[1] in best]
    size = np.ptp(list(place.values()), axis=0) + 2 * (RADIUS + MARGIN)
    unit = min(INCHES, LARGEST / size.max())
    labels = len(arrows) <= MOST_LABELS and unit > NUMBERED
    figure.set_size_inches(*np.clip(unit * size + (1.2, 1.0), 4.5, None))
    axes = figure.add_subplot()
    scale = heat(figure, axes, [solution.value[s] for s in alive])
    words = {s: f"{label(mdp.state_name(s), LEGIBLE)}\n{number(solution.value[s])}" for s in alive}
    fill = {s: scale(solution.value[s]) for s in alive} | {s: END for s in place if mdp.terminal[s]}
    patches = draw_states(axes, mdp, place, fill, words, unit=unit)
    draw_arrows(axes, mdp, place, patches, arrows, bold=best, labels=labels)
    shown = sorted({int(mdp.action[c]) for _, c, _, _ in arrows})
    lines = [Line2D([], [], color=colour(a), label=label(mdp.action_name(a), MOST_LETTERS)) for a in shown]
    lines += [Line2D([], [], color=RIM, linewidth=2.6, label="the best action")]
    if labels:
        lines += [Line2D([], [], linestyle="none", label="on arrows: probability, reward")]
    legend(figure, lines)
