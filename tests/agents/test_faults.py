"""What an environment says is held to its spaces before anything is learned from it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from scripted import Says, Vector, entered

from rlkit.agents import (
    DQN,
    PPO,
    EnvironmentFault,
    NonFiniteError,
    QLearning,
    UnsupportedError,
)
from rlkit.nn import ObservationError
from rlkit.nn.actions import MaskError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*WARN:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*WARN:DeprecationWarning"),
]


def later(bad: Any, good: Any = 1, at: int = 40) -> Callable[[Says], Any]:
    return lambda env: bad if env.total == at else good


PAIR = spaces.Dict(a=spaces.Discrete(5), b=spaces.Box(-1, 1, (1,), np.float32))


@pytest.mark.parametrize(
    ("space", "good", "bad", "named"),
    [
        (spaces.Discrete(5), 1, 10**6, r"observation 1000000 is not in Discrete\(5\)"),
        (spaces.Discrete(5), 1, -1, r"observation -1 is not in Discrete\(5\)"),
        (spaces.Discrete(5, start=2), 2, 1, r"observation 1 is not in Discrete\(5, start=2\)"),
        (
            spaces.MultiDiscrete([2, 9]),
            np.array([1, 8]),
            np.array([2, 1]),
            r"observation 2 is not in MultiDiscrete\(\[2 9\]\)",
        ),
        (
            spaces.MultiBinary(3),
            np.ones(3, np.int8),
            np.array([0, 2, 0], np.int8),
            r"observation 2 is not in MultiBinary\(3\)",
        ),
        (
            spaces.Tuple((spaces.Discrete(3), spaces.Discrete(200))),
            (1, 1),
            (256, 1),  # is 0 in the bytes that these are packed in
            r"observation\[0\] 256 is not in Discrete\(3\)",
        ),
    ],
)
@pytest.mark.parametrize("agent", [QLearning, DQN, PPO])
def test_categories_outside_their_space(agent: Any, space: Any, good: Any, bad: Any, named: str) -> None:
    env_id = entered(space=space, obs=later(bad, good))
    options = {"learning_starts": 16} if agent is DQN else {}
    learner = agent(env_id, num_envs=2, **options)
    with pytest.raises(EnvironmentFault, match=rf"^Says-v0: {named}, in environment \d, in the iteration"):
        learner.train(320)
    assert agent(entered(space=space, obs=later(good, good)), num_envs=2, **options).train(320).steps == 320


def test_a_part_of_a_dict_is_named() -> None:
    numbers = np.zeros(1, np.float32)
    env_id = entered(space=PAIR, obs=later({"a": 5, "b": numbers}, {"a": 4, "b": numbers}))
    with pytest.raises(EnvironmentFault, match=r"observation\['a'\] 5 is not in Discrete\(5\)"):
        PPO(env_id, num_envs=2).train(320)


def no_seed(env: Says) -> Any:
    raise ZeroDivisionError("the engine stalled")


def stacked(env: Says) -> Any:
    return np.stack([np.zeros(1), np.zeros(2)])  # raises within numpy


@pytest.mark.parametrize(
    ("kwargs", "named"),
    [
        (
            {"space": spaces.Discrete(5), "obs": lambda env: 2.5},
            r"reset of Says-v0 failed: observation 2.5 is not in Discrete\(5\)",
        ),
        ({"obs": lambda env: np.zeros(2, np.float32)}, r"observation of shape \(2,\) fits neither \(1,\)"),
        ({"obs": lambda env: "nine"}, "reset of Says-v0 failed"),
        ({"obs": stacked}, r"must have the same shape \(test_faults.py:\d+\)$"),
        ({"obs": lambda env: None}, "reset of Says-v0 failed"),
        ({"reward": lambda env, action: "much"}, "ValueError: .*what reset and step return is at fault"),
        ({"reward": lambda env, action: np.nan}, "Says-v0: reward nan is not finite, in environment 0"),
        (
            {"obs": lambda env: no_seed(env) if env.total == 3 else np.zeros(1, np.float32)},
            r"step of Says-v0 failed: ZeroDivisionError: the engine stalled \(test_faults.py:\d+\)",
        ),
    ],
)
def test_what_breaks_in_an_environment_names_it(kwargs: dict[str, Any], named: str) -> None:
    env_id = entered(**kwargs)
    with pytest.raises((EnvironmentFault, NonFiniteError), match=named) as caught:
        PPO(env_id, num_envs=2).train(320)
    assert "\n" not in str(caught.value)
    with pytest.raises((EnvironmentFault, NonFiniteError), match=named):
        PPO(env_id, num_envs=2).evaluate(2)


class OldStep(Says):
    def step(self, action: Any) -> Any:
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, info


class OldReset(Says):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


@pytest.mark.parametrize(
    ("env", "named"), [(OldStep, "not enough values to unpack"), (OldReset, "unexpected keyword .*'seed'")]
)
def test_old_interfaces_are_named(env: Any, named: str) -> None:
    with pytest.raises(EnvironmentFault, match=rf"of SyncVectorEnv\(num_envs=2\) failed: .*{named}"):
        PPO(SyncVectorEnv([env] * 2)).train(320)


@pytest.mark.parametrize(
    ("says", "named"),
    [
        ({}, None),
        ({"reward": [[0.0], [0.0]]}, r"reward of Vector\(num_envs=2\) must have shape \(2,\), got \(2, 1\)"),
        ({"terminated": False}, r"terminated of .* must have shape \(2,\), got \(\)"),
        ({"truncated": [False] * 3}, r"truncated of .* must have shape \(2,\), got \(3,\)"),
        ({"obs": [1, 2, 3]}, "returned 3 observations for 2 environments"),
        ({"obs": [1.0, 2.5]}, r"observation \[1.0, 2.5\] is not in Discrete\(5\)"),
        ({"obs": [[1], [2]]}, r"observation of shape \(2, 1\) fits neither"),
    ],
)
def test_shapes_of_a_vector_environment(says: dict[str, Any], named: str | None) -> None:
    agent = QLearning(Vector(**says))
    if named is None:
        assert agent.train(10).steps == 10
        return
    with pytest.raises(EnvironmentFault, match=named):
        agent.train(10)


# Masks

TWO = spaces.MultiDiscrete([2, 3])


@pytest.mark.parametrize(
    ("actions", "mask", "named"),
    [
        (None, lambda env: [0, 1], None),
        (None, lambda env: (0, 1), None),
        (None, lambda env: np.array([0.0, 1.0]), None),
        (None, lambda env: np.ones(3 if env.time == 2 else 2), "does not fit|step of Says-v0 failed"),
        (
            None,
            lambda env: np.ones(3, bool),
            r"of shape \(3,\) does not fit Discrete\(2\), which needs \(2,\)",
        ),
        (None, lambda env: [0, 1, 1], r"of shape \(3,\) does not fit"),
        (None, lambda env: np.array([0.0, -np.inf]), "action_mask holds -inf; it may hold 0 and 1"),
        (None, lambda env: "both", "is not 0 and 1 for each action"),
        (None, lambda env: np.zeros(2, bool) if env.time == 2 else np.ones(2, bool), "allows no action"),
        (None, lambda env: np.zeros(2, bool) if env.time == 5 else np.array([0, 1]), None),
        (TWO, lambda env: np.array([0, 1, 0, 0, 1], bool), None),
        (TWO, lambda env: (np.array([0, 1], np.int8), np.array([0, 0, 1], np.int8)), None),
        (TWO, lambda env: np.array([0, 1, 0, 0, 0], bool), r"allows no action of MultiDiscrete\(\[2 3\]\)"),
    ],
)
def test_masks_are_obeyed_or_named(actions: Any, mask: Any, named: str | None) -> None:
    taken = []

    def reward(env: Says, action: Any) -> float:
        taken.append(np.array(action).tolist())
        return 1.0

    env_id = entered(actions=actions, info=lambda env: {"action_mask": mask(env)}, reward=reward)
    agent = PPO(env_id, num_envs=2)
    if named is None:
        agent.train(512)
        assert len(taken) == 512
        assert all(action == (1 if actions is None else [1, 2]) for action in taken)
        return
    with pytest.raises(EnvironmentFault, match=named):
        agent.train(512)


def test_a_mask_that_comes_in_step_alone_is_named() -> None:
    env_id = entered(info=lambda env: {"action_mask": np.array([1, 0])} if env.time else {})
    with pytest.raises(EnvironmentFault, match="gives an action_mask in step but gave none in reset"):
        PPO(env_id, num_envs=2).train(512)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_mask_that_a_step_lacks_is_named(mode: AutoresetMode) -> None:
    def lacking(time: int) -> SyncVectorEnv:
        mask = {"action_mask": np.array([1, 0])}
        parts = [lambda: Says(info=lambda env: {} if env.time == time else mask)] * 2
        return SyncVectorEnv(parts, autoreset_mode=mode)

    with pytest.raises(EnvironmentFault, match="gives an action_mask at first but none in the info of"):
        PPO(lacking(2)).train(64)
    at_the_end = lacking(5)
    assert PPO(at_the_end).train(64).steps == 64


def test_a_box_has_no_mask() -> None:
    env_id = entered(actions=spaces.Box(-1, 1, (1,)), info=lambda env: {"action_mask": "of something else"})
    assert PPO(env_id, num_envs=2).train(64).steps == 64


# What a user asks an agent


def test_observations_and_masks_that_are_asked_about() -> None:
    ppo, dqn, table = PPO("CartPole-v1"), DQN("CartPole-v1"), QLearning("FrozenLake-v1")
    nowhere = np.full(4, np.nan, np.float32)
    for ask in (ppo.act, ppo.value, dqn.act, dqn.q_values):
        with pytest.raises(ValueError, match=r"observation is not finite in float32, at entry \[0\]"):
            ask(nowhere)
    for ask in (table.act, table.q_values):
        with pytest.raises(ObservationError, match=r"observation 1.5 is not in Discrete\(16\)"):
            ask(1.5)
        with pytest.raises(ObservationError, match=r"observation -1 is not in Discrete\(16\)"):
            ask(np.array([3, -1]))
    for mask in ([0, 0], [False, False]):
        with pytest.raises(MaskError, match="action_mask allows no action of Discrete"):
            dqn.act(np.zeros(4, np.float32), mask=mask)
    with pytest.raises(ValueError, match=r"action_mask of shape \(3,\) does not fit"):
        dqn.act(np.zeros(4, np.float32), mask=[0, 1, 1])
    assert dqn.act(np.zeros(4, np.float32), mask=[0, 1])[0] == 1
    assert table.act(3.0)[0] in range(4)


# Observation buffers


class Reuses(gym.Env[Any, Any]):
    """The first of three steps pays 1; every observation is written into one buffer, and every mask."""

    observation_space, action_space = spaces.MultiBinary(4), spaces.Discrete(2)

    def __init__(self, *, copies: bool = False) -> None:
        self.buffer, self.copies = np.zeros(4, np.int8), copies

    def show(self) -> Any:
        self.buffer[:] = 0
        self.buffer[self.time] = 1
        return self.buffer.copy() if self.copies else self.buffer

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self.show(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self.show(), float(self.time == 1), False, self.time == 3, {}


def test_a_reused_buffer_does_not_lose_the_final_observation() -> None:
    gym.register("Says-v0", entry_point=Reuses)
    q = QLearning("Says-v0", num_envs=4, gamma=0.9).train(20_000).q_values(np.eye(4, dtype=np.int8))
    assert q[:3].round(2).tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
def test_a_given_environment_whose_resets_overwrite_is_named(kind: Any) -> None:
    modes = {mode: kind([Reuses] * 2, autoreset_mode=mode) for mode in AutoresetMode}
    with pytest.raises(UnsupportedError, match="every observation, or every mask, in the same buffer"):
        QLearning(modes[AutoresetMode.SAME_STEP]).train(32)
    others = [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED]
    assert [QLearning(modes[mode]).train(32).steps for mode in others] == [32, 32]
    copies = kind([lambda: Reuses(copies=True)] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    assert QLearning(copies).train(32).steps == 32
    for env in (*modes.values(), copies):
        env.close()


class ReusesMask(Says):
    """Observations of its own, and one buffer for all masks."""

    def __init__(self) -> None:
        self.mask = np.ones(2, np.int8)
        super().__init__(spaces.Discrete(1), obs=lambda env: 0, info=ReusesMask.told, length=3)

    def told(self) -> dict[str, Any]:
        self.mask[:] = self.time < 3, 1
        return {"action_mask": self.mask}


def test_masks_that_resets_overwrite_are_named() -> None:
    same = AsyncVectorEnv([ReusesMask] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(UnsupportedError, match="or every mask, in the same buffer"):
        QLearning(same).train(32)
    later = AsyncVectorEnv([lambda: Reuses(copies=True), Reuses], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(UnsupportedError, match="in the same buffer"):
        QLearning(later).train(32)
    for env in (same, later):
        env.close()


class InPlace(Vector):
    """In SAME_STEP mode, with one buffer for what it shows and what it showed last."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
    copies = False

    def step(self, actions: Any) -> Any:
        *said, _ = super().step(actions)
        final = said[0].copy() if self.copies else said[0]
        return *said, {"final_obs": final}


class InPlaceOneByOne(InPlace):
    """The same with views of the buffer, one for each environment."""

    def step(self, actions: Any) -> Any:
        *said, info = super().step(actions)
        views = np.full(2, None, dtype=object)
        views[1] = info["final_obs"][1:].reshape(())
        return *said, {"final_obs": views}


@pytest.mark.parametrize("env", [InPlace, InPlaceOneByOne])
def test_a_vector_environment_that_overwrites_is_named(env: Any) -> None:
    with pytest.raises(UnsupportedError, match="every observation, or every mask, in the same buffer"):
        QLearning(env()).train(32)
    copying = env()
    copying.copies = True
    assert QLearning(copying).train(32).steps == 32
