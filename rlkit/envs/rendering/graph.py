"""An MDP drawn as a graph: where its states lie, and an arrow for each way that a choice may turn out."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.graph import layers
from ...core.mdp import MDP
from ...plain import label

Place = tuple[float, float]
Transition = tuple[int, int, int, int]  # state, choice, successor, and its number
FloatArray = npt.NDArray[np.float64]

COLOURS = ("#1f2937", "#c0392b", "#1f6fb2", "#2e8b57", "#d98e04", "#7d4fa8", "#0f9b9b", "#8c5a3c")  # actions
PALE, RIM, NODE = "#b8c2cd", "#374151", "#dee6f0"
RADIUS = 0.2  # of a state, where neighbours are at least 1 apart
MARGIN = 0.55  # around all states, where loops lie
LETTERS, MOST_LETTERS = 14.0, 10  # largest size of a name, and how much of it is shown
APART = 0.26  # bend between two arrows from one state to the same other
FLAT = 0.1  # height of a graph, of its width, that is drawn as a line
DENSE = 2.5  # neighbours a state, from which a circle says more than any other place


def places(mdp: MDP) -> dict[int, Place]:
    """Where each state that can be reached lies, neighbours at least 1 apart.

    Columns by distance from the start where no state is met twice, a circle where nearly everything is
    connected, else distances as in the graph (Kamada and Kawai, 1989), the long side across, parts that are
    not connected below each other.
    """
    import networkx

    columns = layers(mdp)
    known = np.concatenate(columns)
    graph = networkx.DiGraph()
    graph.add_nodes_from(known.tolist())
    graph.add_edges_from((int(s), int(t)) for s, _, t, _ in transitions(mdp, known) if s != t)
    if networkx.is_directed_acyclic_graph(graph):
        return _in_columns(graph, columns)
    number = sorted(known.tolist())
    if graph.to_undirected().number_of_edges() > DENSE * len(number):
        turn = 2 * np.pi / len(number)
        radius = max(1.0, 0.55 / np.sin(turn / 2))
        return {s: (-radius * np.cos(i * turn), radius * np.sin(i * turn)) for i, s in enumerate(number)}
    place: dict[int, Place] = {}
    bottom = 0.0
    for part in sorted(networkx.weakly_connected_components(graph), key=min):
        at = _by_distance(graph.to_undirected().subgraph(part))
        top = max(y for _, y in at.values())
        place |= {s: (x, y - top + bottom) for s, (x, y) in at.items()}
        bottom = min(y for _, y in place.values()) - 1 - MARGIN
    return place


def _by_distance(graph: Any) -> dict[int, Place]:
    """A connected graph laid out as far apart as states are from each other, from left to right."""
    import networkx

    found, number = networkx.kamada_kawai_layout(graph), sorted(graph)
    if len(number) == 1:
        return {number[0]: (0.0, 0.0)}
    at = np.array([found[s] for s in number])
    _, _, axes = np.linalg.svd(at - at.mean(axis=0))
    at = (at - at.mean(axis=0)) @ axes.T
    at[:, 1] *= np.ptp(at[:, 1]) > FLAT * np.ptp(at[:, 0])
    at *= np.where(np.arange(len(number)) @ at < 0, -1, 1)  # small numbers to the left, and below
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2)
    at /= gaps[gaps > 0].min()
    return {s: (float(x), float(y)) for s, (x, y) in zip(number, at, strict=True)}


def _in_columns(graph: Any, columns: Sequence[npt.NDArray[Any]]) -> dict[int, Place]:
    """Each column ordered by where its states are reached from, so that few arrows cross."""
    place: dict[int, Place] = {}
    for x, column in enumerate(columns):
        came = {
            int(s): np.mean([place[t][1] for t in graph.predecessors(int(s)) if t in place] or [0.0])
            for s in column
        }
        ordered = sorted(came, key=lambda s: (-came[s], s))
        place |= {s: (1.25 * x, (len(ordered) - 1) / 2 - i) for i, s in enumerate(ordered)}
    return place


def transitions(mdp: MDP, states: Iterable[int]) -> list[Transition]:
    """All that may follow from some states."""
    return [
        (int(s), c, int(mdp.successor[k]), k)
        for s in states
        for c in range(mdp.state_ptr[s], mdp.state_ptr[s + 1])
        for k in range(mdp.choice_ptr[c], mdp.choice_ptr[c + 1])
    ]


def draw_states(
    axes: Any,
    mdp: MDP,
    place: Mapping[int, Place],
    fill: Mapping[int, Any],
    words: Mapping[int, str],
    *,
    radius: float = RADIUS,
    unit: float = 1.9,
) -> dict[int, Any]:
    """Discs with names, squares where an episode ends; the patches, for arrows to end at.

    `words` stand in place of a name; `unit` is how many inches there are between neighbours.
    """
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Circle, FancyBboxPatch

    patches: dict[int, Any] = {}
    for s, (x, y) in place.items():
        style = {"facecolor": fill.get(s, NODE), "edgecolor": RIM, "zorder": 3, "linewidth": 1.2}
        if mdp.terminal[s]:
            half = 0.8 * radius
            box = f"round,pad={radius - half},rounding_size=0.05"
            patches[s] = FancyBboxPatch((x - half, y - half), 2 * half, 2 * half, boxstyle=box, **style)
        else:
            patches[s] = Circle((x, y), radius, **style)
        axes.add_patch(patches[s])
        ink = "white" if np.dot(to_rgb(style["facecolor"]), (0.3, 0.59, 0.11)) < 0.5 else "#1f2937"
        text = words.get(s, label(mdp.state_name(s), MOST_LETTERS))
        size = min(LETTERS, 180 * radius * unit / max([2, *map(len, text.splitlines())]))
        axes.text(x, y, text, ha="center", va="center", fontsize=size, color=ink, zorder=4)
    for limit, at in zip((axes.set_xlim, axes.set_ylim), np.array(list(place.values())).T, strict=True):
        limit(at.min() - radius - MARGIN, at.max() + radius + MARGIN)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return patches


def draw_arrows(
    axes: Any,
    mdp: MDP,
    place: Mapping[int, Place],
    patches: Mapping[int, Any],
    shown: Sequence[Transition],
    *,
    bold: Collection[int] = (),
    labels: bool = True,
    pale: bool = False,
) -> None:
    """An arrow for each transition, coloured by action, with its probability and reward.

    Those of the choices in `bold` are strong, the others thin, and all are grey if `pale`; without `labels`
    what is likelier is wider.
    """
    pairs = Counter((s, t) for s, _, t, _ in shown)
    drawn: Counter[tuple[int, int]] = Counter()
    middle_height = np.mean([y for _, y in place.values()])
    for s, c, t, k in shown:
        i, n = drawn[s, t], pairs[s, t]
        drawn[s, t] += 1
        width = (2.2 if c in bold else 0.9) * (1.0 if labels else 0.4 + mdp.probability[k])
        style = {"color": PALE if pale else colour(int(mdp.action[c])), "linewidth": width}
        if s == t:
            outwards = 1 if place[s][1] >= middle_height else -1
            at = _loop(axes, place[s], i, outwards, patches[s], style)
        else:
            middle = -0.5 if pairs[t, s] else (n - 1) / 2  # the two directions bend to two sides
            bend, along = (i - middle) * APART, 0.42 + 0.16 * (i % 2)
            at = _arrow(axes, place[s], place[t], bend, (patches[s], patches[t]), style, along)
        if labels:
            reward = mdp.reward[c] if mdp.transition_reward is None else mdp.transition_reward[k]
            paid = f", {_signed(reward)}" if reward else ""
            axes.text(
                *at,
                f"{mdp.probability[k]:.3g}{paid}",
                color=style["color"],
                weight="bold" if c in bold else "normal",
                ha="center",
                va="center",
                fontsize=8,
                zorder=2.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
            )


def _arrow(
    axes: Any,
    start: Place,
    end: Place,
    bend: float,
    ends: tuple[Any, Any],
    style: dict[str, Any],
    along: float,
) -> Place:
    """A bent arrow between two patches; a place on it, so far along."""
    _draw_arrow(axes, start, end, bend, patchA=ends[0], patchB=ends[1], shrinkB=1, **style)
    p, q = np.array(start), np.array(end)
    middle = (p + q) / 2 + bend * np.array([q[1] - p[1], p[0] - q[0]])
    x, y = (1 - along) ** 2 * p + 2 * along * (1 - along) * middle + along**2 * q
    return float(x), float(y)


def _draw_arrow(axes: Any, start: Place, end: Place, bend: float, **style: Any) -> None:
    from matplotlib.patches import FancyArrowPatch

    shape: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 11, "connectionstyle": f"arc3,rad={bend}"}
    axes.add_patch(FancyArrowPatch(start, end, shrinkA=0, zorder=2, **shape, **style))


def _signed(reward: float) -> str:
    words = f"{reward:+,.0f}" if abs(reward) >= 1000 else f"{reward:+.3g}"
    return words.replace("-", "−")


def _loop(axes: Any, at: Place, number: int, outwards: int, patch: Any, style: dict[str, Any]) -> Place:
    """An arrow from a state to itself, the third and fourth on the inner side; a place on it."""
    x, y = at
    side = outwards * (1, -1)[number // 2 % 2]
    size = 1 + 0.6 * (number % 2) + 0.3 * (number // 4)
    out = 0.13
    edge = y + side * np.sqrt(patch.radius**2 - out**2)
    _draw_arrow(axes, (x - out, edge), (x + out, edge), -2.2 * side * size, shrinkB=0, **style)
    return x, float(edge + side * 0.29 * size)


def colour(action: int) -> str:
    """The colour of an action's arrows."""
    return COLOURS[action % len(COLOURS)]
