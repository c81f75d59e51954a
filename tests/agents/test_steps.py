"""`train(steps=N)` takes exactly N environment steps."""

import gymnasium as gym
import pytest
from gymnasium.vector import AutoresetMode

from rlkit.agents import DQN, PPO, Agent, StepsError

AGENTS = [PPO, DQN]


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
