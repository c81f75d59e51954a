"""An agent that was saved and loaded resumes, byte for byte, as one that never stopped."""

from pathlib import Path
from typing import Any

import pytest
from saved_agents import whole as whole_of

from rlkit.agents import Agent
from rlkit.agents.dqn import DQN, Rainbow
from rlkit.experience.replay import Replay

SMALL: dict[str, Any] = {
    "hidden": (8,),
    "num_envs": 4,
    "learning_starts": 100,
    "target_every": 300,  # once before the checkpoint, and not in the round after it
    "replay_size": 400,
    "batch_size": 16,
    "updates_per_step": 0.1,
}
KINDS: list[tuple[type[DQN], dict[str, Any]]] = [
    (DQN, {}),
    (Rainbow, {"atoms": 11}),
    (DQN, {"backbone": "gru", "sequence": 6, "burn_in": 2, "prioritized": True}),
    (DQN, {"backbone": "attention", "context": 4, "sequence": 6, "noisy": True}),
]


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_going_on_is_exact(kind: type[DQN], settings: dict[str, Any], tmp_path: Path) -> None:
    def save_half_way(agent: Agent, _: Any) -> None:
        if agent.steps == 384:
            agent.save(tmp_path / "half")

    whole = kind("rlkit/FrozenLake-v0", seed=3, **SMALL, **settings)
    whole.train(800, callback=save_half_way).save(tmp_path / "whole")
    kind.load(tmp_path / "half").continue_to(800).save(tmp_path / "resumed")
    assert whole_of(tmp_path / "whole") == whole_of(tmp_path / "resumed")


def test_what_is_not_saved_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Replay.load_state_dict

    def forgetful(self: Replay, saved: dict[str, Any]) -> None:
        load(self, saved | {"highest": saved["highest"] + 1})

    monkeypatch.setattr(Replay, "load_state_dict", forgetful)
    with pytest.raises(AssertionError):
        test_going_on_is_exact(*KINDS[1], tmp_path)


def test_where_loading_starts_new_episodes_nothing_follows_on(tmp_path: Path) -> None:
    agent = DQN("CartPole-v1", **SMALL, n_step=3).train(200)
    agent.save(tmp_path / "saved")
    loaded = DQN.load(tmp_path / "saved")
    with pytest.warns(UserWarning, match="no state of (rlkit/)?CartPole-v1; its episodes start over"):
        loaded.continue_to(200)  # takes up where it stood, and no step
    for b in range(4):
        own = slice(b, None, 4)
        head = int(loaded.experience.replay.present[b])
        before = int(agent.experience.replay.present[b])
        gap = bool(agent.experience.replay.start[own][before - 1])  # in the middle of an episode
        assert head == before + gap
        assert not loaded.experience.replay.start[own][head - 1 : head + 1].any()
    assert loaded.train(200).steps == 400


def test_a_replay_that_began_late_is_still_filled_before_the_first_update(tmp_path: Path) -> None:
    agent = DQN("rlkit/FrozenLake-v0", **SMALL).train(200).train(150)  # on fewer, with a new replay
    agent.save(tmp_path / "saved")
    resumed = DQN.load(tmp_path / "saved").continue_to(350)  # takes up where it stood, and no step
    assert agent.experience.begun == resumed.experience.begun == 200
