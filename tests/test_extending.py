"""Environments, backbones and algorithms of the user's own, with the code of docs/extending.md."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import rlkit
from rlkit.agents import AGENTS, PPO
from rlkit.check.agents import check_agent
from rlkit.check.model import model_findings
from rlkit.envs import make_torch, register
from rlkit.envs.registry import make
from rlkit.nn import Encoder, NetworkConfig, build
from rlkit.registry import RegistryError, find, locate
from rlkit.run import checkpoint
from rlkit.trees import flat

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
CODE = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, flags=re.S))
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
WALK = "My/Walk-v0"


def forget() -> None:
    """What was imported from the page."""
    from rlkit.envs import registry

    for name in CODE:
        sys.modules.pop(name, None)
    gym.registry.pop(WALK, None)
    registry._ENTRIES.pop(WALK, None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the modules of the page, which Python does not search."""
    for name, code in CODE.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield tmp_path
    forget()


@pytest.fixture
def modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the modules of the page, which can be imported."""
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def walk(modules: Path) -> Any:
    return locate("agent", "my_worlds:Walk")


def test_an_environment_has_every_interface(walk: Any) -> None:
    rlkit.check_env(gym.make(WALK), steps=50)
    rlkit.check_model(walk(), steps=20)
    rlkit.check_vector_env(gym.make_vec(WALK, 3, length=3), steps=20)
    batches = [gym.make_vec(WALK, 3, sticky=0.5), make_torch(WALK, 3, "cpu", sticky=0.5)]
    taken = np.random.default_rng(0).integers(2, size=(60, 3))
    seen = []
    for env in batches:
        env.reset(seed=1)
        seen.append([[np.asarray(part) for part in env.step(action)[:4]] for action in taken])
    assert seen[0][0][0].dtype == np.int64
    assert all(np.array_equal(a, b) for x, y in zip(*seen, strict=True) for a, b in zip(x, y, strict=True))
    assert gym.make(WALK).spec.max_episode_steps == 50


def test_an_environment_has_an_exact_model_with_its_options_and_the_common_ones(walk: Any) -> None:
    assert rlkit.solve(rlkit.exact(WALK, length=8)).initial.value == pytest.approx(-7)
    assert rlkit.exact(WALK, sticky=0.25).n_observations == 5
    with pytest.raises(RegistryError, match=r"did you mean 'length'.*common ones: illegal, sticky"):
        make(WALK, lenght=3)


def test_commands_take_it(modules: Path, rlkit: Any) -> None:
    code, out, _ = rlkit("solve", f"my_worlds:{WALK}", "--env", "length=8")
    assert (code, "−7" in out or "-7" in out) == (0, True)
    code, out, _ = rlkit("envs", f"my_worlds:{WALK}")
    assert (code, "Walk to the right end of a line" in out, "length" in out) == (0, True, True)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", BLOCKS)
def test_the_command_lines_of_the_page_run(block: str, rlkit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what they print to go on with, each where nobody has imported anything."""
    short = {"train": "--steps 256", "eval": "--episodes 4", "check-agent": "--probe action --steps 64"}
    lines = re.sub(r" --steps \d+", "", block).splitlines()
    while lines:
        _, what, *more = shlex.split(lines.pop(0))
        code, out, err = rlkit(what, *more, *shlex.split(short.get(what, "")))
        assert code == 0, err
        lines += re.findall("grade it again with: (.*)", out)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
        forget()


@pytest.mark.usefixtures("rlkit")
def test_the_installed_command_finds_a_module_of_the_current_folder(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [Path(sys.executable).parent / "rlkit", "train", "tmaze", "--steps", "64", "--out", "bb"]
    options = ["--set", "backbone=my_nets:Trace", "--set", "hidden=8"]
    found = subprocess.run([*command, *options], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith("grade it again with: rlkit eval bb --trust-env my_nets\n")


def test_an_id_that_is_taken_or_malformed_is_refused(walk: Any) -> None:
    register(WALK, walk)
    with pytest.raises(
        RegistryError, match="there is an environment 'My/Walk-v0' already, made by my_worlds"
    ):
        register(WALK, "my_worlds:Place")
    with pytest.raises(RegistryError, match="there is an environment 'CartPole-v1' already"):
        register("CartPole-v1", walk)
    with pytest.raises(RegistryError, match="'a walk' cannot be registered"):
        register("a walk", walk)


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("name", ["ppo", "rainbow"])
def test_a_backbone_works_in_agents(name: str) -> None:
    trace = find("backbone", "my_nets:Trace")
    soon: dict[str, Any] = {
        "learning_starts": 32,
        "batch_size": 32,
        "updates_per_step": 0.1,
        "train_every": 16,
    }
    settings = soon if name == "rainbow" else {"rollout_steps": 16}
    agent = AGENTS[name]("rlkit/TMaze-v0", backbone=trace, hidden=(8,), num_envs=4, device="cpu", **settings)
    assert agent.train(256).config.to_json()["backbone"] == "my_nets:Trace"


@pytest.mark.usefixtures("modules")
def test_a_backbone_reads_a_sequence_as_its_steps() -> None:
    encoder = Encoder(gym.spaces.Discrete(4))
    config = NetworkConfig(backbone="my_nets:Trace", hidden=(8,))
    network = build(encoder, config, generator=torch.Generator().manual_seed(0))
    x = torch.from_numpy(encoder.pack(np.arange(24) % 4)).reshape(6, 4, *encoder.shape)
    reset = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) < 0.3
    together, end = network(x, network.initial_state(4), reset)
    state = network.initial_state(4)
    for t in range(6):
        y, state = network(x[t], state, reset[t])
        torch.testing.assert_close(y, together[t])
    torch.testing.assert_close(state, end)


@pytest.mark.usefixtures("modules")
def test_the_code_of_the_page_runs() -> None:
    """What stands in no module of its own."""
    names: dict[str, Any] = {}
    section = PAGE.partition("\n## A backbone\n")[2].partition("\n## ")[0]
    for code in re.findall(r"```python\n(?!# \w+\.py)(.*?)```", section, flags=re.S):
        exec(code, names)
    assert isinstance(names["agent"], PPO)


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("probe", ["truncated", "masked", "memory"])
def test_an_algorithm_learns_the_probes(probe: str) -> None:
    found = check_agent(find("agent", "my_agents:AWR"), probes=[probe], backbones=["gru"])
    assert found.passed, found.failures
    assert found.to_json()["options"]["epochs"] == 2


@pytest.mark.usefixtures("modules")
def test_an_algorithm_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    awr = find("agent", "my_agents:AWR")
    options: dict[str, Any] = {"hidden": (8,), "num_envs": 4, "rollout_steps": 8, "device": "cpu"}

    def save(agent: Any, metrics: dict[str, float]) -> None:
        if agent.steps == 64:
            agent.save(tmp_path / "half")

    whole = flat(awr("rlkit/Exam-v0", **options).train(128, callback=save).state_dict())
    resumed = flat(checkpoint.load(tmp_path / "half", device="cpu").continue_to(128).state_dict())
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(np.asarray(x), np.asarray(resumed[name])) for name, x in whole.items())


def test_a_model_that_is_wrong_is_found(walk: Any) -> None:
    class Wrong(walk):  # type: ignore[misc]
        n_events = 2

        def event_probs(self, state: Any, action: Any) -> Any:
            return np.full((len(action), 2), 0.4)

    assert any("event_probs" in finding for finding in model_findings(Wrong(), 5, 0))
