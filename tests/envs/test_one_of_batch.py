"""Where a package's batches are another problem than its single environments, agents are graded on these."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from PIL import Image
from reports import shown

from rlkit.agents import PPO
from rlkit.catalogue import describe
from rlkit.envs.adapters.one_of_batch import OneOfBatch, picture_of
from rlkit.evaluate import grade_record
from rlkit.films import film, make_film
from rlkit.report import environment
from rlkit.run.train import train

LENGTH, PAID = 3, 5.0
SPACE = spaces.Box(0, 255, (2, 40, 30), np.uint8)


class Single(gym.Env):
    observation_space, action_space = spaces.Box(-1, 1, (4,), np.float32), spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, render_mode: Any = None) -> None:
        self.render_mode = render_mode


class Stacks(VectorEnv):
    """Episodes of three steps; a picture is as bright as the episode is old, and below it the one before."""

    def __init__(
        self, num_envs: Any, autoreset_mode: Any = AutoresetMode.NEXT_STEP, reward_clipping: bool = True
    ) -> None:
        self.num_envs, self.single_observation_space = num_envs, SPACE
        self.single_action_space = spaces.Discrete(2)
        self.mode, self.paid = AutoresetMode(autoreset_mode), 1.0 if reward_clipping else PAID
        self.metadata = {"autoreset_mode": self.mode}

    def seen(self) -> Any:
        ages = np.stack([np.maximum(self.age - 1, 0), self.age], axis=1).astype(np.uint8)
        return np.broadcast_to(10 * ages[:, :, None, None], (self.num_envs, *SPACE.shape)).copy()

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, np.bool_))
        self.age = np.where(mask, 0, getattr(self, "age", 0))
        return self.seen(), {}

    def step(self, actions: Any) -> Any:
        fresh = (self.age == LENGTH) & (self.mode is AutoresetMode.NEXT_STEP)
        self.age = np.where(fresh, 0, self.age + 1)
        over, info = self.age == LENGTH, {"lives": np.full(self.num_envs, 2)}
        if self.mode is AutoresetMode.SAME_STEP and over.any():
            info |= {"final_obs": self.seen(), "_final_obs": over, "final_info": {}, "_final_info": over}
            self.age = np.where(over, 0, self.age)
        return self.seen(), np.where(fresh, 0, self.paid), over, np.zeros_like(over), info


@pytest.fixture
def stacks() -> Iterator[Any]:
    gym.register("Stacks-v0", Single, vector_entry_point=Stacks)
    yield "Stacks-v0"
    gym.registry.pop("Stacks-v0")


@pytest.mark.parametrize("mode", AutoresetMode)
def test_one_of_a_batch_ends_with_its_own_last_observation(mode: Any) -> None:
    env = OneOfBatch(Stacks(1, mode))
    for _ in range(2):
        observation, _ = env.reset(seed=0)
        ages, ends = [observation[-1, 0, 0] // 10], [False]
        while not ends[-1]:
            observation, reward, terminated, truncated, info = env.step(1)
            ages.append(observation[-1, 0, 0] // 10)
            ends.append(terminated)
            assert (reward, truncated, info["lives"]) == (1.0, False, 2)
            assert env.observation_space.contains(observation)
            assert env.render()[0, 0].tolist() == [10 * ages[-1]] * 3
        assert ages == [0, 1, 2, 3]
    assert len(film(env, lambda *told: 0)) == 1 + LENGTH + 3  # the last picture four times


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3), (5, 40, 30), (5, 40, 30, 3)])
def test_pictures_are_the_newest_of_a_stack(shape: Any) -> None:
    space = spaces.Box(0, 255, shape, np.uint8)
    seen = np.zeros(shape, np.uint8)
    newest = seen if shape in ((40, 30), (40, 30, 3)) else seen[-1]
    newest[2, 7] = 9
    picture = picture_of(seen, space)
    factor = picture.shape[1] // 30
    assert picture.shape == (40 * factor, 30 * factor, 3)
    assert picture.sum() == 3 * 9 * factor**2
    assert (picture[2 * factor, 7 * factor] == 9).all()


@pytest.mark.parametrize(
    "space", [spaces.Box(0, 1, (4, 4), np.float32), spaces.Box(0, 9, (4,), np.uint8), spaces.Discrete(4)]
)
def test_what_is_no_picture_is_none(space: Any) -> None:
    assert picture_of(space.sample(), space) is None


def test_agents_are_graded_unclipped_and_filmed_as_they_see_it(stacks: Any, tmp_path: Path) -> None:
    shown: list[Any] = []
    agent = train(
        stacks,
        steps=64,
        overrides={"num_envs": 4, "rollout_steps": 8},
        out=tmp_path / "run",
        on_progress=shown.append,
    )
    assert shown[-1]["mean_return"] == LENGTH  # while learning
    assert shown[-1]["settings"].endswith("; in Stacks, graded with reward_clipping=False")
    found = grade_record(agent, episodes=4)
    assert found["mean_return"] == LENGTH * PAID
    assert found["env_kwargs"] == {"reward_clipping": False}
    out = tmp_path / "film.gif"
    held = OneOfBatch.metadata["render_fps"] - 1  # the last picture stays for a second
    assert make_film(str(tmp_path / "run"), out) == 1 + LENGTH + held
    with Image.open(out) as gif:
        assert gif.size[0] >= 300
        gif.seek(gif.n_frames - 1)
        assert gif.convert("RGB").getpixel((0, 0)) == (30, 30, 30)


def test_rlkit_envs_tells_what_agents_observe(stacks: Any) -> None:
    record = describe(stacks)
    assert record["observation"] == str(Single.observation_space)
    assert record["batch_observation"] == str(SPACE)
    assert f"{SPACE}, in batches" in shown(environment(record), 200)


def test_an_option_that_is_asked_for_is_kept_for_learning_alone(stacks: Any) -> None:
    agent = PPO(stacks, env_kwargs={"reward_clipping": True}, num_envs=2, rollout_steps=8).train(32)
    assert agent.stepper.finished[-1][0] == LENGTH
    assert agent.evaluate(2).mean_return == LENGTH * PAID
