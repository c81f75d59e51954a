"""Pictures and text without a display."""

import gymnasium as gym
import numpy as np
import pytest

import rlkit
from rlkit.envs.rendering.sheet import AGENT, LARGEST_CELL as CELL

gym.register_envs(rlkit)


def test_the_agent_is_drawn_where_it_stands() -> None:
    env = gym.make("rlkit/FrozenLake-v0", render_mode="rgb_array", slip=0.0)
    env.reset(seed=0)
    env.step(2)
    image = env.render()
    assert image.shape == (4 * CELL, 4 * CELL, 3)
    assert image.dtype == np.uint8
    assert image[CELL // 2, CELL + CELL // 2].tolist() == list(AGENT)
    assert image[CELL // 2, CELL // 2].tolist() != list(AGENT)


def test_text_of_a_grid_and_of_a_table() -> None:
    env = gym.make("rlkit/FrozenLake-v0", render_mode="ansi", slip=0.0)
    env.reset(seed=0)
    env.step(2)
    assert env.render().splitlines() == ["(right →)", "S@..", ".H.H", "...H", "H..G"]
    exam = gym.make("rlkit/Exam-v0", render_mode="ansi")
    exam.reset(seed=0)
    assert exam.render() == "u0\n"


def test_a_table_shows_another_picture_in_another_state() -> None:
    env = gym.make("rlkit/Exam-v0", render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    env.step(1)
    assert before.shape == env.render().shape
    assert (before != env.render()).any()


def test_unknown_mode() -> None:
    from rlkit.envs import MDPEnv

    with pytest.raises(ValueError, match="rgb_array, human, ansi"):
        MDPEnv(rlkit.exact("rlkit/Exam-v0"), render_mode="hologram")
