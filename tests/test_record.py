"""Films: of optimal, random and trained play, as GIF and as MP4."""

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import rlkit
from rlkit.record import RecordError, film, optimal_policy, random_policy, record, write

gym.register_envs(rlkit)


def frames(path):
    with Image.open(path) as gif:
        return gif.n_frames, gif.size


def test_a_gif_of_the_optimal_policy(tmp_path):
    out = tmp_path / "lake.gif"
    pictures = record("rlkit/FrozenLake-v0", out, env_kwargs={"slip": 0.0})
    assert pictures == 1 + 5 + 4  # the start, five moves, and the end four times over
    assert frames(out)[0] >= 7  # like pictures are joined


def test_the_optimal_policy_earns_the_optimum():
    env = gym.make("rlkit/FrozenLake-v0")
    act = optimal_policy(env)
    earned = []
    for episode in range(400):
        observation, info = env.reset(seed=3 if episode == 0 else None)
        begins, over = True, False
        while not over:
            observation, reward, terminated, truncated, info = env.step(act(observation, info, begins))
            begins, over = False, terminated or truncated
        earned.append(reward)
    assert np.mean(earned) == pytest.approx(0.7442, abs=3 * 0.5 / 20)


def test_the_optimal_policy_of_a_table_of_gymnasium():
    env = gym.make("CliffWalking-v1", render_mode="rgb_array", max_episode_steps=50)
    act = optimal_policy(env)
    observation, info = env.reset(seed=0)
    total, begins, over = 0.0, True, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(act(observation, info, begins))
        total, begins, over = total + reward, False, terminated or truncated
    assert total == -13


def test_random_play_is_legal():
    env = gym.make("rlkit/Gambler-v0", render_mode="rgb_array")
    assert len(film(env, random_policy(env, 0), episodes=2)) > 4


def test_an_mp4(tmp_path):
    out = tmp_path / "exam.mp4"
    assert record("rlkit/Exam-v0", out, policy="random", fps=2) > 3
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": "x.avi"}, "must end in .gif or .mp4"),
        ({"out": "x.gif", "policy": "best"}, "none of optimal, random"),
    ],
)
def test_films_that_cannot_be_made(tmp_path, options, message):
    out = tmp_path / options.pop("out")
    with pytest.raises(RecordError, match=message):
        record("rlkit/Exam-v0", out, **options)


def test_mp4_without_an_encoder_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(RecordError, match="rlkit-suite"):
        write([np.zeros((4, 4, 3), dtype=np.uint8)], tmp_path / "x.mp4")
