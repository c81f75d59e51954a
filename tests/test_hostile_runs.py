"""A run folder that somebody sent runs nothing, imports nothing, and overwrites nothing."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from saved_agents import forge

from rlkit.agents import PPO, ConfigError, LoadError, UnsupportedError
from rlkit.cli import main
from rlkit.envs import registry
from rlkit.errors import RlkitError
from rlkit.evaluate import grade
from rlkit.registry import RegistryError
from rlkit.run import checkpoint
from rlkit.run.train import train

SMALL: dict[str, object] = {"hidden": (8,), "num_envs": 4, "rollout_steps": 16}

# What agent.json can say of how its environment is to be made.
HOSTILE: dict[str, dict[str, Any]] = {
    "a factory": {"env_kwargs": {"factory": "cli.agents:check_agent", "agent": "evil:Agent"}},
    "a factory that writes": {"env_kwargs": {"factory": "storage:remove", "path": "victim"}},
    "an entry point": {"env_kwargs": {"entry_point": "evil:Agent"}},
    "a vector entry point": {"env_kwargs": {"vector_entry_point": "evil:Agent"}},
    "an entry": {"env_kwargs": {"entry": {"factory": "cli.agents:check_agent"}, "agent": "evil:Agent"}},
    "a way to vectorise": {"env_kwargs": {"vectorization_mode": "sync", "vector_kwargs": {"a": 1}}},
    "a window": {"env_kwargs": {"render_mode": "human"}},
    "a device": {"env_kwargs": {"device": "meta"}},
    "wrappers": {"env_kwargs": {"wrappers": ["evil:Agent"]}},
    "a module": {"env_id": "evil:rlkit/Exam-v0"},
    "a module of nothing": {"env_id": "evil:Evil-v0"},
    "modules of modules": {"env_id": "os:evil:rlkit/Exam-v0"},
}
COMMANDS = {
    "eval": ["eval", "run", "--episodes", "2"],
    "train --resume": ["train", "--resume", "run", "--steps", "128"],
    "record": ["record", "run", "--out", "film.gif"],
    "play": ["play", "run"],
}


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a run in it, and beside it a module that leaves a trace when it is imported."""
    train("rlkit/Exam-v0", steps=64, overrides=SMALL, out=tmp_path / "run")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('imported').touch()\nclass Agent: pass\n")
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "agent.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    yield tmp_path
    sys.modules.pop("evil", None)


def harmless(folder: Path) -> bool:
    return (
        "evil" not in sys.modules
        and not (folder / "imported").exists()
        and any((folder / "victim").iterdir())
    )


