"""`train(steps=N)` takes exactly N environment steps."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from rlkit.agents import DQN, PPO, Agent, QLearning, StepsError, UnsupportedError

AGENTS = [PPO, DQN]


@pytest.mark.filterwarnings("ignore::rlkit.agents.NothingLearned")
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("steps", [97, 1_000, 1_030])
def test_steps_are_exact(agent: type[Agent], steps: int) -> None:
    counter = gym.spec("probe/Ragged-v0").entry_point
    before = counter.steps_taken
    trained = agent("probe/Ragged-v0").train(steps)
    assert counter.steps_taken - before == trained.steps == steps
    trained.train(10)
    assert counter.steps_taken - before == trained.steps == steps + 10


@pytest.mark.parametrize("agent", AGENTS)
def test_next_step_mode_counts_transitions_only(agent: type[Agent]) -> None:
    trained = agent("CartPole-v1").train(1_003)
    assert trained.steps == 1_003
    assert trained.stepper.env.num_envs == trained.config.num_envs
    learned = sum(length for _, length in trained.stepper.finished)
    assert learned <= 1_003 + trained.config.num_envs


@pytest.mark.filterwarnings("ignore::rlkit.agents.NothingLearned")
@pytest.mark.parametrize("agent", AGENTS)
def test_given_environment_must_fit(agent: type[Agent]) -> None:
    env = gym.make_vec(
        "probe/Ragged-v0",
        8,
        vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},
        vectorization_mode="sync",
    )
    trained = agent(env)
    assert trained.config.num_envs == 8
    with pytest.raises(StepsError, match="nearest number is 104"):
        trained.train(101)
    assert trained.train(104).steps == 104


def test_no_steps_are_refused() -> None:
    with pytest.raises(StepsError, match="at least 1"):
        PPO("CartPole-v1").train(0)


def test_a_memory_that_starts_anew_fills_before_it_is_learned_from() -> None:
    agent = DQN("rlkit/Exam-v0", num_envs=8, learning_starts=500, train_every=8, hidden=(8,)).train(1_000)
    updates: list[int] = []
    agent.train(
        1_009, callback=lambda agent, metrics: updates.append(agent.steps) if "loss" in metrics else None
    )
    assert agent.stepper.num_envs == 1
    assert 1_500 <= updates[0] < 1_520


def test_agents_learn_on_vectors_of_environments() -> None:
    with pytest.raises(UnsupportedError, match=r"a VectorEnv, not on TimeLimit; .*SyncVectorEnv"):
        DQN(gym.make("CartPole-v1"))  # type: ignore[arg-type]


def test_an_environment_given_is_made_again_as_it_was(tmp_path: Path) -> None:
    ice = gym.make_vec("FrozenLake-v1", 4, is_slippery=False, desc=["SFG", "HHH"])
    agent = QLearning(ice).train(400)
    assert (agent.env_id, agent.env_kwargs) == (
        "FrozenLake-v1",
        {"is_slippery": False, "desc": ["SFG", "HHH"]},
    )
    assert agent.evaluate(20).mean_return == 1.0
    agent.save(tmp_path / "saved")
    assert QLearning.load(tmp_path / "saved").evaluate(20).mean_return == 1.0
    own = gym.make_vec("rlkit/FrozenLake-v0", 4, slip=0.0)
    assert QLearning(own).env_kwargs == {"slip": 0.0}
    assert DQN(gym.make_vec("CartPole-v1", 4)).env_kwargs == {}


@pytest.mark.parametrize(
    "env",
    [
        gym.wrappers.vector.TransformReward(gym.make_vec("FrozenLake-v1", 2), lambda r: 10 * r),
        gym.make_vec(
            "FrozenLake-v1", 2, wrappers=[lambda env: gym.wrappers.TransformReward(env, lambda r: 10 * r)]
        ),
        gym.make_vec("FrozenLake-v1", 2, map_name=np.array(["4x4", "8x8"]), desc=["SF", "FG"]),
        gym.make_vec("FrozenLake-v1", 2, desc=np.array([list("SF"), list("FG")])),
    ],
)
def test_an_environment_that_cannot_be_made_again_has_no_id(env: Any) -> None:
    agent = QLearning(env)
    assert (agent.env_id, agent.env_kwargs) == (None, {})
    with pytest.raises(UnsupportedError, match="evaluate its policy by evaluate_on"):
        agent.evaluate()
