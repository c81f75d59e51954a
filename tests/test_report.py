"""The parts of the reports that have to be right and not only pretty."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from reports import shown

import rlkit
from rlkit.catalogue import describe, layout, listed
from rlkit.envs.registry import exact
from rlkit.report import environment, environments, number
from rlkit.report.blocks import Column, Curve, Table
from rlkit.report.maps import grid
from rlkit.report.numbers import duration
from rlkit.report.solutions import q_table
from rlkit.report.terminal import Terminal
from rlkit.report.terminal.curve import chart
from rlkit.report.terminal.live import TrainingView
from rlkit.solvers import solve

PACKAGE = Path(rlkit.__file__).parent


def test_only_the_terminal_knows_rich() -> None:
    users = {
        path
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^ *(from|import) rich\b", path.read_text(), re.M)
    }
    assert {path.parent for path in users} == {PACKAGE / "report" / "terminal"}


def test_numbers_for_people() -> None:
    assert number(None) == "–"
    assert number("inf") == "inf"
    assert number("-inf") == "−inf"
    assert number(-0.159) == "−0.159"
    assert number(2.9999999999999996) == "3"
    assert number(0.9651531250000001, 8) == number(0.965153125, 8), "rounding at 1e-16 is not shown"
    assert number(-1.9e-16) == "0"
    assert number(1234567.0) == "1,234,567"


def test_times_for_people() -> None:
    assert [duration(seconds) for seconds in (0.00048, 0.5, 1.07, 2468.13)] == [
        *("0.48 ms", "500 ms", "1.1 s", "2,468.1 s")
    ]


def record(step: int) -> dict[str, float]:
    return {
        "step": step,
        "mean_return": step / 10,
        "mean_length": 3.0,
        "episodes": step,
        "steps_per_second": 50.0,
        "seconds": step / 50,
        "policy_loss": 0.25,
    }


def test_plain_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with TrainingView(Terminal(file=out, width=80), title="t", steps=100) as view:
        for step in (1, 2, 3, 100):
            about = {
                "network": "mlp: as configured",
                "device": "cpu: there is no GPU",
                "settings": "hidden=8",
            }
            view({**record(step), **about})
    assert out.getvalue().splitlines() == [
        "network  mlp: as configured",
        "device   cpu: there is no GPU",
        "options  hidden=8",
        "step 1/100  return 0.1  50 steps/s",
        "step 100/100  return 10  50 steps/s",
    ]


def test_evaluations_and_warnings_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    warning = "vanishing gradient in actor.0, 1e-05 of that in actor.8; try norm=layer"
    with TrainingView(Terminal(file=out, width=80), title="t", steps=100) as view:
        view({**record(10), "eval_return": 7.0, "best_return": 8.0, "best_step": 5, "stopped_early": 0.0})
        view({**record(20), "warnings": [warning]})
        view({**record(30), "warnings": [warning.replace("1e-05", "2e-06")]})
        view({**record(40), "eval_return": 7.0, "stopped_early": 1.0})
    assert out.getvalue().splitlines()[3:] == [
        "step 10/100  return 1  evaluation 7  50 steps/s",
        "step 40/100  return 4  evaluation 7  50 steps/s",
    ], "the last line is that of the stop"
    assert capsys.readouterr().err == f"rlkit: warning: {warning}\n", "once for each layer"


def dashboard(
    width: int, height: int, *records: dict[str, Any], marks: dict[str, float] | None = None
) -> list[str]:
    """The lines of the dashboard after these records."""
    out = io.StringIO()
    console = Terminal(file=out, width=width, height=height, force_terminal=True, color_system=None)
    view = TrainingView(console, title="ppo on exam", steps=4050, marks=marks)
    for one in records:
        view(one)
    view.live = None
    out.seek(0)
    out.truncate()
    console.print(view.panel())
    return out.getvalue().splitlines()


FULL = {
    "network": "mlp: the observation holds no grid",
    "device": "cpu: there is no GPU",
    "settings": "hidden=[64] learning_rate=0.002",
    "warnings": ["vanishing gradient in actor.mlp.layers.0, 1e-05 of that in x; " + "try this and that " * 9]
    * 3,
    "eval_return": 1.5,
    "best_return": 2.5,
    "best_step": 12,
    "stopped_early": 0.0,
    "grad/actor.mlp.layers.0": 1.0,
    **{f"loss_{i}": 0.5 for i in range(12)},
}


def test_the_dashboard_shows_progress_and_time_left() -> None:
    marks = {"optimum": 7.0, "random play": 0.5}
    shown = "\n".join(dashboard(90, 40, record(10), {**record(50), **FULL}, marks=marks))
    for piece in (
        *(
            "ppo on exam",
            "50 / 4,050 steps",
            "1:20 left",
            "policy loss",
            "0.25",
            "evaluation",
            "best so far",
            "2.5",
        ),
        *("╌ optimum", "╌ random play", "mlp: the observation holds no grid", "cpu: there is no GPU"),
        "! 1/3 vanishing gradient in actor.mlp.layers.0",
    ):
        assert piece in shown
    assert "grad/" not in shown


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 20)])
def test_the_dashboard_keeps_its_size(width: int, height: int) -> None:
    first: Any = {**record(1), "mean_return": None, "mean_length": None, "warnings": []}
    pictures = [
        dashboard(width, height, first),
        dashboard(
            width, height, record(1), {**record(4000), **FULL}, marks={"optimum": 400.0, "random play": -1e6}
        ),
    ]
    assert len(pictures[0]) == len(pictures[1]) < height
    assert {len(line) for lines in pictures for line in lines} == {width}


def cells(points: list[tuple[float, float]], **options: Any) -> list[str]:
    curve = Curve(tuple(points), end=4.0, marks=options.get("marks", {}))
    drawn = chart(curve, width=options.get("width", 13), height=2)
    return [line.plain for line in drawn]


def test_a_curve_by_hand() -> None:
    # Four characters and two lines are eight columns and eight rows of dots. The line y = x climbs by a row
    # in every column, each of which also has the dot at which the one before it ended.
    lines = cells([(x / 2, x / 2) for x in range(8)])
    assert lines[0] == "    3.5 ┤  " + braille(left=(3,), right=(2, 3)) + braille(left=(1, 2), right=(0, 1))
    below = (
        braille(left=(3,), right=(2, 3)) + braille(left=(1, 2), right=(0, 1)) + braille(left=(0,), right=())
    )
    assert lines[1] == f"      0 ┤{below} "


def braille(*, left: tuple[int, ...], right: tuple[int, ...]) -> str:
    """The character with dots in these rows, which Unicode numbers 1 2 3 7 and, on the right, 4 5 6 8."""
    dots = [(1, 2, 3, 7)[row] for row in left] + [(4, 5, 6, 8)[row] for row in right]
    return chr(0x2800 + sum(2 ** (dot - 1) for dot in dots))


def test_a_gap_is_bridged_by_a_straight_line() -> None:
    assert cells([(0.0, 0.0), (3.9, 3.5)]) == cells([(x / 2, x / 2) for x in range(8)])


def test_a_mark_far_away_does_not_flatten_the_curve() -> None:
    points = [(0.0, 0.0), (2.0, 1.0)]
    near, far = cells(points, width=40, marks={"best": 2.0}), cells(points, width=40, marks={"best": 2e6})
    assert near[0].startswith("      2 ┤")
    assert near[0].endswith(" best")
    assert far[0].startswith("      1 ┤")
    assert not any("best" in line for line in far)


@pytest.mark.parametrize("width", [24, 40, 50, 60, 70, 80, 130])
def test_names_fold_and_numbers_are_whole_in_a_narrow_terminal(width: int) -> None:
    names = ["hear-left: tiger-left 0.85, tiger-right 0.15", "tiger-left-of-a-name-longer-than-a-line"]
    actions = {"listen": -0.303988, "open left": -45.1519, "open right": 6.65196}
    record = {
        "q": [actions, {**actions, "listen": None}],
        "policy": ["open right", None],
        "values": [6.65196, -123456.0],
        "state_names": names,
        "action_names": list(actions),
        "steps_left": [1000, 2],
        "count": 2,
    }
    table = shown(q_table(record), width)
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= width
    numbers = [
        "1,000",
        "−0.303988",
        "−45.1519",
        "6.65196",
        "6.65196",
        "2",
        "–",
        "−45.1519",
        "6.65196",
        "–",
        "−123456",
    ]
    words = [word.removesuffix(",") for word in table.split()]
    assert [word for word in words if word in numbers] == numbers
    if "─" not in table:
        assert names[1] in "".join(table.split())
    assert ("─" in table) is (width >= 80)


@pytest.mark.parametrize(("width", "lines"), [(60, 1), (46, 1), (30, 3), (22, 0)])
def test_a_column_of_words_is_folded_before_it_is_dropped(width: int, lines: int) -> None:
    columns = (Column("probe", whole=True), Column("mark", whole=True), Column("tests", expendable=1))
    rule = "remember earlier observations"
    table, _, more = shown([Table(columns, (("memory", "✓", rule),))], width).partition("a wider terminal")
    row = [line.removeprefix(" memory  ✓") for line in table.splitlines()[3:] if line.strip()]
    assert ("tests" in table, "tests" in more) == (lines > 0, lines == 0)
    assert " ".join("".join(row).split()) == (rule if lines else "")
    assert len(row) == max(lines, 1)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 130])
def test_columns_are_dropped_and_figures_never_cut(width: int) -> None:
    table = shown(environments({"environments": listed()}), width)
    assert "…" not in table.replace("(…)", "")
    lake = next(line for line in table.splitlines() if line.strip().startswith("FrozenLake "))
    optimum = number(next(r["optimum"] for r in listed() if r["id"] == "rlkit/FrozenLake-v0"), 4)
    assert optimum in lake.split()
    assert len(lake) <= width


@pytest.mark.parametrize("width", [10, 20, 30, 60, 80, 130])
@pytest.mark.parametrize("id", ["rlkit/CliffWalking-v0", "rlkit/GridWorld-v0", "rlkit/FourRoomsCompass-v0"])
def test_a_map_is_never_wider_than_the_terminal_and_no_value_is_cut(id: str, width: int) -> None:
    solution = solve(exact(id))
    mdp = solution.mdp
    names = [None if c < 0 else mdp.action_name(int(mdp.action[c])) for c in solution.choice]
    plan = layout(id)
    assert plan is not None
    record = {"grid": plan, "values": solution.value.tolist(), "policy": names}
    lines = shown([grid(record)], width).splitlines()
    columns = len(plan["rows"][0])
    if columns > width:
        assert "more than this terminal" in " ".join(line.strip() for line in lines)
        return
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if set(line) & set("←→↑↓")]
    assert len(rows) == sum(any(s is not None and names[s] for s in row) for row in plan["cells"])
    walls = sum(row.count("#") for row in plan["rows"])
    assert sum(line.count("#") for line in lines) == walls + bool(walls), "walls, and the legend"
    values = {
        number(solution.value[s], 3) for row in plan["cells"] for s in row if s is not None and names[s]
    }
    words = {word for line in lines for word in line.split()}
    if width >= columns * 8:
        assert values <= words
    assert not {word for word in words if word[0] in "−0123456789"} - values, "a value that is cut"


def test_signs_that_stand_for_the_same_stand_together() -> None:
    text = shown(environment(describe("doorkey5x5")), 200)
    assert ">v<^ you" in text
    assert "L locked door, | closed door" in text


@pytest.mark.parametrize("width", [56, 60, 70, 80, 120])
def test_no_number_of_the_dashboard_is_cut(width: int) -> None:
    settings = "num_envs=64 learning_rate=0.00412 entropy_coef=0.0123 rollout_steps=4096"
    lines = dashboard(width, 30, {**record(4000), **FULL, "settings": settings})
    shown = "\n".join(lines)
    words = [word for line in lines if "options" in line for word in line.split() if "=" in word]
    assert words
    assert set(words) <= set(settings.split())
    names = ("return", "episode length", "episodes", "steps/s", "evaluation", "best so far")
    assert all(name in shown for name in names)
    assert "…" not in shown.replace(" … ", "")