@pytest.mark.filterwarnings("ignore:.*config.json was edited")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", HOSTILE)
def test_no_command_does_what_a_file_says(
    what: str, command: str, sent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forge(checkpoint.latest(sent / "run"), lambda meta: meta.update(HOSTILE[what]))
    config = json.loads((sent / "run" / "config.json").read_text())
    (sent / "run" / "config.json").write_text(json.dumps(config | HOSTILE[what]))
    monkeypatch.setattr(sys, "argv", ["rlkit", *COMMANDS[command]])
    with pytest.raises(SystemExit):
        main()
    assert harmless(sent)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("what", HOSTILE)
def test_no_call_does_what_a_file_says(what: str, sent: Path) -> None:
    forge(checkpoint.latest(sent / "run"), lambda meta: meta.update(HOSTILE[what]))
    for agent in (PPO.load(sent / "run"), checkpoint.load(sent / "run")):
        assert agent.act(0)[0] in (0, 1)
        for use in (agent.evaluate, lambda agent=agent: agent.train(64), lambda agent=agent: grade(agent)):
            with contextlib.suppress(RlkitError):
                use()
    assert harmless(sent)


def test_a_module_is_imported_where_it_is_named(sent: Path) -> None:
    forge(checkpoint.latest(sent / "run"), lambda meta: meta.update(HOSTILE["a module of nothing"]))
    agent = PPO.load(sent / "run")
    with pytest.raises(UnsupportedError, match=r"this run needs the module 'evil'; .*--trust-env evil"):
        agent.evaluate(2)
    agent.save("again")
    assert harmless(sent)
    with pytest.raises(UnsupportedError, match=r"^evil:Evil-v0 cannot be made"):
        PPO.load(sent / "again", trust_env="evil").evaluate(2)
    assert not harmless(sent), "or the tests above see nothing"


def test_a_module_that_cannot_be_imported_is_named(sent: Path) -> None:
    (sent / "broken.py").write_text("1 / 0")
    with pytest.raises(
        LoadError, match=r"'broken' cannot be imported: ZeroDivisionError: division by zero .broken.py:1"
    ):
        checkpoint.load(sent / "run", trust_env=["broken"])


@pytest.mark.parametrize("given", [True, 3, None, [True]])
def test_trust_is_given_by_name(given: Any, sent: Path) -> None:
    with pytest.raises(ConfigError, match="trust_env takes the name of a module, or a list of names, not"):
        PPO.load(sent / "run", trust_env=given)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
@pytest.mark.parametrize("option", ["factory", "entry", "entry_point", "vector_entry_point"])
def test_what_makes_an_environment_is_no_option_of_it(make: Any, option: str) -> None:
    with pytest.raises(RegistryError, match=f"unexpected keyword argument '{option}'"):
        make("rlkit/Exam-v0", **{option: "envs.chains.gambler:gambler"})


@pytest.mark.parametrize("name", ["make_scalar rlkit/Nothing-v0", "build rlkit/Exam-v0"])
def test_entry_points_are_those_of_the_suite(name: str) -> None:
    assert "make_scalar rlkit/Exam-v0" in gymnasium.spec("rlkit/Exam-v0").to_json()
    with pytest.raises(AttributeError):
        getattr(registry, name)


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (".lock", "file"),
        ("metrics.jsonl", "file"),
        ("config.json", "file"),
        ("tensorboard", "folder"),
        ("checkpoints", "folder"),
        ("checkpoints/step-000000000064", "folder"),
        ("checkpoints/step-000000000064/agent.json", "file"),
    ],
)
def test_a_run_is_not_written_through_links(place: str, kind: str, sent: Path, rlkit: Any) -> None:
    """What a link points to is kept: a file of the user's, or another saved agent."""
    at, mine = sent / "run" / place, sent / "mine"
    if at.is_dir():
        shutil.copytree(at, mine)
        shutil.rmtree(at)
    else:
        mine.write_bytes(at.read_bytes() if at.exists() else b"precious")
        at.unlink(missing_ok=True)
    at.symlink_to(mine)
    before = {path: path.read_bytes() for path in [mine, *mine.rglob("*")] if path.is_file()}
    status, _, err = rlkit("train", "--resume", "run", "--steps", "128")
    assert status == 2
    assert f"{at.name} is a link or a device" in err
    assert before == {path: path.read_bytes() for path in [mine, *mine.rglob("*")] if path.is_file()}


def test_a_hard_link_is_not_written_through(sent: Path, rlkit: Any) -> None:
    (sent / "precious").write_text("mine")
    (sent / "run" / ".lock").unlink(missing_ok=True)
    (sent / "run" / ".lock").hardlink_to(sent / "precious")
    assert rlkit("train", "--resume", "run", "--steps", "128")[0] == 2
    assert (sent / "precious").read_text() == "mine"


@pytest.mark.parametrize("name", ["config.json", "checkpoints/step-000000000064/agent.json", "metrics.jsonl"])
def test_a_pipe_is_not_waited_for(name: str, sent: Path, rlkit: Any) -> None:
    (sent / "run" / name).unlink()
    os.mkfifo(sent / "run" / name)
    status, _, err = rlkit("train", "--resume", "run", "--steps", "128")
    assert status == 2
    assert name.rpartition("/")[2] in err
