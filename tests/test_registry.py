"""Names of agents, backbones, methods and formats: found when asked for, and open to a user's own."""

import sys
from pathlib import Path
from typing import Any

import pytest

from rlkit import exact as exact_model, registry
from rlkit.agents import PPO, Agent
from rlkit.core import ModelError
from rlkit.core.files import Format, read_model, write_model
from rlkit.registry import RegistryError, find, kinds, modules_of, names, register


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in kinds():
        monkeypatch.setitem(registry._HOMES, kind, dict(registry._HOMES[kind]))


class Mine(PPO):
    """Something of a user's own."""


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in kinds() for name in names(kind)])
def test_every_name_is_found(kind: Any, name: Any) -> None:
    assert find(kind, name) is not None


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(RegistryError, match=r"no agent 'dqm'; did you mean 'dqn'\?"):
        find("agent", "dqm")


def test_a_name_of_another_kind_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._HOMES, "method", {"value-iteration": "nowhere:Nothing"})
    with pytest.raises(
        RegistryError, match="no agent 'value_iteration'; 'value-iteration' is one of the methods"
    ):
        find("agent", "value_iteration")


def test_ones_own_is_found_by_name_and_by_place() -> None:
    register("agent", "mine", Mine)
    register("agent", "mine", Mine)
    register("agent", "again", f"{__name__}:Mine")
    assert find("agent", "mine") is find("agent", "again") is find("agent", f"{__name__}:Mine") is Mine


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("agents", "mine", "kind 'agents' is none of .*did you mean 'agent'"),
        ("agent", "a:b", "without a colon"),
        ("agent", "", "without a colon"),
        ("agent", 3, "without a colon"),
        ("agent", "dqn", "^agent 'dqn' is registered already: rlkit.agents.dqn:DQN$"),
        ("method", "auto", "other than auto"),
        ("backbone", "auto", "other than auto"),
        *(("file", name, "a suffix other than .gz") for name in (".CSV", "txt", ".gz", ".tar.csv", ".")),
        ("backbone", "mine", "backbone 'mine' must be a subclass of rlkit.nn.Backbone"),
        ("file", ".mine", "file '.mine' must be an rlkit.core.files.Format"),
    ],
)
def test_what_cannot_be_registered(kind: str, name: Any, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        register(kind, name, Mine)


class NoLearner(PPO):
    """An agent that forgot one part."""

    Learner = None  # type: ignore[assignment]


class OtherConfig(PPO):
    """An agent with a wrong part."""

    Config = dict  # type: ignore[assignment]


@pytest.mark.parametrize("thing", [3, print, dict, NoLearner, OtherConfig, Agent])
def test_what_is_no_agent_is_refused_by_every_door(thing: Any) -> None:
    message = "must be a subclass of rlkit.agents.Agent with Config and Learner; `rlkit check-agent"
    with pytest.raises(RegistryError, match=message):
        register("agent", "other", thing)
    if thing != 3:
        with pytest.raises(RegistryError, match=message):
            find("agent", f"{thing.__module__}:{thing.__qualname__}")


def test_what_is_no_method_is_refused() -> None:
    with pytest.raises(RegistryError, match="method 'third' must be a function"):
        register("method", "third", 3)


def test_modules_are_those_of_a_users_own() -> None:
    register("agent", "mine", Mine)
    given = ["toys:Toy-v0", "rlkit/Exam-v0", "ppo", 3, None, "mine", "toys:Net", "rlkit.agents.ppo:PPO"]
    assert modules_of(given) == ["toys", __name__]


def test_a_format_that_cannot_be_imported_spoils_no_other(tmp_path: Path) -> None:
    register("file", ".lost", "nowhere:LOST")
    write_model(exact_model("rlkit/Exam-v0"), tmp_path / "exam.json")
    with pytest.raises(RegistryError, match="cannot be imported"):
        read_model(tmp_path / "exam.lost")


def fails(*given: object) -> Any:
    raise KeyError("q")


def test_a_format_that_fails_is_one_error_that_names_the_file(tmp_path: Path) -> None:
    register("file", ".mine", Format(fails, fails))
    with pytest.raises(ModelError, match=r"^a.mine: what reads .mine files failed: KeyError: 'q' \(test_reg"):
        read_model(tmp_path / "a.mine")
    with pytest.raises(ModelError, match=r"^b.mine: what writes .mine files failed: KeyError: 'q' \(test_"):
        write_model(exact_model("rlkit/Exam-v0"), tmp_path / "b.mine")


@pytest.mark.parametrize("name", ["no_such_module:X", f"{__name__}:NoSuchClass"])
def test_what_cannot_be_imported_is_named(name: str) -> None:
    with pytest.raises(RegistryError, match=f"agent {name!r} cannot be imported: "):
        find("agent", name)


def test_a_module_that_ends_python_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ends_python.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RegistryError, match="ends_python"):
        find("agent", "ends_python:X")
    sys.modules.pop("ends_python", None)
