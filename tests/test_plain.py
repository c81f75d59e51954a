"""Names from files and environments are shown as text: no markup, no links, no commands to the terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sample_files import put

from rlkit import report
from rlkit.core import from_triplets
from rlkit.core.files import write_model
from rlkit.plain import one_line, plain
from rlkit.report.terminal import Terminal
from rlkit.report.terminal.live import TrainingView

LINK = "[link=https://x.org]b[/link]"
NAMES = ("[red]a[/red]", "[/x]", LINK, ":smile:", "\x1b]0;title\x07c", "\x9b31md", "\u202ee")
SHOWN = ("[red]a[/red]", "[/x]", LINK, ":smile:", "]0;titlec", "31md", "e")
OWN = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")  # colours and cursor moves, which rich may send


def shown(*things: object, console: type[Console] = Terminal) -> str:
    stream = io.StringIO()
    console(file=stream, force_terminal=True, width=200, color_system="truecolor").print(*things)
    return stream.getvalue()


@pytest.mark.parametrize(("name", "text"), [*zip(NAMES, SHOWN, strict=True)])
def test_names_are_text_wherever_they_stand(name: str, text: str) -> None:
    table = Table(name)
    table.add_row(Text(name, "bold"))
    for thing in (name, Text(name), table):
        out = OWN.sub("", shown(thing))
        assert text in out
        assert "\x1b" not in out
        assert "\x9b" not in out


def test_a_plain_console_would_pass_them_on() -> None:
    """What the terminal is for: rich's own console reads markup and keeps escape sequences."""
    assert "[red]" not in shown("[red]a[/red]", console=Console)
    assert "\x1b]0;title" in shown(Text(NAMES[4]), console=Console)


def test_halves_of_characters_do_not_stop_the_output(rlkit: Any, tmp_path: Path) -> None:
    """JSON may hold them, and file names that are no UTF-8 do; an output in UTF-8 cannot."""
    mdp = from_triplets([0], [0], [1], [1.0], n_states=2, state_names=["a\ud800b", "c"])
    write_model(mdp, tmp_path / "m.json")
    status, out, _ = rlkit("solve", "m.json")
    assert status == 0
    assert "ab" in out.encode().decode()


def test_lines_stay() -> None:
    assert shown("a\nb\tc").splitlines()[0] == "a"
    assert plain("a\nb\tc\r\x00") == "a\nb\tc"
    assert one_line("a \n  b  c\x1b[31m\n") == "a b  c"


@pytest.fixture
def model(tmp_path: Path) -> Any:
    """A file whose states, actions and labels have such names."""
    n = len(NAMES)
    columns = ([*range(n - 1)], [*range(n - 1)], [*range(1, n)], [1.0] * (n - 1))
    mdp = from_triplets(*columns, n_states=n, state_names=NAMES, action_names=NAMES, labels={NAMES[1]: [1]})
    write_model(mdp, tmp_path / "m.json")
    return "m.json"


def test_solve_shows_the_names_of_a_file(rlkit: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    status, out, err = rlkit("solve", model)
    assert (status, err) == (0, "")
    assert all(text in out for text in SHOWN)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)


@pytest.mark.filterwarnings("always")
def test_errors_and_warnings_are_text(rlkit: Any, model: Any, tmp_path: Path) -> None:
    _, _, err = rlkit("solve", model, "--objective", "reach-prob", "--target", "\x1b[31mgoal")
    assert "no label or state '\\x1b[31mgoal'" in err
    assert "[/x]" in err
    put(tmp_path, "\x1b[31m[x].tra", "nothing")
    put(tmp_path, "\x1b[31m[y].MDP", "states: 1\nactions: 1\nT: 0 identity")
    for name in ("\x1b[31m[x].tra", "\x1b[31m[y].MDP"):
        _, _, err = rlkit("solve", name)
        assert f"{name[5:7]}]" in err
        assert "\x1b" not in err


def test_the_view_of_a_run_shows_its_title() -> None:
    stream = io.StringIO()
    console = Terminal(file=stream, force_terminal=True, width=120, height=40)
    record = {"step": 5, "episodes": 1, "mean_return": 1.0, "mean_length": 2.0, "steps_per_second": 1.0}
    about = {"network": "[/x]", "device": "\x1b]0;t\x07", "settings": "[a]"}
    with TrainingView(console, title="[/x] in [a]\x1b]0;t\x07", steps=10) as view:
        view(record | about | {"warnings": ["[a] is odd\x1b]0;t\x07"]})
    out = OWN.sub("", stream.getvalue())
    assert "[/x] in [a]" in out
    assert "[a] is odd" in out
    assert "\x1b" not in out


def test_reports_of_records_with_such_names() -> None:
    checks = [{"part": name, "findings": [name]} for name in NAMES]
    stream = io.StringIO()
    Terminal(file=stream, force_terminal=True, width=200).show(
        report.findings({"id": NAMES[1], "checks": checks})
    )
    out = OWN.sub("", stream.getvalue())
    assert all(text in out for text in SHOWN)
    assert "\x1b" not in out
