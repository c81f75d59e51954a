"""Atari games of ale-py, whose batches are another problem than its single environments."""

from pathlib import Path

import pytest
from PIL import Image

from rlkit.agents import PPO
from rlkit.envs.registry import make
from rlkit.evaluate import grade_record
from rlkit.films import make_film
from rlkit.run.train import train

pytest.importorskip("ale_py")
PONG = "ale_py:ALE/Pong-v5"
SMALL = {"num_envs": 2, "rollout_steps": 8, "minibatches": 1, "epochs": 1, "hidden": (8,)}


def test_pong_is_learned_graded_and_filmed_as_the_agent_sees_it(tmp_path: Path) -> None:
    short = {"max_num_frames_per_episode": 80}
    run = tmp_path / "run"
    agent = train(PONG, steps=32, seed=2, overrides=SMALL, env_kwargs=short, device="cpu", out=run)
    assert agent.observation_space.shape == (4, 84, 84)
    assert make(PONG).observation_space.shape == (210, 160, 3)
    found = grade_record(agent, episodes=2, max_steps=20, seed=1)
    assert found["env_kwargs"] == short | {"reward_clipping": False, "episodic_life": False}
    out = tmp_path / "pong.gif"
    assert make_film(str(run), out) > 10
    with Image.open(out) as gif:
        assert gif.size[0] == 4 * 84


def test_rewards_are_clipped_where_an_agent_learns_alone() -> None:
    rewards = {}
    agent = PPO("ale_py:ALE/Qbert-v5", seed=1, device="cpu", **SMALL)
    for graded in (False, True):
        envs = agent.source.make(4, agent.device, graded=graded)
        envs.reset(seed=0)
        envs.action_space.seed(0)
        rewards[graded] = {float(r) for _ in range(60) for r in envs.step(envs.action_space.sample())[1]}
        envs.close()
    assert rewards[False] == {0.0, 1.0}
    assert max(rewards[True]) == 25.0


@pytest.mark.parametrize("seed", range(3))
def test_every_seed_is_one_of_atari(seed: int) -> None:
    agent = PPO(PONG, seed=seed, device="cpu", **SMALL).train(2)
    assert (agent.steps, agent.evaluate(1, max_steps=1).mean_length) == (2, 1)
