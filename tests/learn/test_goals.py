"""Agents with their default settings reach the optimum where it is known, on every seed."""

import pytest

from rlkit.agents import default_steps
from rlkit.agents.presets import presets
from rlkit.evaluate import grade
from rlkit.run.train import train


def tuned(env_id: str) -> list[str]:
    """The agents that have settings of their own for an environment."""
    return [agent for agent, known in presets() if known == env_id]


pytestmark = [pytest.mark.slow, pytest.mark.parametrize("seed", range(5))]


@pytest.mark.parametrize("agent", tuned("rlkit/Exam-v0"))
def test_exam(agent: str, seed: int) -> None:
    trained = train("rlkit/Exam-v0", agent=agent, steps=default_steps(agent, "rlkit/Exam-v0"), seed=seed)
    percent = grade(trained).score.percent_of_optimum
    assert percent is not None
    assert percent >= 99


@pytest.mark.parametrize("agent", tuned("FrozenLake-v1"))
def test_frozen_lake(agent: str, seed: int) -> None:
    trained = train("FrozenLake-v1", agent=agent, steps=default_steps(agent, "FrozenLake-v1"), seed=seed)
    exact = grade(trained).score
    assert exact.objective == "time-limited"
    assert exact.value is not None
    assert exact.value >= 0.72
    assert trained.evaluate(20_000).mean_return >= 0.71  # the same, with 20,000 episodes' sampling error


def test_ppo_on_cartpole(seed: int) -> None:
    trained = train("CartPole-v1", agent="ppo", steps=100_000, seed=seed)
    assert trained.evaluate(100).mean_return >= 475
