"""Code in the documents runs, and does what they say."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import typer

import rlkit
from rlkit import registry
from rlkit.catalogue import describe
from rlkit.cli import app
from rlkit.core import ModelError
from rlkit.core.files import read_model, write_model
from rlkit.solvers import verify

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()


def commands(text: str) -> list[str]:
    """The command lines of rlkit in the shell code of a page, without what is only there to be replaced."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.S | re.M)
    code = "\n".join(block for language, block in blocks if language in ("", "sh"))
    lines = code.replace("\\\n", " ").replace("[ID]", "").splitlines()
    return [line for line in lines if line.startswith("rlkit ")]


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
COMMANDS = [(page.relative_to(ROOT), line) for page in PAGES for line in commands(page.read_text())]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=str)
def test_commands_in_the_documents_can_be_given(page: Path, line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, arguments)


def test_the_readme_has_commands_and_a_wrong_one_is_found() -> None:
    assert sum(page == Path("README.md") for page, _ in COMMANDS) > 10
    with pytest.raises(Exception, match="No such option: --colour"):
        test_commands_in_the_documents_can_be_given(Path(), "rlkit solve exam --colour")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, flags=re.S))
def test_the_code_of_the_readme_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = re.sub(r"steps=\d\d_000", "steps=1024", code)
    exec(code, {"__name__": "readme"})


def test_the_model_of_the_architecture_page_is_an_environment_with_an_optimum() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "architecture.md").read_text(), flags=re.S)
    names = {"__name__": "architecture"}
    exec(code, names)
    rlkit.check_env(gym.make("Ladder-v0"))
    rlkit.check_model(names["Ladder"]())
    solution = rlkit.solve(rlkit.exact("Ladder-v0"))
    assert solution.initial.value == pytest.approx(0.7**3 * 3), (
        "three steps, then stop: 0.7 * 4 is less than 3"
    )
    assert describe("Ladder-v0")["doc"] == [names["Ladder"].__doc__]


def section(title: str) -> dict[str, Any]:
    """What the code of a section of docs/extending.md defines."""
    text = (DOCS / "extending.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    names: dict[str, Any] = {"__name__": "extending"}
    exec("import rlkit\n" + "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.S)), names)
    return names


@pytest.fixture
def own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, known in registry._HOMES.items():
        monkeypatch.setitem(registry._HOMES, kind, dict(known))


def test_a_loop_of_ones_own_learns(own_names: None) -> None:
    found = section("A loop of your own")
    assert found["clock"].steps == 32_000
    assert set(found["metrics"]) > {"policy_loss", "learning_rate"}
    best = rlkit.solve(rlkit.exact("rlkit/Exam-v0"))
    taken = best.q[2 * np.arange(4) + found["action"]]
    assert (taken > best.value[:4] - 0.05).all()


def test_a_solver_method(own_names: None) -> None:
    found = section("A solver method")
    for how in ({"gamma": 0.9}, {"gamma": 0.9, "minimize": True}, {"gamma": 0.0}):
        solution = rlkit.solve(found["lake"], method="anchored", **how)
        assert solution.converged
        assert verify(found["lake"], solution) == []
        assert solution.value == pytest.approx(rlkit.solve(found["lake"], **how).value, abs=1e-6)
    assert found["solution"].sweeps == len(found["sweeps"]) > 100
    slow = rlkit.solve(found["lake"], gamma=1.0, method="anchored", max_sweeps=1_000)
    assert not slow.converged
    assert slow.initial.lower <= 14 / 17 <= slow.initial.upper


def test_a_model_file_format(own_names: None) -> None:
    section("A model file format")
    assert rlkit.solve(read_model("exam.csv.gz")).initial.value == pytest.approx(-0.159)
    Path("bad.csv").write_text("state,action,successor,probability,reward\n0,0,1,1,0\n0,1,x,1,0\n")
    with pytest.raises(ModelError, match=r"^bad\.csv:3: expected state,action"):
        read_model("bad.csv")
    with pytest.raises(ModelError, match=r"^exam\.csv\.gz: no option 'sheet'$"):
        read_model("exam.csv.gz", sheet=1)
    with pytest.raises(ModelError, match=r"game of two players can only be written as \.json or \.npz"):
        write_model(rlkit.exact("rlkit/TicTacToe-v0", opponent=None), "game.csv")


def test_the_pages_of_the_environments_are_those_that_the_gallery_writes() -> None:
    place = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    gallery = importlib.util.module_from_spec(place)
    place.loader.exec_module(gallery)
    for family in gallery.FAMILIES:
        written = DOCS / "environments" / f"{family}.md"
        assert written.read_text() == gallery.page(family), "python docs/gallery.py --pages writes it anew"
