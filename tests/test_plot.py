"""Pictures of solutions: what they say, and that what stands on a map can be told apart."""

import errno
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from rlkit.core import from_successors
from rlkit.envs import MDPEnv
from rlkit.envs.grids import taxi
from rlkit.envs.registry import exact
from rlkit.envs.rendering.graph import colour, draw_arrows, draw_states, places, transitions
from rlkit.plot import PlotError, draw, maps_of, picture
from rlkit.solvers import solve


def drawn(id: Any, **options: Any) -> Any:
    """The picture of an environment's solution, its pixels, and its maps."""
    horizon = options.pop("horizon", None)
    model = exact(id, **options)
    solution = solve(getattr(model, "full_information", model), horizon=horizon)
    maps = maps_of(id, options, solution)
    figure = picture(solution, title="a title", maps=maps)
    figure.canvas.draw()
    return figure, np.asarray(figure.canvas.buffer_rgba())[:, :, :3].astype(int), maps


def texts(figure: Any) -> Any:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_exam_is_the_graph_of_figure_6_35() -> None:
    figure, _, _ = drawn("rlkit/Exam-v0")
    said = texts(figure)
    for state, value in (("u0", "−0.159"), ("u1", "0.57"), ("u2", "−1.9"), ("u3", "3")):
        assert f"{state}\n{value}" in said
    assert {"pass", "fail"} <= set(said)
    arrows = sorted(text for text in said if ", " in text)
    ways = ["0.7, −1", "0.3, +1", "0.3, −1", "0.7, +1"]
    ends = ["0.7, +9", "0.3, +11", "0.3, −11", "0.7, −9"]
    assert arrows == sorted([*ways, *ways, "0.7, −1", "0.3, +1", "0.3, −11", "0.7, −9", *ends])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["study", "party"]
    red, green, blue = to_rgb(colour(1))
    assert max(to_rgb(colour(0))) < 0.35
    assert red > 2 * max(green, blue), "party is red, as in the chapter"


def test_no_two_arrows_of_a_graph_lie_on_each_other() -> None:
    from matplotlib.figure import Figure

    for id in ("rlkit/Exam-v0", "rlkit/RiverSwim-v0"):
        mdp = exact(id)
        axes = Figure().add_subplot()
        place = places(mdp)
        patches = draw_states(axes, mdp, place, {}, {})
        draw_arrows(axes, mdp, place, patches, transitions(mdp, place))
        at = np.array([text.get_position() for text in axes.texts[len(place) :]])
        assert len(at) == mdp.n_transitions
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)[~np.eye(len(at), dtype=bool)]
        assert apart.min() > 0.1


def test_states_of_a_graph_do_not_touch() -> None:
    for id in ("rlkit/Exam-v0", "rlkit/RiverSwim-v0", "rlkit/Garnet-v0"):
        at = np.array(list(places(exact(id)).values()))
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)[~np.eye(len(at), dtype=bool)]
        assert apart.min() >= 0.99
    x, y = np.array([places(exact("rlkit/RiverSwim-v0"))[s] for s in range(6)]).T
    assert (np.diff(x) > 0.9).all(), "the river runs from left to right"
    assert not y.any()


def pixel(figure: Any, pixels: Any, axes: Any, row: Any, column: Any) -> Any:
    """The colour beside the middle of a cell, where no letter and no arrow is."""
    x, y = axes.transData.transform((column - 0.3, row - 0.05))
    return pixels[len(pixels) - 1 - round(y), round(x)]


@pytest.mark.parametrize("size", [4, 40])
def test_what_stands_on_a_map_can_be_told_apart(size: int) -> None:
    rows = [["."] * size for _ in range(size)]
    rows[0][0], rows[0][1], rows[1][1], rows[-1][-1] = "SH#G"
    map = "/".join("".join(row) for row in rows)
    figure, pixels, _ = drawn("rlkit/GridWorld-v0", map=map, slip=0.0)
    axes = figure.axes[0]
    seen = {
        name: pixel(figure, pixels, axes, row, column)
        for name, row, column in (
            *(("hole", 0, 1), ("wall", 1, 1), ("goal", size - 1, size - 1)),
            *(("poor", 1, 0), ("rich", size - 1, size - 2)),
        )
    }
    x, y = axes.transData.transform((-0.45, 0))
    seen["start"] = pixels[len(pixels) - 1 - round(y), round(x)]
    for one, other in combinations(seen, 2):
        assert np.abs(seen[one] - seen[other]).max() > 50, (one, other, seen[one], seen[other])
    named = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert named == ["start", "goal", "hole", "wall"]


