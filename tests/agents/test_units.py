"""Numbers in the units and the precision in which they are meant."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from scripted import entered

from rlkit.agents import (
    DQN,
    PPO,
    SAC,
    UnsupportedError,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*WARN:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*WARN:DeprecationWarning"),
]


BINS = spaces.Box(np.array([0, -3]), np.array([1, 4]), dtype=np.int8)


@pytest.mark.parametrize(
    ("space", "given", "expected"),
    [
        (
            BINS,
            [[-1, -1], [-0.01, -0.01], [0, 0], [1, 1], [5, -5]],
            [[0, -3], [0, 0], [1, 1], [1, 4], [1, -3]],
        ),
        (spaces.Box(100, np.inf, (1,)), [[-1], [0], [4], [-9]], [[100], [101], [105], [100]]),
        (spaces.Box(-np.inf, -100, (1,)), [[1], [0], [-4], [9]], [[-100], [-101], [-105], [-100]]),
        (spaces.Box(-3.4e38, 3.4e38, (1,)), [[-1], [0], [7]], [[-1], [0], [7]]),
        (spaces.Box(100, 3.4e38, (1,)), [[0]], [[101]]),
        (spaces.Box(0, 1e30, (1,)), [[0]], [[1]]),
        (spaces.Box(0, 1, (1,), np.bool_), [[-1], [-0.1], [0], [3]], [[False], [False], [True], [True]]),
        (spaces.Box(-(2**63), 2**63 - 1, (1,), np.int64), [[-1], [0.2], [7.4]], [[-1], [0], [7]]),
        (spaces.Box(0, 2**63 - 1, (1,), np.int64), [[-1], [0], [7.4], [-9]], [[0], [1], [8], [0]]),
    ],
)
def test_units_of_boxes(space: Any, given: Any, expected: Any) -> None:
    from rlkit.nn.actions import as_given

    taken = as_given(torch.tensor(given, dtype=torch.float32), space)
    assert taken.tolist() == expected
    assert taken.dtype == space.dtype


def test_every_whole_number_of_a_box_is_as_likely() -> None:
    from rlkit.nn.actions import as_given

    space = spaces.Box(-2, 2, (1,), np.int16)
    values, counts = np.unique(as_given(torch.linspace(-1, 1, 1001)[:, None], space), return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert counts.max() - counts.min() <= 1


def test_sac_refuses_bounds_that_are_none() -> None:
    with pytest.raises(UnsupportedError, match="bounded Box"):
        SAC(entered(actions=spaces.Box(-3.4e38, 3.4e38, (1,))))


def test_a_box_with_one_bound_is_left() -> None:
    actions = spaces.Box(100, np.inf, (1,), np.float32)
    env_id = entered(actions=actions, length=1, reward=lambda env, action: 1 - abs(float(action[0]) - 103))
    assert PPO(env_id).train(20_000).evaluate(1).mean_return > 0.7


class Stamped(gym.Env[Any, Any]):
    """Pays for saying the last digit of a time stamp."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.observation_space = space

    def show(self) -> Any:
        self.bit = int(self.np_random.integers(2))
        stamp = np.array([1.7e9 + self.bit])
        return {"time": stamp, "side": 1} if isinstance(self.observation_space, spaces.Dict) else stamp

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.show(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == self.bit)
        return self.show(), reward, True, False, {}


STAMP = spaces.Box(-np.inf, np.inf, (1,), np.float64)


@pytest.mark.parametrize("space", [STAMP, spaces.Dict(time=STAMP, side=spaces.Discrete(2))])
def test_numbers_far_from_zero_are_normalised_before_they_are_rounded(space: Any) -> None:
    gym.register("Says-v0", entry_point=lambda: Stamped(space))
    assert PPO("Says-v0", normalize_obs=True).train(8192).evaluate(50).mean_return == 1
    blind = PPO("Says-v0").train(2048).evaluate(200).mean_return  # in float32 the digits are gone
    assert blind < 0.7


@pytest.mark.parametrize(
    ("agent", "backbone"),
    [(PPO, "mlp"), (PPO, "cnn"), (PPO, "lstm"), (PPO, "attention"), (DQN, "gru"), (SAC, "mlp")],
)
def test_a_default_type_of_the_program_is_its_own(agent: Any, backbone: str) -> None:
    env_id = entered(
        space=spaces.Box(0, 1, (4, 4, 1), np.float32), obs=lambda env: np.zeros((4, 4, 1), np.float32)
    )

    def trained() -> Any:
        options = {} if agent is PPO else {"learning_starts": 64, "train_every": 64, "updates_per_step": 0.02}
        learner = agent(env_id, num_envs=2, backbone=backbone, **options).train(256)
        learner.act(np.zeros((4, 4, 1), np.float32))
        learner.evaluate(2)
        return learner.policy.state_dict()

    plain = trained()
    torch.set_default_dtype(torch.float64)
    try:
        changed = trained()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(plain[name], changed[name]) for name in plain)
