"""The pieces of the reports that have to be right and not only pretty."""

import io

from rich.console import Console

from rlkit.report import TrainingView, number


def test_numbers_for_people():
    assert number(None) == "–"
    assert number("inf") == "inf"
    assert number(-0.159) == "−0.159"
    assert number(2.9999999999999996) == "3"
    assert number(-1.9e-16) == "0"
    assert number(1234567.0) == "1,234,567"


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


def test_plain_lines_where_there_is_no_terminal():
    out = io.StringIO()
    with TrainingView(Console(file=out, width=80), title="t", steps=100) as view:
        for step in (1, 2, 3, 100):
            view(record(step))
    lines = out.getvalue().splitlines()
    assert lines == ["step 1/100  return 0.1  50 steps/s", "step 100/100  return 10  50 steps/s"]


def test_the_dashboard_shows_progress_and_time_left():
    out = io.StringIO()
    console = Console(file=out, width=90, force_terminal=True, color_system=None)
    view = TrainingView(console, title="ppo on exam", steps=4050)
    for step in (10, 50):
        view(record(step))
    console.print(view.panel(record(50)))
    shown = out.getvalue()
    for piece in ("ppo on exam", "50 / 4,050 steps", "time left", "1:20", "policy loss", "0.25", "▁█"):
        assert piece in shown
