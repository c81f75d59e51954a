"""Sizes that are far too large are refused before anything is made of them."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from saved_agents import forge

from rlkit.agents import AGENTS, DQN, PPO, ConfigError, LoadError, UnsupportedError
from rlkit.agents.ppo import PPOLearner
from rlkit.experience import memory
from rlkit.settings import MOST, Settings

FIELDS = [
    (name, field.name)
    for name, agent in AGENTS.items()
    for field in dataclasses.fields(agent.Config)
    if field.type in (int, "int")
]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_whole_numbers_beyond_an_int64_are_refused(name: str, field: str) -> None:
    for value in (2**64, -(2**64), 10**400):
        with pytest.raises(ConfigError, match=f"^{field} must be "):
            AGENTS[name].Config().replace({field: value})


def test_a_number_that_still_fits_is_taken() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Some(Settings):
        number: int = 0

    assert Some().replace({"number": MOST}).number == MOST
    with pytest.raises(ConfigError, match="number must be at most"):
        Some(number=MOST + 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": [8] * 100_000}, "hidden must be at most 256 layers, got 100000"),
        ({"channels": [8] * 100_000}, "channels must be at most 256 layers"),
        ({"backbone": "attention", "blocks": 10**6}, "blocks must be at most 256, got 1000000"),
        ({"hidden": [2**64]}, "hidden must be at most"),
    ],
)
def test_networks_that_would_take_minutes_to_build_are_refused(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        PPO("CartPole-v1", **settings)
    PPO("CartPole-v1", hidden=(8,)).save(tmp_path / "saved")
    forge(tmp_path / "saved", lambda meta: meta["config"].update(settings))
    with pytest.raises(LoadError, match=message):
        PPO.load(tmp_path / "saved")


@pytest.mark.parametrize(
    "settings", [{"hidden": [20_000] * 9}, {"hidden": [20_000], "backbone": "gru"}, {"hidden": [9, 9]}]
)
def test_a_network_is_not_made_where_the_file_has_too_few_weights(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PPO("CartPole-v1", hidden=(4, 4)).save(tmp_path / "saved")
    forge(tmp_path / "saved", lambda meta: meta["config"].update(settings))
    if settings["hidden"][0] > 9:
        monkeypatch.setattr(PPOLearner, "build", lambda *given: pytest.fail("it was made"))
        with pytest.raises(LoadError, match=r"it has \d+ weights, too few for hidden \(20000"):
            PPO.load(tmp_path / "saved")
    else:
        with pytest.raises(LoadError, match="size mismatch"):
            PPO.load(tmp_path / "saved")


@pytest.mark.parametrize("backbone", ["mlp", "rnn", "gru", "lstm", "attention"])
@pytest.mark.parametrize("more", [{}, {"hidden": (6,)}, {"blocks": 2}, {"activation": "maxout"}])
def test_no_network_has_fewer_weights_than_its_settings_say(backbone: str, more: dict[str, Any]) -> None:
    agent = PPO("CartPole-v1", **{"hidden": (8, 6), "backbone": backbone, **more})
    assert 0 < sum(p.numel() for p in agent.network.parameters()) >= agent.config.least_weights


def test_a_network_without_memory_for_it_is_one_error() -> None:
    with pytest.raises(UnsupportedError, match=r"^the network cannot be made: ") as caught:
        PPO("CartPole-v1", hidden=(10**14,))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::rlkit.agents.NothingLearned")
@pytest.mark.parametrize("settings", [{}, {"prioritized": True}, {"backbone": "gru"}])
def test_a_replay_that_no_memory_holds_is_refused(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = DQN("CartPole-v1", hidden=(8,), replay_size=10**13, learning_starts=64, **settings)
    with pytest.raises(UnsupportedError, match=r"replay_size 10,000,000,000,000 needs [\d,.]+ GB of "):
        agent.train(128)
    agent = DQN("CartPole-v1", hidden=(8,), replay_size=4_000, learning_starts=64, num_envs=4, **settings)
    agent.train(128)
    held = sum(x.nbytes for x in vars(agent.experience.replay).values() if isinstance(x, torch.Tensor))
    held += sum(x.nbytes for x in agent.experience.replay.states)
    held += (
        0 if agent.experience.replay.priorities is None else agent.experience.replay.priorities.weight.nbytes
    )
    assert agent.experience.replay.bytes_per_row * agent.experience.replay.size == pytest.approx(
        held, rel=0.01
    )
    monkeypatch.setattr(memory, "memory", lambda device: held / 2)
    with pytest.raises(UnsupportedError, match="replay_size 4,000 needs"):
        agent.learner.experience(agent.stepper)
