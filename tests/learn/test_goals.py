"""Agents with their default settings reach the optimum where it is known, on every seed."""

import pytest

from rlkit.agents import AGENTS, default_steps
from rlkit.evaluate import grade
from rlkit.train import train

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("seed", range(5))]


@pytest.mark.parametrize("agent", AGENTS)
def test_exam(agent: str, seed: int) -> None:
    trained = train("rlkit/Exam-v0", agent=agent, steps=default_steps(agent, "rlkit/Exam-v0"), seed=seed)
    percent = grade(trained).exact.percent_of_optimum
    assert percent is not None
    assert percent >= 99


@pytest.mark.parametrize("agent", AGENTS)
def test_frozen_lake(agent: str, seed: int) -> None:
    trained = train("FrozenLake-v1", agent=agent, steps=default_steps(agent, "FrozenLake-v1"), seed=seed)
    exact = grade(trained).exact
    assert exact.objective == "time-limited"
    assert exact.value is not None
    assert exact.value >= 0.72
    assert trained.evaluate(20_000).mean_return >= 0.71  # the same, with 20,000 episodes' sampling error


def test_ppo_on_cartpole(seed: int) -> None:
    trained = train("CartPole-v1", agent="ppo", steps=100_000, seed=seed)
    assert trained.evaluate(100).mean_return >= 475
