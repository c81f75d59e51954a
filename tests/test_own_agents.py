"""An algorithm of the user's own that is wrong: one line that says what and where."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rlkit.check.agents import check_agent
from rlkit.envs.registry import resolve
from rlkit.errors import AgentError
from rlkit.registry import RegistryError, locate

MODULE = """
import torch
from rlkit.agents import PPO

class Own(PPO):
    name = "own"
    class Learner(PPO.Learner):
        {method}
            {body}
"""
SETS = [f"--set={setting}" for setting in ("hidden=8", "num_envs=4", "rollout_steps=16")]
FAULTS = [
    ("targett", "NameError: name 'targett' is not defined (own_agents.py:9)"),
    ("raise SystemExit(3)", "SystemExit: 3 (own_agents.py:9)"),
    ("torch.ones(2) @ torch.ones(3)", "(own_agents.py:9)"),
]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What writes the module with one method of the learner, and gives the class."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(body: str, method: str = "def update(self, batch):") -> Any:
        (tmp_path / "own_agents.py").write_text(MODULE.format(method=method, body=body))
        return locate("agent", "own_agents:Own")

    yield write
    sys.modules.pop("own_agents", None)


@pytest.mark.parametrize(("body", "what"), FAULTS)
def test_an_update_that_fails_is_found(body: str, what: str, own: Any, rlkit: Any) -> None:
    own(body)
    status, _, err = rlkit("train", "exam", "--agent", "own_agents:Own", "--steps", "64", *SETS)
    assert (status, err.count("\n")) == (2, 1)
    assert "the training stopped after step 0: " in err
    assert what in err


@pytest.mark.parametrize("method", ["def update(self, batch):", "def build(self, encoder, generator):"])
@pytest.mark.parametrize(("body", "what"), FAULTS)
def test_check_agent_says_where_it_failed(body: str, what: str, method: str, own: Any) -> None:
    (line,) = check_agent(own(body, method), probes=["action"]).failures
    assert what in line


@pytest.mark.parametrize(("body", "what"), FAULTS)
def test_a_network_that_cannot_be_built_is_found(body: str, what: str, own: Any, rlkit: Any) -> None:
    own(body, "def build(self, encoder, generator):")
    status, _, err = rlkit("train", "exam", "--agent", "own_agents:Own", "--steps", "64", *SETS)
    assert (status, err.count("\n"), what in err) == (2, 1, True)


def few(agent: Any) -> Any:
    return agent("rlkit/Exam-v0", hidden=(8,), num_envs=4, rollout_steps=16, device="cpu")


def test_figures_of_an_update_may_be_numbers(own: Any) -> None:
    metrics: list[Any] = []
    few(own("return {'loss': 0.5, 'one': torch.ones(1)}")).train(
        64, callback=lambda agent, found: metrics.append(found)
    )
    assert (metrics[-1]["loss"], metrics[-1]["one"]) == (0.5, 1.0)


@pytest.mark.parametrize("returned", ["None", "3.0", "{'loss': torch.ones(2)}", "{'loss': 'low'}"])
def test_what_is_no_figure_is_refused(returned: str, own: Any) -> None:
    with pytest.raises(AgentError, match="update of own must return numbers by name, not"):
        few(own(f"return {returned}")).train(64)


def test_options_are_listed_by_a_command_that_works(own: Any, rlkit: Any) -> None:
    own("return {}")
    command = ("train", "exam", "--agent", "own_agents:Own", "--steps", "64", "--set", "target_k=1")
    status, _, err = rlkit(*command)
    assert (status, "`rlkit agents own_agents:Own` lists them" in err) == (2, True), err
    assert rlkit("agents", "own_agents:Own")[0] == 0


def test_a_module_that_fails_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad_module.py").write_text("\nimport nothing_of_this_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    where = r"No module named 'nothing_of_this_name' \(bad_module.py:2\)"
    with pytest.raises(RegistryError, match=where):
        locate("agent", "bad_module:X")
    with pytest.raises(RegistryError, match=where):
        resolve("bad_module:X-v0")
    (tmp_path / "bad_module.py").write_text("raise SystemExit(3)")
    with pytest.raises(RegistryError, match=r"importing 'bad_module' failed: SystemExit: 3 \(bad_"):
        resolve("bad_module:X-v0")
