"""Every tabular agent against exact values, with controls; time limits, masks, budgets, saving, bad input."""

import subprocess
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlkit import exact
from rlkit.agents import TABULAR, ConfigError, UnsupportedError
from rlkit.agents.presets import presets
from rlkit.agents.tabular import base, learners
from rlkit.agents.tabular.base import QTable
from rlkit.evaluate import grade
from rlkit.experience.stepper import Step, Stepper
from rlkit.nn import Encoder
from rlkit.trees import flat

ON_POLICY = [learners.MC, learners.Sarsa, learners.NStepSarsa, learners.TDLambda, learners.ExpectedSarsa]
GREEDY = [
    learners.QLearning,
    learners.DoubleQ,
    learners.QLambda,
    learners.DynaQ,
    learners.PrioritizedSweeping,
]
BOTH = ON_POLICY + GREEDY
by_name = {"ids": lambda agent: agent.name}


class Corridor(gym.Env[int, int]):
    """Right three times leads to the end and to reward 1; action 0 is forbidden, and 1 stays."""

    observation_space = spaces.Discrete(3)
    action_space = spaces.Discrete(3)

    def info(self) -> dict[str, Any]:
        return {"action_mask": np.array([0, 1, 1], np.int8)}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return self.at, self.info()

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert action in (1, 2), "an illegal action was taken"
        self.at += int(action == 2)
        return min(self.at, 2), float(self.at == 3), self.at == 3, False, self.info()


gym.register("probe/Corridor-v0", entry_point=Corridor)


