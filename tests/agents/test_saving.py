import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from saved_agents import forge, tensors_of

from rlkit.agents import (
    AGENTS,
    DQN,
    NEURAL,
    PPO,
    Agent,
    ConfigError,
    LoadError,
    NonFiniteError,
    QLearning,
    UnsupportedError,
)
from rlkit.agents.ppo import PPOLearner
from rlkit.nn import devices
from rlkit.storage import META


@pytest.mark.parametrize("agent", AGENTS.values())
def test_a_loaded_agent_acts_alike_and_resumes(agent: type[Agent], tmp_path: Path) -> None:
    settings = {"learning_starts": 64} if hasattr(agent.Config, "learning_starts") else {}
    trained = agent("rlkit/Taxi-v0", seed=3, num_envs=8, **settings).train(1_200)
    trained.save(tmp_path / "saved")
    trained.save(tmp_path / "saved")  # replaces
    assert [path.name for path in tmp_path.iterdir()] == ["saved"], "nothing is left behind"
    loaded = agent.load(tmp_path / "saved")
    assert (loaded.steps, loaded.config, loaded.seed) == (1_200, trained.config, 3)
    obs = np.arange(0, 500, 10)
    np.testing.assert_array_equal(trained.act(obs)[0], loaded.act(obs)[0])
    np.testing.assert_array_equal(
        trained.act(obs, stochastic=True)[0],
        loaded.act(obs, stochastic=True)[0],
        "random states must be saved",
    )
    assert loaded.train(100).steps == 1_300


def test_acting_on_one_and_on_many() -> None:
    agent = PPO("CartPole-v1")
    obs = agent.observation_space.sample() * 0
    one, state = agent.act(obs)
    many, _ = agent.act(np.stack([obs, obs]), state)
    assert isinstance(one, int | np.integer)
    assert many.tolist() == [one, one]
    with pytest.raises(ValueError, match="fits neither"):
        agent.act(np.zeros(3, np.float32))


ROOM = {"direction": 1, "image": np.zeros((7, 7, 16), np.int8)}


