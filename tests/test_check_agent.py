"""`check_agent` and `rlkit check-agent` on a user's own agents: what passes, what fails, bad references."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from rlkit import cli
from rlkit.check import ProtocolError, check_agent
from rlkit.errors import ConfigError


class Table:
    """The least that can be checked: a table of mean rewards, for one-step problems with discrete numbers."""

    def __init__(self, env: Any, *, seed: Any) -> None:
        spaces_ = env.single_observation_space, env.single_action_space
        if not all(isinstance(space, spaces.Discrete) for space in spaces_):
            raise NotImplementedError("a table needs numbers")
        self.env, self.rng = env, np.random.default_rng(seed)
        self.total, self.count = np.zeros((2, *(int(space.n) for space in spaces_)))

    def train(self, steps: Any) -> None:
        obs, _ = self.env.reset(seed=0)
        over = np.zeros(self.env.num_envs, bool)
        for _ in range(steps // self.env.num_envs):
            action = self.rng.integers(self.env.single_action_space.n, size=self.env.num_envs)
            after, reward, terminated, truncated, _ = self.env.step(action)
            np.add.at(self.total, (obs[~over], action[~over]), reward[~over])
            np.add.at(self.count, (obs[~over], action[~over]), 1)
            obs, over = after, terminated | truncated

    def act(self, obs: Any, state: Any = None) -> Any:
        return (self.total / np.maximum(self.count, 1))[obs].argmax(-1), None


class Random(Table):
    def act(self, obs: Any, state: Any = None) -> Any:
        return self.rng.integers(self.env.single_action_space.n, size=len(obs)), None


class Valued(Table):
    def __init__(self, env: Any, *, seed: Any, gamma: Any) -> None:
        super().__init__(env, seed=seed)

    def value(self, obs: Any) -> Any:
        return np.full(len(obs), 0.25)


def test_an_agent_of_thirty_lines_passes_what_it_is_made_for() -> None:
    report = check_agent(Table, probes=["action"])
    assert report.passed
    assert [cell.verdict for cell in report.cells] == ["passed"]


def test_a_random_agent_fails() -> None:
    report = check_agent(Random, probes=["action"])
    assert not report.passed
    (line,) = report.failures
    assert line.startswith("action (next_step, model): the greedy return is ")
    assert line.endswith(", must be 1; the rule: prefer the action that pays")


def test_wrong_values_fail() -> None:
    (line,) = check_agent(Valued, probes=["constant"]).failures
    assert line.startswith("constant (next_step, model): V(start) is 0.25, must be 1; the rule: the last")


def test_a_refusal_is_no_failure() -> None:
    report = check_agent(Table, probes=["box"])
    assert [(cell.verdict, cell.findings) for cell in report.cells] == [
        ("refused", ("a table needs numbers",))
    ]
    assert report.failures == ()
    assert not report.passed  # nothing was compared


def test_what_an_agent_raises_is_a_failure() -> None:
    class Broken(Table):
        def train(self, steps: Any) -> None:
            raise RuntimeError("no\nidea")

    (line,) = check_agent(Broken, probes=["action"]).failures
    assert "raised RuntimeError: no idea" in line


def test_settings_steps_and_verdicts_are_passed_on() -> None:
    class Told(Table):
        def __init__(self, env: Any, *, seed: Any, rate: int = 0) -> None:
            super().__init__(env, seed=seed)
            seen.append(rate)

        def train(self, steps: Any) -> None:
            seen.append(steps)
            super().train(steps)

    seen: list[Any] = []
    cells: list[Any] = []
    report = check_agent(Told, probes=["action"], settings={"rate": 7}, steps=80, on_cell=cells.append)
    assert seen == [7, 80]
    assert tuple(cells) == report.cells


def test_a_user_s_agent_that_is_called_like_one_of_rlkit_s_is_not_tuned_like_it() -> None:
    class PPO(Table):
        name = "ppo"

    assert check_agent(PPO, probes=["action"]).passed


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: np.zeros(n, int), "act must return a pair (action, state), not a ndarray"),
        (lambda n: (np.zeros(n, int), None, {}), "act must return a pair (action, state), not 3 things"),
        (lambda n: (np.zeros((n, 1), int), None), "act must return actions (128,) for 128 observations"),
        (lambda n: (0, None), "act must return actions (128,) for 128 observations"),
    ],
)
def test_what_act_returns_is_checked(answer: Any, message: str) -> None:
    class Wrong(Table):
        def act(self, obs: Any, state: Any = None) -> Any:
            return answer(len(obs))

    with pytest.raises(ProtocolError) as error:
        check_agent(Wrong, probes=["action"])
    assert str(error.value).startswith(f"on the probe action, {message}")


def test_values_of_a_wrong_shape_are_refused() -> None:
    class Wrong(Valued):
        def value(self, obs: Any) -> Any:
            return 0.0

    with pytest.raises(ProtocolError, match=r"value must return \[1\] numbers, not \[\]"):
        check_agent(Wrong, probes=["constant"])


class Bare:
    def __init__(self, env: Any, *, seed: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (Bare, {}, ProtocolError, "Bare has no method train"),
        (3, {}, ProtocolError, "3 is neither a class nor a function"),
        (dict, {}, ProtocolError, "dict must be called as dict(env, seed=...)"),
        (lambda env: None, {}, ProtocolError, "seed=...)"),
        (Table, {"probes": ["nope"]}, ConfigError, "no probe 'nope'; the probes are constant, "),
        (
            Table,
            {"interfaces": ["nope"]},
            ConfigError,
            "no interface 'nope'; the interfaces are model, sync, torch",
        ),
        (Table, {"settings": {"x": 1}}, ConfigError, "Table takes no 'x'"),
        (Table, {"backbones": ["gru"]}, ConfigError, "Table takes no 'backbone'"),
    ],
)
def test_what_is_no_agent_is_refused_in_one_line(make: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as found:
        check_agent(make, **options)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


# The command.

MODULE = """
from typing import Any

