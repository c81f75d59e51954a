"""Every bad input is one error of rlkit's own, on one line, that names what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from saved_agents import forge

from rlkit.agents import PPO, Agent, ConfigError, LoadError, QLearning, StepsError, UnsupportedError
from rlkit.core import MDP
from rlkit.envs import exact
from rlkit.errors import RlkitError
from rlkit.nn.encoders import UnsupportedSpaceError
from rlkit.run import checkpoint
from rlkit.storage import META


@pytest.fixture
def mdp() -> MDP:
    return exact("rlkit/Exam-v0")


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (-1, "seed must be at least 0, not -1"),
        ("q", "seed must be a whole number, not 'q'"),
        (1.5, "seed must be a whole number, not 1.5"),
        (True, "seed must be a whole number, not True"),
        (2**70, "seed must be at most"),
    ],
)
def test_seeds(seed: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PPO("CartPole-v1", seed=seed)
    with pytest.raises(ConfigError, match=message):
        PPO("CartPole-v1").evaluate(1, seed=seed)


def test_a_seed_of_numpy_is_one(tmp_path: Path) -> None:
    PPO("CartPole-v1", seed=np.int64(3)).save(tmp_path / "saved")
    assert PPO.load(tmp_path / "saved").seed == 3


@pytest.mark.parametrize("agent", [PPO, QLearning])
def test_a_policy_class_in_front_says_what_an_agent_takes(agent: Any) -> None:
    message = f"{agent.__name__} takes the environment alone by position, .* and 1 more was given; .*gamma"
    with pytest.raises(ConfigError, match=message):
        agent("MlpPolicy", "CartPole-v1", verbose=1)
    with pytest.raises(TypeError, match="2 more were given"):
        agent("MlpPolicy", "CartPole-v1", 3e-4)


@pytest.mark.parametrize("device", ["foo", "cuda", "cuda:99", "meta"])
def test_devices(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"no device '{device}' on this machine; there is cpu"):
        PPO("CartPole-v1", device=device)
    PPO("CartPole-v1", device="cpu").save(tmp_path / "saved")
    with pytest.raises(ConfigError, match=f"no device '{device}'"):
        checkpoint.load(tmp_path / "saved", device=device)


def test_numbers_of_episodes_and_steps() -> None:
    agent = PPO("CartPole-v1")
    with pytest.raises(ConfigError, match="episodes must be at least 1, not 0"):
        agent.evaluate(episodes=0)
    with pytest.raises(ConfigError, match="max_steps must be at least 1, not 0"):
        agent.evaluate(1, max_steps=0)
    with pytest.raises(StepsError, match=r"steps must be a whole number, not 2\.5"):
        agent.train(2.5)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "reason"),
    [
        ("rlkit/MDP-v0", {}, "mdp"),
        ("rlkit/Exam-v0", {"xyz": 1}, "xyz"),
        ("rlkit/FrozenLake-v0", {"size": 1}, "size must be"),
        ("CartPole-v1", {"xyz": 1}, "xyz"),
        ("FrozenLake-v1", {"map_name": "9x9"}, "KeyError: '9x9'"),
        ("Nothing-v0", {}, "doesn't exist"),
        ("no_such_module:Nothing-v0", {}, "no_such_module"),
        ("Exam-v0", {}, r"doesn't exist; did you mean rlkit/Exam-v0\?$"),
        ("exam", {}, r"doesn't exist; did you mean rlkit/Exam-v0\?$"),
        ("FrozenLake", {}, r"No registered env with id: FrozenLake; did you mean rlkit/FrozenLake-v0\?$"),
        ("rlkit.envs:Exm-v0", {}, "; rlkit.envs registers rlkit.envs:rlkit/Exam-v0, "),
        ("my/module.py:My-v0", {}, "write my.module:My-v0, without .py"),
        ("not an id", {}, "Malformed"),
    ],
)
def test_environments_that_cannot_be_made(env_id: str, kwargs: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"^{env_id} cannot be made: .*{reason}") as caught:
        PPO(env_id, env_kwargs=kwargs)
    assert "\n" not in str(caught.value)


def test_an_agent_is_shown_with_what_it_has_learned() -> None:
    agent = PPO("rlkit/Exam-v0", hidden=(8,), num_envs=4, rollout_steps=16)
    assert repr(agent) == "PPO on rlkit/Exam-v0, 0 steps"
    assert repr(agent.train(1_024)) == "PPO on rlkit/Exam-v0, 1,024 steps"
    env = gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1").unwrapped])
    assert repr(PPO(env)) == f"PPO on {env}, 0 steps"


def test_env_kwargs_are_a_mapping() -> None:
    kwargs: Any = 3
    with pytest.raises(ConfigError, match="env_kwargs must be a mapping of names to values, not 3"):
        PPO("CartPole-v1", env_kwargs=kwargs)


def test_a_space_without_an_encoding() -> None:
    class Lists(gym.Env[Any, Any]):
        observation_space = gym.spaces.Sequence(gym.spaces.Discrete(2))
        action_space = gym.spaces.Discrete(2)

    assert issubclass(UnsupportedSpaceError, RlkitError)
    with pytest.raises(UnsupportedSpaceError, match="Sequence"):
        PPO(gym.vector.SyncVectorEnv([Lists]))


def test_what_json_cannot_hold_is_not_saved(mdp: MDP, tmp_path: Path) -> None:
    agent = PPO("rlkit/MDP-v0", env_kwargs={"mdp": mdp}, hidden=(8,)).train(64)
    with pytest.raises(UnsupportedError, match="cannot be saved: its env_kwargs hold 'mdp', a MDP,"):
        agent.save(tmp_path / "saved")
    assert not list(tmp_path.iterdir())


Change = Callable[[dict[str, Any]], Any]


def loop(meta: dict[str, Any]) -> dict[str, Any]:
    return meta["state"]["loop"]  # type: ignore[no-any-return]


def stands(meta: dict[str, Any]) -> dict[str, Any]:
    return meta["state"]["experience"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.pop("config"), "it has no 'config'"),
        (lambda meta: loop(meta).pop("horizon"), "it has no 'horizon'"),
        (lambda meta: meta.pop("agent"), "it has no 'agent'"),
        (lambda meta: stands(meta).pop("num_envs"), "it has no 'num_envs'"),
        (lambda meta: stands(meta).pop("finished"), "it has no 'finished'"),
        (lambda meta: meta.update(agent=["ppo"]), "agent must be text"),
        (lambda meta: meta.update(agent="sarsop"), "no agent 'sarsop'; did you mean 'sarsa'"),
        (
            lambda meta: meta.update(agent="os:system"),
            "agent 'os:system' must be a subclass of rlkit.agents.Agent",
        ),
        (
            lambda meta: meta.update(agent="json:JSONEncoder"),
            "agent 'json:JSONEncoder' must be a subclass of rlkit.agents.Agent",
        ),
        (
            lambda meta: meta.update(agent="json:nothing"),
            "cannot be imported: AttributeError: module 'json' has no attribute",
        ),
        (lambda meta: meta.update(agent="antigravity:fly"), "it needs the module 'antigravity'"),
        (lambda meta: meta.update(env_id=3), "env_id must be text or null, not 3"),
        (lambda meta: meta.update(env_kwargs=3), "env_kwargs must be an object, not 3"),
        (
            lambda meta: stands(meta).update(num_envs=-2),
            "num_envs must be a whole number of at least 0",
        ),
        (lambda meta: stands(meta).update(num_envs=0), "num_envs must be from 1 to 1048576, not 0"),
        (
            lambda meta: stands(meta).update(num_envs=10**9),
            "num_envs must be from 1 to 1048576, not 10",
        ),
        (lambda meta: loop(meta).update(steps="x"), 'steps must be a whole number of at least 0, not "x"'),
        (lambda meta: loop(meta).update(horizon=None), "horizon must be a whole number"),
        (lambda meta: meta.update(seed="q"), 'seed must be a whole number of at least 0, not "q"'),
        (lambda meta: meta.update(seed=2**70), "seed must be a whole number"),
        (lambda meta: loop(meta).update(early_stopping=3), "early_stopping must be an object, not 3"),
        (lambda meta: loop(meta)["early_stopping"].pop("waited"), "damaged"),
        (lambda meta: loop(meta)["early_stopping"].update(best_return="x"), "damaged"),
        (lambda meta: stands(meta).update(finished=[3]), "damaged"),
        (lambda meta: meta["state"]["learner"].update(policy=3), "'learner/policy/.* lies below a leaf"),
        (lambda meta: stands(meta).update(stepper=3), "'experience/stepper/.* lies below a leaf"),
        (lambda meta: stands(meta).update({"stepper/obs/x": 3}), "'experience/stepper/obs is no leaf alone"),
        (lambda meta: meta["config"].update(num_envs=10**9), "num_envs must be at most"),
        (lambda meta: meta["config"].update(num_envs=-2), "num_envs must be at least 1"),
        (lambda meta: meta["config"].update(hidden=[7]), "size mismatch"),
        (lambda meta: meta["config"].update(hidden=[10**14]), "cannot be used"),
        (lambda meta: meta["config"].update(gama=1), "did you mean 'gamma'"),
        (lambda meta: meta["config"].update(gamma=10**400), "gamma must be a number"),
    ],
)
def test_a_damaged_file_is_named(change: Change, message: str, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    PPO("CartPole-v1", hidden=(8,), num_envs=4, rollout_steps=8).train(32).save(path)
    forge(path, change)
    with pytest.raises(LoadError, match=message) as caught:
        checkpoint.load(path).train(32)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_file_that_is_no_json_object(content: bytes, tmp_path: Path) -> None:
    PPO("CartPole-v1", hidden=(8,)).save(tmp_path / "saved")
    (tmp_path / "saved" / META).write_bytes(content)
    with pytest.raises(LoadError, match=f"{META} is damaged"):
        checkpoint.load(tmp_path / "saved")


def test_a_vector_environment_without_spaces_of_one_is_refused() -> None:
    class Bare(gym.vector.VectorEnv[Any, Any, Any]):
        num_envs = 2

    with pytest.raises(UnsupportedError, match="has no single_observation_space"):
        PPO(Bare())


def test_an_agent_without_an_algorithm_is_abstract() -> None:
    with pytest.raises(TypeError, match="Agent is abstract: make an algorithm such as PPO"):
        Agent("CartPole-v1")