@pytest.mark.parametrize(
    ("env_id", "obs", "message"),
    [
        ("rlkit/FrozenLake-v0", 16, r"observation 16 is not in Discrete\(16\)"),
        ("rlkit/FrozenLake-v0", np.array([3, -1]), "observation -1 is not in"),
        ("rlkit/FrozenLake-v0", None, "observation None is not in"),
        ("rlkit/MemoryS7-v0", [ROOM, ROOM], r"observation \[.* is not in Dict"),
        ("rlkit/MemoryS7-v0", ROOM["image"], "is not in Dict"),
        ("rlkit/MemoryS7-v0", {"image": ROOM["image"]}, "is not in Dict"),
        (
            "rlkit/MemoryS7-v0",
            ROOM | {"direction": 4},
            r"observation\['direction'\] 4 is not in Discrete\(4\)",
        ),
        ("rlkit/MemoryS7-v0", ROOM | {"direction": np.ones(2, int)}, r"\(2,\), \(7, 7, 16\) fits neither"),
    ],
)
def test_what_is_no_observation_is_named(env_id: str, obs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PPO(env_id).act(obs)


def test_states_and_masks_are_those_of_the_observations() -> None:
    agent = PPO("rlkit/FrozenLake-v0", backbone="gru")
    _, state = agent.act(3)
    with pytest.raises(
        ValueError, match=r"state must be torch.float32 \(2, 64\), .*got torch.float32 \(1, 64\)"
    ):
        agent.act(np.array([3, 4]), state)
    with pytest.raises(
        ValueError, match=r"action_mask of shape \(2,\) does not fit Discrete\(4\), which needs \(4,\)"
    ):
        agent.act(3, mask=np.array([1, 1]))


@pytest.mark.parametrize(
    ("state", "got"),
    [
        ([1, 0], "int, int"),
        ("zz", "str"),
        (3, "int"),
        ((), r"\(\)"),
        ((np.zeros((1, 64), np.float32),), "ndarray"),
        ((torch.zeros(1, 3),), r"torch.float32 \(1, 3\)"),
        ((torch.zeros(1, 64).double(),), r"torch.float64 \(1, 64\)"),
        ((torch.zeros(1, 64),) * 2, r"torch.float32 \(1, 64\), torch.float32 \(1, 64\)"),
    ],
)
def test_what_is_no_state_is_named(state: Any, got: str) -> None:
    agent = DQN("rlkit/FrozenLake-v0", backbone="gru")
    for ask in (agent.act, agent.q_values):
        with pytest.raises(ConfigError, match=rf"state must be torch.float32 \(1, 64\), .* got {got}$"):
            ask([3], state)
    if state != ():
        with pytest.raises(ConfigError, match=rf"state must be \(\), .* got {got}$"):
            QLearning("rlkit/FrozenLake-v0").act(3, state)


@pytest.mark.parametrize("backbone", ["mlp", "gru", "attention", "cnn"])
def test_nobody_acts_in_an_empty_batch(backbone: str) -> None:
    agent = PPO("rlkit/MemoryS7-v0", backbone=backbone)
    none = {"direction": [], "image": np.zeros((0, 7, 7, 16), np.int8)}
    actions, state = agent.act(none)
    assert (actions.shape, actions.dtype) == ((0,), np.int64)
    assert agent.act(none, state, stochastic=True)[0].shape == (0,)


@pytest.mark.parametrize("agent", AGENTS.values())
def test_an_empty_list_is_an_empty_batch(agent: type[Agent]) -> None:
    assert agent("rlkit/Exam-v0").act([])[0].shape == (0,)


def test_nothing_in_a_saved_agent_is_code(tmp_path: Path) -> None:
    DQN("CartPole-v1", hidden=(8,), learning_starts=64).train(100).save(tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [
        META,
        tensors_of(tmp_path / "saved").name,
    ]


def test_what_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    with pytest.raises(LoadError, match="there is no folder"):
        PPO.load(path)
    PPO("CartPole-v1", hidden=(8,), normalize_obs=False).save(path)
    with pytest.raises(LoadError, match="holds a ppo agent, not dqn"):
        DQN.load(path)
    with pytest.raises(LoadError, match="observation_space"):
        PPO.load(path, env="FrozenLake-v1")
    tensors_of(path).write_bytes(b"not tensors")
    with pytest.raises(LoadError, match="damaged"):
        PPO.load(path)
    (path / META).rename(path / "notes")
    with pytest.raises(FileExistsError, match="not a saved agent"):
        PPO("CartPole-v1").save(path)


def test_who_may_read_a_saved_agent_is_as_usual(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        PPO("CartPole-v1", hidden=(8,)).save(tmp_path / "saved")
    finally:
        os.umask(before)
    saved = tmp_path / "saved"
    modes = [oct(path.stat().st_mode & 0o777) for path in (saved, saved / META, tensors_of(saved))]
    assert modes == ["0o750", "0o640", "0o640"]


def test_an_agent_of_a_vector_environment_without_an_id(tmp_path: Path) -> None:
    env = gym.vector.SyncVectorEnv([lambda: gym.make("probe/Constant-v0").unwrapped] * 2)
    PPO(env, hidden=(8,)).train(64).save(tmp_path / "saved")
    with pytest.raises(UnsupportedError, match="load it with env="):
        PPO.load(tmp_path / "saved").train(64)
    with pytest.warns(UserWarning, match="start over at step 64"):
        assert PPO.load(tmp_path / "saved", env=env).train(64).steps == 128


@pytest.mark.parametrize("agent", AGENTS.values())
def test_agents_leave_the_global_generator_alone(agent: type[Agent]) -> None:
    before = torch.get_rng_state()
    agent("FrozenLake-v1", num_envs=8).train(1_200).evaluate(3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("backbone", ["mlp", "gru", "attention"])
def test_networks_that_share_layers_are_saved(backbone: str, tmp_path: Path) -> None:
    agent = PPO("rlkit/Exam-v0", hidden=(8,), backbone=backbone, num_envs=4, rollout_steps=8).train(64)
    agent.save(tmp_path / "saved")
    saved = PPO.load(tmp_path / "saved").policy.state_dict()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in agent.policy.state_dict().items())


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_parameters_that_are_not_finite_are_not_saved(broken: float, tmp_path: Path) -> None:
    agent = PPO("CartPole-v1", hidden=(8,))
    agent.save(tmp_path / "saved")
    next(agent.network.parameters()).data[0, 0] = broken
    with pytest.raises(NonFiniteError, match=r"network.actor.mlp.layers.0.weight is not finite at step 0"):
        agent.save(tmp_path / "saved")
    kept = PPO.load(tmp_path / "saved")
    assert all(p.isfinite().all() for p in kept.network.parameters())


@pytest.mark.parametrize("agent", NEURAL.values())
def test_dropout_draws_from_the_seed(agent: type[Agent]) -> None:
    settings: dict[str, Any] = {"hidden": (8,), "dropout": 0.5, "num_envs": 4}
    if hasattr(agent.Config, "learning_starts"):
        settings |= {"learning_starts": 64, "batch_size": 16}
    found = []
    for world in (1, 2):
        torch.manual_seed(world)
        found.append(agent("rlkit/Exam-v0", seed=3, **settings).train(128).policy.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("agent", [PPO, DQN])
def test_others_who_draw_meanwhile_change_nothing(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an agent in another thread does, in the middle of an iteration."""
    settings: dict[str, Any] = {"hidden": (8,), "dropout": 0.5, "num_envs": 4}
    if agent is DQN:
        settings |= {"learning_starts": 64, "batch_size": 16}
    alone = agent("rlkit/Exam-v0", **settings).train(512).policy.state_dict()
    update = agent.Learner.update

    def disturbed(self: Any, *given: Any) -> Any:
        torch.rand(3)
        return update(self, *given)

    monkeypatch.setattr(agent.Learner, "update", disturbed)
    found = agent("rlkit/Exam-v0", **settings).train(512).policy.state_dict()
    assert all(torch.equal(alone[name], found[name]) for name in alone)


@pytest.mark.parametrize("threads", [1, 2])
def test_initial_weights_are_computed_on_the_threads_of_the_agent(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products of many threads are rounded otherwise, and so would be what the same seed gives."""
    seen, build = [], PPOLearner.build

    def note(self: PPOLearner, *given: Any) -> Any:
        seen.append(torch.get_num_threads())
        return build(self, *given)

    monkeypatch.setattr(PPOLearner, "build", note)
    with devices.cpu_threads(3):
        PPO("CartPole-v1", hidden=(8,), threads=threads)
        assert torch.get_num_threads() == 3
    assert seen == [threads]


def test_random_states_of_another_kind_of_device_are_drawn_anew(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    PPO("rlkit/Exam-v0", hidden=(8,)).train(100).save(path)
    tensors, name = load_file(tensors_of(path)), "learner/generator"
    forge(path, lambda meta: None, {**tensors, name: tensors[name][:16]})  # as on CUDA
    first, second = (PPO.load(path).train(100).policy.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
