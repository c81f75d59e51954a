"""Films: of optimal, random and trained play, as GIF and as MP4."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

import rlkit
from rlkit.core import NoExactModel, from_successors
from rlkit.envs import MDPEnv
from rlkit.films import FilmError, film, make_film, optimal_policy, random_policy, write

gym.register_envs(rlkit)


def frames(path: Any) -> Any:
    with Image.open(path) as gif:
        return gif.n_frames, gif.size


def test_a_gif_of_the_optimal_policy(tmp_path: Path) -> None:
    out = tmp_path / "lake.gif"
    pictures = make_film("rlkit/FrozenLake-v0", out, env_kwargs={"slip": 0.0})
    assert pictures == 1 + 5 + 4  # the start, five moves, and the end four times over
    assert frames(out)[0] >= 7  # like pictures are joined


def test_the_optimal_policy_earns_the_optimum() -> None:
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


def test_the_optimal_policy_of_a_table_of_gymnasium() -> None:
    env = gym.make("CliffWalking-v1", render_mode="rgb_array", max_episode_steps=50)
    act = optimal_policy(env)
    observation, info = env.reset(seed=0)
    total, begins, over = 0.0, True, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(act(observation, info, begins))
        total, begins, over = total + reward, False, terminated or truncated
    assert total == -13


def test_random_play_is_legal() -> None:
    env = gym.make("rlkit/Gambler-v0", render_mode="rgb_array")
    assert len(film(env, random_policy(env, 0), episodes=2)) > 4


def test_an_mp4(tmp_path: Path) -> None:
    out = tmp_path / "exam.mp4"
    assert make_film("rlkit/Exam-v0", out, policy="random", fps=2) > 3
    assert out.stat().st_size > 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": "x.avi"}, "must end in .gif or .mp4"),
        ({"out": "x.gif", "policy": "best"}, "none of optimal, random"),
    ],
)
def test_films_that_cannot_be_made(tmp_path: Path, options: Any, message: str) -> None:
    out = tmp_path / options.pop("out")
    with pytest.raises(FilmError, match=message):
        make_film("rlkit/Exam-v0", out, **options)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_film_that_cannot_be_written_leaves_the_old_one(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    out, pictures = tmp_path / f"film{suffix}", [np.zeros((16, 16, 3), dtype=np.uint8)] * 2
    out.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write(pictures, out)
    assert caught.value.filename == str(out)
    assert (out.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)
    write(pictures, out)
    assert out.stat().st_size > 3


def test_an_encoder_that_fails_unseen_leaves_the_old_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str, *given: Any, **more: Any) -> Iterator[None]:
        Path(path).touch()
        while True:
            yield

    out = tmp_path / "film.mp4"
    out.write_bytes(b"old")
    monkeypatch.setattr(imageio_ffmpeg, "write_frames", fails)
    with pytest.raises(FilmError, match=r"film.mp4: the encoder failed; is there space left\?"):
        write([np.zeros((16, 16, 3), dtype=np.uint8)] * 2, out)
    assert (out.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)


def test_mp4_without_an_encoder_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(FilmError, match="rlkit-suite"):
        write([np.zeros((4, 4, 3), dtype=np.uint8)], tmp_path / "x.mp4")


def test_a_film_runs_as_fast_as_the_environment_says_unless_told(tmp_path: Path) -> None:
    def pause(name: Any, **options: Any) -> Any:
        out = tmp_path / "film.gif"
        make_film(name, out, policy="random", **options)
        with Image.open(out) as gif:
            return gif.info["duration"]

    assert pause("rlkit/Exam-v0") == 250
    assert pause("CartPole-v1") == 20  # 50 a second
    assert pause("CartPole-v1", fps=10) == 100


def test_a_gif_faster_than_players_show_leaves_pictures_out(tmp_path: Path) -> None:
    pictures = [np.full((8, 8, 3), shade, dtype=np.uint8) for shade in range(0, 210, 10)]
    write(pictures, tmp_path / "fast.gif", fps=100)
    with Image.open(tmp_path / "fast.gif") as gif:
        assert (gif.n_frames, gif.info["duration"]) == (11, 20)
        gif.seek(10)
        assert gif.convert("RGB").getpixel((0, 0)) == pytest.approx((200,) * 3, abs=4), "the end stays"


def test_every_picture_says_who_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rlkit.films

    said = []
    captioned = rlkit.films._captioned
    monkeypatch.setattr(
        rlkit.films,
        "_captioned",
        lambda p, words, player, w: said.append((words, player)) or captioned(p, words, player, w),
    )
    make_film("rlkit/Exam-v0", tmp_path / "x.gif")
    assert {player for _, player in said} == {"optimal play"}
    make_film("rlkit/Exam-v0", tmp_path / "x.gif", policy="random")
    assert said[-1][1] == "random play"
    env = gym.make("CliffWalking-v1", render_mode="rgb_array")
    film(env, optimal_policy(env))
    assert said[-1][0] == "13  down  return -13  end", "names, not numbers"
    env = gym.make("rlkit/RiverSwim-v0", n=3, render_mode="rgb_array")
    film(env, optimal_policy(env), seed=5, longest=12)
    assert said[-1] == ("12  up  return 20,000  cut", ""), "neither 2e+04 nor an end"


def test_what_was_done_is_one_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rlkit.films

    said = []
    captioned = rlkit.films._captioned
    monkeypatch.setattr(
        rlkit.films, "_captioned", lambda p, words, *x: said.append(words) or captioned(p, words, *x)
    )
    name = "two\nlines\x1b[31m and " + "x" * 90
    mdp = from_successors(lambda s: {} if s else {name: [(1.0, 1, 1.0)]}, 0)
    film(MDPEnv(mdp, render_mode="rgb_array"), lambda *_: 0)
    assert said == ["start", "1  two lines and xxxxx…  return 1  end"]


def test_a_plan_too_large_is_no_obstacle_where_nothing_is_left_to_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import rlkit.films

    monkeypatch.setattr(rlkit.films, "PLANNED", 0)
    env = gym.make("rlkit/Empty8x8-v0", observation="grid")
    act = optimal_policy(env)
    observation, info = env.reset(seed=0)
    steps, over = 0, False
    while not over:
        observation, _, over, _, info = env.step(act(observation, info, steps == 0))
        steps += 1
    assert steps == 11  # five forward, a turn, five forward
    with pytest.raises(NoExactModel, match="too large"):
        optimal_policy(gym.make("rlkit/Empty8x8-v0", observation="grid", slip=0.1))


def test_an_own_model_is_filmed_however_it_was_registered(tmp_path: Path) -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    gym.register("FilmedByHand-v0", entry_point=lambda: MDPEnv(mdp))
    assert make_film("FilmedByHand-v0", tmp_path / "x.gif") > 3
