"""Minari keeps episodes of rlkit's ids, and finds the environment they came from."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import rlkit  # noqa: F401  # registers the ids

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")
data_collector = pytest.importorskip("minari.data_collector")

NAME = "rlkit/trial-v0"


@pytest.mark.filterwarnings("ignore:.*is set to None:UserWarning")
@pytest.mark.parametrize(
    "id",
    ["FrozenLake", "Blackjack", "SignalFilter", "PushBox", "DoorKey5x5", "TicTacToe", "Inventory"],
)
def test_episodes_are_kept_and_their_environment_is_recovered(
    id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = gymnasium.make(f"rlkit/{id}-v0", max_episode_steps=20)
    episodes = [episode(env, seed) for seed in range(2)]
    minari.create_dataset_from_buffers(NAME, env=env, buffer=episodes)
    dataset = minari.load_dataset(NAME)
    assert dataset.total_steps == sum(len(kept.rewards) for kept in episodes)
    found = dataset.recover_environment()
    assert found.spec is not None
    assert (found.observation_space, found.action_space) == (env.observation_space, env.action_space)
    for kept, read in zip(episodes, dataset.iterate_episodes(), strict=True):
        np.testing.assert_allclose(read.rewards, kept.rewards)
        found.reset(seed=kept.seed)
        lived = [found.step(action) for action in read.actions]
        np.testing.assert_allclose([reward for _, reward, *_ in lived], kept.rewards)
        assert (lived[-1][2], lived[-1][3]) == (read.terminations[-1], read.truncations[-1])


def episode(env: gymnasium.Env, seed: int) -> Any:
    """A buffer with an episode of random legal actions."""
    obs, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    observations: list[Any] = [obs]
    steps: list[Any] = []
    while not steps or not (steps[-1][2] or steps[-1][3]):
        action = env.action_space.sample(info.get("action_mask"))
        obs, reward, terminated, truncated, info = env.step(action)
        observations.append(obs)
        steps.append((action, float(reward), terminated, truncated))
    actions, rewards, terminations, truncations = map(list, zip(*steps, strict=True))
    return data_collector.EpisodeBuffer(
        id=seed,
        seed=seed,
        observations=columns(observations),
        actions=actions,
        rewards=rewards,
        terminations=terminations,
        truncations=truncations,
    )


def columns(observations: list[Any]) -> Any:
    """What each part of an observation was, in turn."""
    if isinstance(observations[0], dict):
        return {key: columns([obs[key] for obs in observations]) for key in observations[0]}
    return observations