import numpy as np
from gymnasium import spaces

{source}

number = 3
"""


@pytest.fixture
def rlkit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Any]:
    """Run a command line in a folder with a module `mine`; returns exit status, stdout and stderr."""
    import inspect

    source = "\n\n".join(inspect.getsource(agent) for agent in (Table, Random))
    (tmp_path / "mine_of_the_test.py").write_text(MODULE.format(source=source))
    (tmp_path / "broken_of_the_test.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*args: Any) -> Any:
        monkeypatch.setattr(sys, "argv", ["rlkit", "check-agent", *args])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out = capsys.readouterr()
        return stop.value.code, out.out, out.err

    yield run
    for name in ("mine_of_the_test", "broken_of_the_test"):
        sys.modules.pop(name, None)


def test_the_command_shows_ticks_and_says_what_was_refused(rlkit: Any) -> None:
    status, out, _ = rlkit("mine_of_the_test:Table", "--probe", "action", "--probe", "box")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "✓" in rows["action"]
    assert "refused" in rows["box"]
    assert "refused box: a table needs numbers" in out
    assert "1 passed, 1 refused" in out


def test_the_command_says_what_failed_and_exits_3(rlkit: Any) -> None:
    status, out, _ = rlkit("mine_of_the_test:Random", "--probe", "action")
    assert status == 3
    assert "✗ action (next step, model): the greedy return is" in out


def test_the_command_as_json(rlkit: Any) -> None:
    status, out, _ = rlkit("mine_of_the_test:Random", "--probe", "action", "--json", "--steps", "8")
    record = json.loads(out)
    assert status == 3
    assert record["agent"] == "Random"
    assert record["passed"] is False
    (cell,) = record["cells"]
    assert (cell["probe"], cell["verdict"], cell["backbone"]) == ("action", "failed", None)


def test_the_command_knows_the_agents_of_rlkit(rlkit: Any) -> None:
    status, out, _ = rlkit("ppo", "--probe", "match", "--backbone", "mlp", "--set", "minibatches=2")
    assert status == 0
    assert "1 passed" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nowhere_at_all:X",), "'nowhere_at_all:X' cannot be imported: No module named 'nowhere_at_all'"),
        (("broken_of_the_test:X",), "'broken_of_the_test:X' cannot be imported: ZeroDivisionError: "),
        (
            ("mine_of_the_test:Nope",),
            "imported: AttributeError: module 'mine_of_the_test' has no attribute 'Nope'",
        ),
        (("mine_of_the_test:number",), "mine_of_the_test:number is not a class, but 3"),
        (("nope",), "no agent 'nope'; the agents are a2c, "),
        (("mine_of_the_test:spaces",), "mine_of_the_test:spaces is not a class, but <module"),
        (("fractions:Fraction",), "Fraction must be called as Fraction(env, seed=...)"),
        (("mine_of_the_test:Table", "--probe", "nope"), "no probe 'nope'"),
        (("mine_of_the_test:Table", "--set", "x=1"), "Table takes no 'x'"),
        (("mine_of_the_test:Table", "--backbone", "gru"), "Table takes no 'backbone'"),
        (
            ("ppo", "--backbone", "nope", "--probe", "match"),
            "no backbone 'nope'; the backbones are ",
        ),
        (("rlkit.agents:Agent",), "Agent is abstract"),
    ],
)
def test_bad_references_give_one_line_and_exit_2(rlkit: Any, args: Any, message: str) -> None:
    status, out, err = rlkit(*args)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
