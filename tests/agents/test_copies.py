"""Copies and pickles of an agent learn as it does, and apart from it."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium as gym
import pytest
import torch

from rlkit.agents import AGENTS, PPO, Agent, AgentError, LoadError, QLearning, UnsupportedError
from rlkit.nn.optimization import Descent
from rlkit.trees import flat

QUICK: dict[str, Any] = {
    **{"hidden": (8,), "rollout_steps": 16, "learning_starts": 64, "replay_size": 500, "batch_size": 16},
    **{"num_envs": 4, "normalize_reward": True, "updates_per_step": 0.1},
}
COPIES: dict[str, Callable[[Agent], Agent]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda agent: pickle.loads(pickle.dumps(agent)),
    "state_dict": lambda agent: loaded(agent.state_dict(), agent.name),
}


def made(name: str) -> Agent:
    fields = AGENTS[name].Config().to_json()
    return AGENTS[name]("rlkit/FrozenLake-v0", seed=3, **{k: v for k, v in QUICK.items() if k in fields})


def loaded(state: dict[str, Any], name: str) -> Agent:
    agent = made(name)
    agent.load_state_dict(state)
    return agent


def same(a: Agent, b: Agent) -> bool:
    found, other = flat(a.learner.state_dict()), flat(b.learner.state_dict())
    return found.keys() == other.keys() and all(
        torch.equal(torch.as_tensor(found[k]), torch.as_tensor(other[k])) for k in found
    )


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", AGENTS)
def test_a_copy_learns_what_the_agent_learns(name: str, way: str) -> None:
    agent = made(name).train(192)
    twin = COPIES[way](agent)
    assert same(agent, twin)
    agent.train(192)
    assert not same(agent, twin), "it learned, and the copy did not"
    twin.train(192)
    assert same(agent, twin)
    assert twin.steps == agent.steps == 384


@pytest.mark.parametrize("way", ["copy", "deepcopy"])
def test_what_copies_parts_alone_is_seen(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Agent, "__reduce__")
    with pytest.raises((AssertionError, RuntimeError, TypeError)):
        test_a_copy_learns_what_the_agent_learns("ppo", way)


def test_a_copy_that_has_not_begun_and_one_that_was_loaded(tmp_path: Any) -> None:
    agent = made("dqn")
    assert same(copy.deepcopy(agent).train(192), agent.train(192))
    agent.save(tmp_path / "saved")
    twin = copy.deepcopy(type(agent).load(tmp_path / "saved"))
    assert same(twin.train(64), agent.train(64))


def test_a_state_of_before_the_training_takes_its_episodes_back() -> None:
    agent, twin = made("ppo"), made("ppo").train(192)
    twin.load_state_dict(agent.state_dict())
    assert same(agent.train(192), twin.train(192))


OTHERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "of another agent": lambda state: made("dqn").train(192).state_dict(),
    "of another environment": lambda state: PPO("rlkit/TicTacToe-v0", hidden=(8,)).state_dict(),
    "without a learner": lambda state: {"loop": state["loop"]},
    "with an odd learner": lambda state: state | {"learner": 1},
    "with other experience": lambda state: state | {"experience": PPO("CartPole-v1").train(64).state_dict()},
    "without a number of environments": lambda state: state | {"experience": {"stepper": 1}},
    "none": lambda state: None,
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_state_that_does_not_fit_changes_nothing(what: str) -> None:
    agent, other = made("ppo").train(192), OTHERS[what](made("ppo").train(64).state_dict())
    twin = copy.deepcopy(agent)
    with pytest.raises(LoadError, match="the state does not fit PPO on rlkit/FrozenLake-v0, 192 steps: "):
        agent.load_state_dict(other)
    assert same(agent, twin)
    assert agent.steps == 192
    assert same(agent.train(192), twin.train(192))


def test_a_copy_keeps_options_of_any_type() -> None:
    agent = QLearning("rlkit/FrozenLake-v0", env_kwargs={"slip": torch.tensor(0.0).numpy()[()]})
    assert copy.deepcopy(agent).env_kwargs == agent.env_kwargs


def test_a_copy_on_an_environment_given_acts_and_says_what_it_needs() -> None:
    env = gym.vector.SyncVectorEnv([lambda: gym.make("probe/Constant-v0").unwrapped] * 2)
    twin = copy.deepcopy(PPO(env, hidden=(8,), rollout_steps=8).train(32))
    twin.act(0)
    with pytest.raises(UnsupportedError, match="a VectorEnv without an id"):
        twin.train(32)


def test_an_agent_trains_once_at_a_time() -> None:
    agent, twin = made("ppo"), made("ppo").train(192)

    def again(agent: Agent, metrics: Any) -> None:
        for train in (lambda: agent.train(64), lambda: agent.continue_to(640)):
            with ThreadPoolExecutor() as pool, pytest.raises(AgentError, match="steps is already training; "):
                pool.submit(train).result()
            with pytest.raises(AgentError, match="steps is already training; "):
                train()

    agent.train(192, callback=again)
    assert same(agent, twin)
    assert same(agent.train(64), twin.train(64))


def test_parameters_stay_parts_of_the_vector_that_is_stepped() -> None:
    twin = copy.deepcopy(made("ppo").train(64))
    descent: Descent = twin.learner.descents["network"]
    before = descent.vector.clone()
    next(iter(descent.parameters)).data += 1
    assert not torch.equal(before, descent.vector)