def test_the_taxi_has_a_map_for_each_errand() -> None:
    figure, _, maps = drawn("rlkit/Taxi-v0")
    assert len(maps) == 4 * 4
    model = taxi.taxi()
    for shown in maps:
        passenger, goal = shown.title.split(", to ")
        state = int(shown.states[2, 3, 0])
        where = "aboard" if passenger == "aboard" else f"at {passenger.removeprefix('from ')}"
        assert model.mdp.state_name(state) == f"taxi (2,3), passenger {where}, to {goal}"
    said = texts(figure)
    assert (said.count("P"), said.count("D")) == (12, 4)
    assert [m.title for m in maps_of("Taxi-v4", {}, None)] == [m.title for m in maps]


def test_rooms_have_a_map_for_what_an_episode_makes_of_them() -> None:
    figure, _, maps = drawn("rlkit/DoorKey5x5-v0", levels=1, observation="grid", horizon=250)
    assert [shown.title for shown in maps] == [
        *("1. with empty hands", "2. with the yellow key", "3. with the yellow key")
    ]
    assert {"F", "L", "R", "P", "T"} <= set(texts(figure)), "left and right are turns, not ways to go"


def test_a_large_model_is_a_curve_of_named_actions() -> None:
    figure, _, maps = drawn("rlkit/Gambler-v0")
    assert maps == []
    upper, lower = figure.axes
    assert len(upper.lines[0].get_xdata()) == 99
    assert "stake 51" not in (ticks := [label.get_text() for label in lower.get_yticklabels()])
    assert {"stake 1", "stake 11"} <= set(ticks)


def test_infinite_values_have_a_colour_of_their_own() -> None:
    def stuck(s: Any) -> Any:
        return (
            {}
            if s == "end"
            else {"stay": [(1.0, s, -1.0)]}
            if s == "trap"
            else {
                "left": [(1.0, "trap", 0.0)],
                "right": [(1.0, "end", 1.0)],
            }
        )

    solution = solve(from_successors(stuck, {"start": 0.5, "trap": 0.5}))
    figure = picture(solution, title="x")
    figure.canvas.draw()
    assert "trap\n−inf" in texts(figure)


def test_parts_of_a_graph_that_are_not_connected_lie_apart() -> None:
    corridor = exact("rlkit/TMaze-v0").full_information
    place = places(corridor)
    at = np.array(list(place.values()))
    apart = np.linalg.norm(at[:, None] - at[None], axis=2)[~np.eye(len(at), dtype=bool)]
    assert apart.min() > 0.9
    heights = {
        name: {round(y, 3) for s, (_, y) in place.items() if s % 2 == k} for k, name in enumerate("ab")
    }
    assert len(heights["a"]) == len(heights["b"]) == 1
    assert heights["a"] != heights["b"]


def test_nothing_of_a_narrow_picture_is_cut() -> None:
    figure = picture(solve(exact("rlkit/Inventory-v0")), title="words of a long title " * 12)
    figure.canvas.draw()
    for part in (figure._suptitle, *figure.legends):
        box = part.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


NAMES = {
    r"$x^2$": r"\$x^2\$",
    r"$\frac{$": r"\$\frac{\$",
    "cost 5$": r"cost 5\$",
    "a\nb\tc": "a b c",
    "\x1b[31mred\x1b[0m\0\ud800": "red",
    "x" * 300: f"{'x' * 13}…",
    "": "",
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_names_are_text_in_pictures_too(name: Any) -> None:
    """No formulae, no control characters, and no more letters than there is room for."""
    ways = {f"{name}{i}"[-400:]: [(1.0, "end", float(i))] for i in range(2)}
    mdp = from_successors(lambda s: {} if s == "end" else ways if s == name else {}, name)
    figure = picture(solve(mdp), title=f"of {name}\nbelow")
    figure.canvas.draw()
    assert f"{NAMES[name]}\n1" in texts(figure)
    (legend,) = figure.legends
    assert figure._suptitle.get_text().endswith("\nbelow")
    assert legend.get_window_extent().width <= figure.bbox.width
    env = MDPEnv(mdp, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().ndim == 3


def test_the_sea_is_a_map() -> None:
    _, _, maps = drawn("rlkit/DeepSea-v0", n=5)
    assert len(maps) == 1
    assert (maps[0].states[..., 0] >= 0).sum() == 15


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(figure: Figure, path: Path, **how: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    solution = solve(exact("rlkit/Exam-v0"))
    with pytest.raises(PlotError, match=r"nowhere/x.png: No such file or directory$"):
        draw(solution, tmp_path / "nowhere" / "x.png", title="")
    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(PlotError, match=r"x.png: No space left on device$"):
        draw(solution, tmp_path / "x.png", title="")