def exact_q(env_id: str, *, gamma: float, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """(Q [S, A], which states are not terminal) of the best epsilon-greedy policy, by plain sweeps."""
    mdp = exact(env_id)
    q = np.zeros((mdp.n_states, mdp.n_actions))
    for _ in range(2_000):
        v = np.where(mdp.terminal, 0, (1 - epsilon) * q.max(1) + epsilon * q.mean(1))
        q[mdp.state_of_choice, mdp.action] = mdp.reward + gamma * (mdp.matrix @ v)
    return q, ~mdp.terminal


# What they learn


@pytest.mark.parametrize("agent", GREEDY, **by_name)
def test_the_optimal_values_of_a_deterministic_world_are_found_exactly(agent: Any) -> None:
    q, _ = exact_q("rlkit/CliffWalking-v0", gamma=0.9, epsilon=0)
    options = {"learning_rate": 1, "schedule": "constant", "epsilon_end": 1.0, "gamma": 0.9, "num_envs": 1024}
    learned = agent("rlkit/CliffWalking-v0", **options).train(1024 * 400)
    above = np.arange(37)  # the start and the three rows above the cliff
    np.testing.assert_allclose(learned.q_values(above), q[above], atol=1e-9)


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_the_values_of_the_exam_are_learned(agent: Any) -> None:
    """Those of the epsilon-greedy policy on it, of the greedy one off it; they differ by up to 2."""
    epsilon = 0.5
    q, known = exact_q("rlkit/Exam-v0", gamma=0.95, epsilon=epsilon if agent in ON_POLICY else 0)
    other, _ = exact_q("rlkit/Exam-v0", gamma=0.95, epsilon=0 if agent in ON_POLICY else epsilon)
    options = {"learning_rate": 1, "omega": 0.85, "schedule": "constant", "gamma": 0.95, "num_envs": 512}
    if agent is learners.PrioritizedSweeping:
        options |= {"omega": 0}
    learned = agent("rlkit/Exam-v0", epsilon_start=epsilon, epsilon_end=epsilon, **options).train(512 * 300)
    found = learned.q_values(np.flatnonzero(known))
    assert np.abs(found - q[known]).max() < 0.7
    assert np.abs(found - other[known]).max() > 1.3


@pytest.mark.slow
@pytest.mark.parametrize(("name", "env_id"), [key for key in presets() if key[0] in TABULAR], ids=str)
def test_the_presets_reach_99_percent_of_the_optimum(name: str, env_id: str) -> None:
    steps, fields = presets()[name, env_id]
    found = grade(TABULAR[name](env_id, seed=7, **fields).train(steps)).objectives["discounted"]
    assert found.percent_of_optimum >= 99


# Time limits


def constant_value(agent: Any) -> float:
    """The value of reward 1 for ever, at gamma 0.8, in episodes cut after 5 steps; the truth is 5."""
    options = {"gamma": 0.8, "num_envs": 8, "schedule": "constant", "learning_rate": 0.3}
    return (
        agent("probe/Constant-v0", epsilon_end=1, **options)
        .train(2_000)
        .q_values(np.zeros(1, np.int64))
        .max()
    )


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_time_limits_do_not_lower_the_value(agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a control: taken for termination, they would."""
    assert constant_value(agent) == pytest.approx(5, rel=0.01)
    right = Stepper.step

    def wrong(self: Stepper, action: Any) -> Step:
        step = right(self, action)
        return step._replace(discount=step.discount * ~step.done)

    monkeypatch.setattr(Stepper, "step", wrong)
    assert constant_value(agent) < 4.5


# Masks


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_illegal_actions_are_neither_taken_nor_hoped_for(agent: Any) -> None:
    """Their values stay at 100, which would show in every other."""
    options = {"gamma": 0.5, "num_envs": 20, "initial_value": 100, "epsilon_end": 0.0, "learning_rate": 0.5}
    learned = agent("probe/Corridor-v0", schedule="constant", **options).train(4_000)
    q = learned.q_values(np.arange(3))
    assert (q[:, 0] == 100).all()
    np.testing.assert_allclose(q[:, 2], [0.25, 0.5, 1], atol=1e-3)
    action, _ = learned.act(np.arange(3), mask=np.array([[False, True, True]] * 3))
    assert action.tolist() == [2, 2, 2]


# Steps


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_steps_are_those_asked_for_where_environments_drift_apart(agent: Any) -> None:
    """In NEXT_STEP mode some rows only start episodes: they are not counted, nor learned from."""
    env = gym.make_vec("FrozenLake-v1", 3, vectorization_mode="sync")
    learned = agent(env).train(1_000)
    assert learned.steps == 1_000
    if agent in (learners.QLearning, learners.DoubleQ, learners.Sarsa, learners.TDLambda):
        assert learned.network.visits.sum() == 1_000
    assert learned.train(7).steps == 1_007


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_what_is_learned_depends_on_the_seed_and_not_on_the_iterations(
    agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learned(seed: int) -> np.ndarray:
        return agent("rlkit/FrozenLake-v0", seed=seed, num_envs=100).train(4_000).network.q.numpy()

    once, other = learned(0), learned(1)
    monkeypatch.setattr(base, "STEPS_PER_ITERATION", 300)
    np.testing.assert_array_equal(learned(0), once)
    assert (once != other).any()


def test_room_is_made_for_long_episodes_and_many_outcomes() -> None:
    """Episodes of the cliff outlast the first window, and the taxi's outcomes the first model."""
    mc = learners.MC("rlkit/CliffWalking-v0", num_envs=2, epsilon_end=1.0).train(1_500)
    assert mc.experience.running.pair.shape[1] > 256
    traces = learners.TDLambda("rlkit/CliffWalking-v0", num_envs=2, trace_cutoff=0.0).train(500)
    assert traces.experience.running.pair.shape[1] > 32
    model = learners.DynaQ("rlkit/Taxi-v0").train(256 * 40).learner.records["model"]
    assert model.size[1] > 1_024
    assert model.tries.sum() == 256 * 40


# Saving


@pytest.mark.parametrize("agent", BOTH, **by_name)
def test_training_resumes_from_a_checkpoint_to_the_same_bytes(
    agent: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint falls in the middle of episodes, with windows, traces and queues half full."""
    monkeypatch.setattr(base, "STEPS_PER_ITERATION", 1_000)

    def save(agent: Any, metrics: dict[str, float]) -> None:
        if agent.steps == 2_000:
            agent.save(tmp_path / "saved")

    whole = agent("rlkit/FrozenLake-v0", num_envs=50).train(5_000, callback=save)
    resumed = agent.load(tmp_path / "saved").continue_to(5_000)
    for name, buffer in whole.network.state_dict().items():
        np.testing.assert_array_equal(buffer, resumed.network.state_dict()[name])
    for name, x in flat(whole.state_dict()).items():
        np.testing.assert_array_equal(x, flat(resumed.state_dict())[name], err_msg=name)


@pytest.mark.parametrize("agent", [learners.MC, learners.NStepSarsa, learners.TDLambda, learners.QLambda])
def test_what_hangs_over_is_dropped_where_loading_starts_new_episodes(agent: Any, tmp_path: Any) -> None:
    def lakes() -> Any:
        return gym.make_vec("FrozenLake8x8-v1", 3, vectorization_mode="sync")

    trained = agent(lakes()).train(101)
    trained.save(tmp_path / "saved")
    loaded = agent.load(tmp_path / "saved", env=lakes())
    with pytest.warns(UserWarning, match="start over"):
        loaded.continue_to(101)  # takes up where it stood, and no step
    assert trained.experience.running.length.any()
    assert not loaded.experience.running.length.any()
    assert not loaded.experience.chosen.any()


# Observations


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(12, start=-3),
        spaces.MultiDiscrete([3, 4], start=[5, -1]),
        spaces.MultiDiscrete([[3], [4]]),
        spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=1), spaces.MultiBinary(1)]),
        spaces.Dict(a=spaces.Discrete(6), b=spaces.MultiDiscrete([2])),
    ],
    ids=str,
)
def test_every_observation_has_a_row_of_its_own(space: Any) -> None:
    encoder = Encoder(space)
    table = QTable(encoder, 2, 0.0)
    space.seed(0)
    packed = np.unique([encoder.pack_one(space.sample()) for _ in range(500)], axis=0)
    assert len(packed) == 12
    rows = table.index(torch.from_numpy(packed))
    assert sorted(rows.tolist()) == list(range(12))
    assert table.q.shape == (12, 2)


# Bad input


def test_a_table_refuses_what_has_no_rows_or_too_many() -> None:
    with pytest.raises(UnsupportedError, match="needs observations of Discrete parts, got Box"):
        learners.QLearning("CartPole-v1")
    huge = Encoder(spaces.MultiDiscrete([1_000] * 10))
    with pytest.raises(UnsupportedError, match=r"10\^30 observations with 2 actions"):
        QTable(huge, 2, 0.0)
    assert QTable(Encoder(spaces.MultiDiscrete([1_000, 1_000])), 10, 0.0).q.numel() == base.MAX_CELLS
    with pytest.raises(UnsupportedError, match="1000000 observations with 11 actions are too many"):
        QTable(Encoder(spaces.MultiDiscrete([1_000, 1_000])), 11, 0.0)


@pytest.mark.parametrize(
    ("agent", "field", "value"),
    [
        (learners.QLearning, "hidden", (8,)),
        (learners.QLearning, "optimizer", "sgd"),
        (learners.QLearning, "omega", 1.5),
        (learners.QLearning, "epsilon_end", -0.1),
        (learners.QLearning, "initial_value", float("inf")),
        (learners.NStepSarsa, "n_step", 0),
        (learners.TDLambda, "lambda_", 1.1),
        (learners.TDLambda, "traces", "fading"),
        (learners.DynaQ, "planning_steps", 0),
        (learners.PrioritizedSweeping, "theta", -1.0),
    ],
)
def test_a_bad_setting_is_named(agent: Any, field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        agent("rlkit/Exam-v0", **{field: value})


def test_the_agents_can_be_imported_without_the_compiler() -> None:
    code = "import sys, rlkit.agents.tabular.learners; print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
