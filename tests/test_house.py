"""The house stays simple: shallow classes, short modules."""

from pathlib import Path

import pytest

from rlkit.agents import AGENTS, Agent, Learner

PACKAGE = Path(__file__).parents[1] / "rlkit"
MOST_LINES = 400


def levels(kind: type, base: type) -> int:
    """How many classes lie between a class and its base, itself included."""
    return sum(issubclass(between, base) for between in kind.__mro__) - 1


@pytest.mark.parametrize("name", AGENTS)
def test_no_agent_is_more_than_two_levels_below_its_base(name: str) -> None:
    assert levels(AGENTS[name], Agent) <= 2
    assert levels(AGENTS[name].Learner, Learner) <= 2


def test_control_levels_are_counted() -> None:
    assert levels(type("Deep", (AGENTS["ppo"],), {}), Agent) == 3


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lengths) > 100
    assert [str(path) for path, n in lengths.items() if n > MOST_LINES] == []
