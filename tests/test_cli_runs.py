"""`rlkit train`, `eval` and `record` on run folders: what they keep, import, and say of what goes wrong."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from saved_agents import tensors_of

from rlkit import storage
from rlkit.cli import learning
from rlkit.errors import RlkitError
from rlkit.run import checkpoint

SETS = [f"--set={setting}" for setting in ("hidden=8", "num_envs=4", "rollout_steps=16")]
TRAIN = ("train", "exam", "--steps", "256", "--out", "run", *SETS)

MODULE = """
import gymnasium

class Toy(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
    taken = 0

    def __init__(self, bonus=0.0, fails=False, lost=False, render_mode=None):
        self.bonus, self.fails, self.lost, self.render_mode = bonus, fails, lost, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.lost:
            raise RuntimeError("no simulator")
        return 0, {}

    def step(self, action):
        Toy.taken += 1
        if self.fails and Toy.taken > 300:
            raise RuntimeError("the simulator is gone")
        return 1, 1.0 + self.bonus, True, False, {}

    def render(self):
        import numpy
        return numpy.zeros((64, 64, 3), numpy.uint8)

gymnasium.register("Toy-v0", Toy)
"""


@pytest.fixture
def toy(rlkit: Any, tmp_path: Path) -> Iterator[Any]:
    """A run on an environment of a module that the current folder has, and that nobody has imported since."""
    import gymnasium

    (tmp_path / "toys.py").write_text(MODULE)
    path = list(sys.path)
    status, _, err = rlkit("train", "toys:Toy-v0", "--steps", "256", "--out", "run", *SETS)
    assert status == 0, err

    def forget() -> None:
        sys.path[:] = path
        sys.modules.pop("toys", None)
        gymnasium.registry.pop("Toy-v0", None)

    forget()
    yield rlkit
    forget()


@pytest.mark.filterwarnings("ignore:.*no state of")
@pytest.mark.parametrize(
    "command",
    [
        ("eval", "run", "--episodes", "4"),
        ("train", "--resume", "run", "--steps", "512"),
        ("record", "run", "--out", "film.gif"),
    ],
)
def test_the_module_of_a_run_is_imported_where_it_is_named(command: Any, toy: Any) -> None:
    status, _, err = toy(*command)
    assert status == 2
    assert err.count("\n") == 1
    assert err == (
        "rlkit: this run needs the module 'toys'; if you trust it, "
        "add --trust-env toys (trust_env='toys' in Python)\n"
    )
    assert "toys" not in sys.modules
    status, _, err = toy(*command, "--trust-env", "nothing_here")
    assert (status, err) == (
        2,
        "rlkit: the module 'nothing_here' cannot be imported: No module named 'nothing_here'\n",
    )
    assert toy(*command, "--trust-env", "toys")[0] == 0


def test_options_of_the_environment_are_changed_for_an_evaluation(toy: Any) -> None:
    _, out, _ = toy("eval", "run", "--json", "--episodes", "4", "--trust-env", "toys")
    assert json.loads(out)["mean_return"] == 1.0
    command = ("eval", "run", "--json", "--episodes", "4", "--trust-env", "toys", "--env")
    _, out, _ = toy(*command, "bonus=2")
    assert json.loads(out)["mean_return"] == 3.0
    status, _, err = toy(*command, "bons=2")
    assert status == 2
    assert err.startswith("rlkit: Toy-v0 cannot be made: ") or err.startswith(
        "rlkit: toys:Toy-v0 cannot be made: "
    )
    assert err.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*no state of")
def test_an_environment_that_raises_is_one_line_that_says_how_to_resume(toy: Any) -> None:
    status, _, err = toy(
        "train", "toys:Toy-v0", "--steps", "2048", "--out", "gone", "--env", "fails=true", *SETS
    )
    assert status == 2
    assert err.count("\n") == 1
    assert "RuntimeError: the simulator is gone" in err
    last = checkpoint.latest(Path("gone"))
    again = "resume with: rlkit train --resume gone --trust-env toys\n"
    assert err.endswith(f"the last good checkpoint is {last}; {again}")


@pytest.mark.filterwarnings("ignore:.*no state of")
def test_every_command_that_is_printed_names_the_module(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rlkit import evaluate
    from rlkit.report.terminal.live import TrainingView

    _, out, _ = toy("train", "toys:Toy-v0", "--steps", "256", "--out", "two words", *SETS)
    graded = "rlkit eval 'two words' --trust-env toys"
    assert out.endswith(f"saved in two words; grade it again with: {graded}\n")
    command = ("train", "toys:Toy-v0", "--steps", "2048", *SETS)

    def interrupt(*given: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    def refused(*given: Any) -> None:
        raise RlkitError("step failed")

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "grade_record", interrupt)
        status, _, err = toy(*command)
        assert (status, err.endswith("grade it with: rlkit eval runs/Toy-v0-ppo-0 --trust-env toys\n")) == (
            130,
            True,
        )
    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "grade_record", refused)
        status, _, err = toy(*command, "--out", "other")
        again = "saved in other, but not graded; grade it with: rlkit eval other --trust-env toys"
        assert (status, err.endswith(f"{again}\nrlkit: step failed\n")) == (2, True)
    monkeypatch.setattr(TrainingView, "__call__", interrupt)
    status, _, err = toy(*command)
    assert (status, err.endswith("rlkit train --resume runs/Toy-v0-ppo-0-2 --trust-env toys\n")) == (
        130,
        True,
    )
    status, _, err = toy("train", "--resume", "runs/Toy-v0-ppo-0-2", "--trust-env", "toys")
    assert (status, err.endswith("rlkit train --resume runs/Toy-v0-ppo-0-2 --trust-env toys\n")) == (
        130,
        True,
    )


def test_nothing_is_left_of_a_run_that_learned_nothing(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    for out in ("none", "mine"):
        broken = ("train", "toys:Toy-v0", "--steps", "256", "--out", out, "--env", "lost=true", *SETS)
        status, _, err = toy(*broken)
        assert status == 2
        assert err.startswith("rlkit: reset of Toy-v0 failed: RuntimeError: no simulator")
        assert err.endswith("; nothing was learned\n")
    assert not (tmp_path / "none").exists()
    assert (tmp_path / "mine" / "notes.txt").exists()


def test_a_folder_without_a_name_is_taken_at_once_and_given_back(rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "Exam-v0-ppo-0").mkdir(parents=True)  # of a training that was started just before
    command = ("train", "exam", "--steps", "256", "--json")
    assert rlkit(*command, "--set", "nope=1")[0] == rlkit(*command, "--steps", "7.5")[0] == 2
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["Exam-v0-ppo-0"]
    assert json.loads(rlkit(*command)[1])["run"] == "runs/Exam-v0-ppo-0-2"
    assert learning._new_folder("Exam-v0-ppo-0") == Path("runs/Exam-v0-ppo-0-3")
    assert learning._new_folder("Exam-v0-ppo-0") == Path("runs/Exam-v0-ppo-0-4")


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("train exam --steps 9 --out |", "--out"),
        ("train exam --out=", "--out="),
        ("solve exam --plot= --json", "--plot="),
        ("record exam --out |", "--out"),
        ("eval |", "eval"),
    ],
)
def test_an_empty_path_is_refused(rlkit: Any, command: str, what: str, tmp_path: Path) -> None:
    status, out, err = rlkit(*(word.strip("|") for word in command.split()))
    assert (status, out, err) == (2, "", f"rlkit: what follows {what} is empty\n")
    assert not list(tmp_path.iterdir())


FILMED = """
import gymnasium

class Toy(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 1, 1.0, True, False, {}

class Declared(Toy):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

class Nothing(Declared):
    def render(self):
        return None

class Dependent(Declared):
    def render(self):
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed, run pip")

class Exits(Declared):
    def render(self):
        import numpy
        return numpy.zeros((64, 64, 3), numpy.uint8)

    def step(self, action):
        raise SystemExit(7)

class Unmade(Declared):
    def __init__(self, render_mode=None):
        raise SystemExit(3)

for toy in (Toy, Declared, Nothing, Dependent, Exits, Unmade):
    gymnasium.register(f"Filmed{toy.__name__}-v0", toy)
"""
NO_PICTURES = "it does not render rgb_array"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Toy", NO_PICTURES),
        ("Declared", NO_PICTURES),
        ("Nothing", NO_PICTURES),
        ("Dependent", "pygame is not installed, run pip"),
        ("Exits", "SystemExit: 7"),
        ("Unmade", "SystemExit: 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*RGB-array rendering")
def test_what_cannot_be_filmed_is_one_line(name: str, why: Any, rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "filmed.py").write_text(FILMED)
    id = f"filmed:Filmed{name}-v0"
    status, _, err = rlkit("record", id, "--policy", "random")
    assert status == 2
    assert err.startswith(f"rlkit: {id} cannot be filmed: {why}")
    assert err.count("\n") == 1


def test_a_policy_is_of_an_environment_alone(rlkit: Any) -> None:
    rlkit(*TRAIN)
    status, _, err = rlkit("record", "run", "--policy", "random")
    assert (status, err) == (2, "rlkit: policy 'random' does not apply: run is a run, which has its own\n")


def test_an_environment_that_exits_is_named(rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "filmed.py").write_text(FILMED)
    for name, why in (
        ("Exits", "step of FilmedExits-v0 failed: "),
        ("Unmade", "filmed:FilmedUnmade-v0 cannot be made: "),
    ):
        status, _, err = rlkit("train", f"filmed:Filmed{name}-v0", "--steps", "64", "--out", "run", *SETS)
        assert status == 2
        assert err.startswith(f"rlkit: {why}SystemExit: ")
        assert err.count("\n") == 1
        status, out, _ = rlkit("check", f"filmed:Filmed{name}-v0")
        assert status == 3
        assert "raised SystemExit: " in out


def test_checkpoints_are_kept_as_asked(rlkit: Any, tmp_path: Path) -> None:
    rlkit(*TRAIN, "--keep", "3", "--checkpoint-every", "64")
    assert [p.name[-3:] for p in storage.checkpoints(tmp_path / "run")] == ["128", "192", "256"]
    rlkit("train", "--resume", "run", "--steps", "512", "--keep", "1")
    assert [p.name[-3:] for p in storage.checkpoints(tmp_path / "run")] == ["512"]
    status, _, err = rlkit(*TRAIN[:-3], "--keep", "0")
    assert (status, err) == (2, "rlkit: keep must be at least 1, not 0\n")


def test_modules_are_trusted_for_a_run_alone(rlkit: Any) -> None:
    status, _, err = rlkit(*TRAIN, "--trust-env", "os")
    assert status == 2
    assert "--trust-env does not apply: without --resume the ID names the module, as MODULE:ID" in err


@pytest.mark.filterwarnings("always:.*the checkpoint before it")
def test_a_damaged_checkpoint_is_said_and_the_one_before_it_graded(rlkit: Any, tmp_path: Path) -> None:
    rlkit(*TRAIN, "--checkpoint-every", "128")
    os.truncate(tensors_of(checkpoint.latest(tmp_path / "run")), 100)
    status, out, err = rlkit("eval", "run", "--json", "--episodes", "4")
    assert (status, json.loads(out)["steps"]) == (0, 128)
    assert err.startswith("rlkit: warning: run/checkpoints/step-000000000256/tensors-")
    assert err.endswith("; the checkpoint before it is used, step-000000000128\n")


def test_a_run_in_use_is_one_line(rlkit: Any, tmp_path: Path) -> None:
    rlkit(*TRAIN)
    with checkpoint.alone(tmp_path / "run"):
        status, _, err = rlkit("train", "--resume", "run", "--steps", "512")
    assert (status, err) == (2, "rlkit: run is in use by this process\n")


AGENT = """
from rlkit.agents import PPO

class Own(PPO):
    name = "own"

helper = 1
"""


def test_an_agent_of_the_users_own_is_trained_graded_resumed_and_filmed(rlkit: Any, tmp_path: Path) -> None:
    (tmp_path / "own_agents.py").write_text(AGENT)
    path = list(sys.path)
    status, out, err = rlkit(*TRAIN, "--agent", "own_agents:Own")
    assert status == 0, err
    assert "own on rlkit/Exam-v0" in out
    assert out.endswith("grade it again with: rlkit eval run --trust-env own_agents\n")
    sys.path[:] = path
    sys.modules.pop("own_agents")
    for command in (
        ("eval", "run", "--episodes", "4"),
        ("train", "--resume", "run", "--steps", "512"),
        ("record", "run", "--out", "film.gif"),
    ):
        status, _, err = rlkit(*command)
        assert status == 2
        assert "it needs the module 'own_agents'; if you trust it, add --trust-env own_agents" in err
        assert "own_agents" not in sys.modules, "a file chooses no code"
    for command in (("eval", "run", "--episodes", "4"), ("train", "--resume", "run", "--steps", "512")):
        assert rlkit(*command, "--trust-env", "own_agents")[0] == 0
    assert type(checkpoint.load("run")) is sys.modules["own_agents"].Own
    assert checkpoint.load("run").steps == 512
    sys.path[:] = path
    sys.modules.pop("own_agents")
