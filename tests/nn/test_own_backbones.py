"""A backbone of the user's own: a class, or module:Class, in every agent and through a file."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch
from torch import nn

from rlkit import registry
from rlkit.agents import AGENTS, PPO
from rlkit.errors import ConfigError, LoadError
from rlkit.nn import Encoder, NetworkConfig

SOURCE = """
from torch import nn
from rlkit.nn import Backbone, reader_of

class Squared(Backbone):
    def __init__(self, reader):
        super().__init__()
        self.reader, self.layer, self.n_features = reader, nn.Linear(reader.n_features, 8), 8

    @classmethod
    def build(cls, encoder, config, *, generator):
        return cls(reader_of(encoder, config, generator=generator))

    def initial_state(self, batch):
        return ()

    def forward(self, x, state, reset):
        return self.layer(self.reader(x)).square(), state
"""
FEW: dict[str, Any] = {"num_envs": 2, "hidden": (8,), "device": "cpu"}
NEURAL = [name for name, agent in AGENTS.items() if issubclass(agent.Config, NetworkConfig)]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class, in a module of its own."""
    (tmp_path / "own_nets.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    yield registry.find("backbone", "own_nets:Squared")
    sys.modules.pop("own_nets", None)


@pytest.mark.parametrize("name", NEURAL)
def test_every_agent_takes_a_class(name: str, own: Any) -> None:
    soon = {"learning_starts": 8, "batch_size": 8, "updates_per_step": 0.25}
    own_fields = {field.name for field in dataclasses.fields(AGENTS[name].Config)}
    settings = FEW | {key: value for key, value in soon.items() if key in own_fields}
    agent = AGENTS[name]("CartPole-v1", backbone=own, **settings).train(32)
    assert agent.config.to_json()["backbone"] == "own_nets:Squared"
    assert any(type(module).__name__ == "Squared" for module in agent.network.modules())


def test_its_name_is_enough(own: Any) -> None:
    assert PPO("CartPole-v1", backbone="own_nets:Squared", **FEW).config.backbone_class is own


def test_a_saved_agent_is_loaded_where_its_module_is_trusted(own: Any, tmp_path: Path) -> None:
    PPO("CartPole-v1", backbone=own, **FEW).save(tmp_path / "saved")
    (meta,) = (tmp_path / "saved").glob("*.json")
    assert json.loads(meta.read_text())["config"]["backbone"] == "own_nets:Squared"
    del sys.modules["own_nets"]
    with pytest.raises(LoadError, match="needs the module 'own_nets'; if you trust it, add --trust-env"):
        PPO.load(tmp_path / "saved", device="cpu")
    assert "own_nets" not in sys.modules
    loaded = PPO.load(tmp_path / "saved", device="cpu", trust_env="own_nets")
    assert loaded.config.backbone == "own_nets:Squared"


def test_a_registered_one_is_called_by_its_name(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._HOMES, "backbone", {**registry._HOMES["backbone"]})
    registry.register("backbone", "squared", own)
    for backbone in (own, "squared"):
        assert PPO("CartPole-v1", backbone=backbone, **FEW).config.backbone == "squared"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("self.n_features = 3", r"are torch.float32 \[2, 8\] and tuple \[\], not torch.float32 \[2, 3\]"),
        (
            "self.state = lambda batch: torch.zeros(batch, 3)",
            r"are .* and Tensor \[\[3\], \[3\]\], not .* tuple \[\[2\], \[2\]\]",
        ),
        (
            "self.state = lambda batch: (torch.zeros(1, 3),)",
            r"are .* tuple \[\[1, 3\]\], not .* tuple \[\[2, 3\]\]",
        ),
        (
            "self.answer = lambda y, s: y",
            r"are torch.float32 \[8\] and tuple .*, not .*\[2, 8\] and tuple \[\]",
        ),
        ("self.answer = lambda y, s: (y.double(), s)", r"are torch.float64 .*, not torch.float32"),
        ("self.answer = lambda y, s: (y[..., :3], s)", r"are .*\[2, 3\].*, not .*\[2, 8\]"),
        ("self.answer = lambda y, s: (y, (y,))", r"are .* tuple \[\[2, 8\]\], not .* tuple \[\]"),
        (
            "self.answer = lambda y, s: 1 / 0",
            r"ZeroDivisionError: division by zero \(own_nets.py:\d+",
        ),
        ("del self.n_features", "AttributeError: .Squared. object has no attribute .n_features."),
    ],
)
@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_what_breaks_the_contract_is_refused_when_it_is_built(
    name: str, wrong: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace("features, 8), 8", f"features, 8), 8\n        {wrong}")
    source = source.replace("return ()", "return getattr(self, 'state', lambda batch: ())(batch)")
    source = source.replace(
        "return self.layer(self.reader(x)).square(), state",
        "y = self.layer(self.reader(x))\n        return getattr(self, 'answer', lambda *yes: yes)(y, state)",
    )
    (tmp_path / "own_nets.py").write_text("import torch\n" + source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    with pytest.raises(ConfigError, match=f"^backbone 'own_nets:Squared'.*{message}"):
        AGENTS[name]("CartPole-v1", backbone="own_nets:Squared", **FEW)
    sys.modules.pop("own_nets", None)


def test_trying_a_network_changes_no_random_number(own: Any) -> None:
    torch.manual_seed(0)
    PPO("CartPole-v1", backbone=own, **FEW)  # whose layer draws from the common generator
    drawn = torch.rand(1)
    torch.manual_seed(0)
    own.build(
        Encoder(gym.make("CartPole-v1").observation_space), NetworkConfig(), generator=torch.Generator()
    )
    assert torch.equal(torch.rand(1), drawn)


def test_what_cannot_be_found_again_or_built_is_named() -> None:
    class Local(nn.Module):
        pass

    with pytest.raises(ConfigError, match="must stand at the top level of its module, or be registered"):
        PPO("CartPole-v1", backbone=Local, **FEW)
    with pytest.raises(
        ConfigError, match=r"backbone 'torch\.nn:Linear' must be a subclass of rlkit\.nn\.Back"
    ):
        PPO("CartPole-v1", backbone="torch.nn:Linear", **FEW)
    with pytest.raises(ConfigError, match=r"backbone 'torch\.nn:None_' cannot be imported"):
        PPO("CartPole-v1", backbone="torch.nn:None_", **FEW)
