"""Names of agents, backbones, methods and formats: found when asked for, and open to a user's own."""

import sys
from pathlib import Path
from typing import Any

import pytest

from rlkit import registry
from rlkit.registry import RegistryError, find, kinds, names, register


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in kinds():
        monkeypatch.setitem(registry._HOMES, kind, dict(registry._HOMES[kind]))


class Mine:
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
        RegistryError, match="no agent 'value_iteration'; there is a method 'value-iteration'"
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
        ("agent", "dqn", "already"),
    ],
)
def test_what_cannot_be_registered(kind: str, name: Any, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        register(kind, name, Mine)


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
