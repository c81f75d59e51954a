import gymnasium as gym
import numpy as np

from rlkit.agents.replay import Replay
from rlkit.agents.stepper import Step, Stepper
from rlkit.nn import Encoder


def filled(capacity: int, rows: int) -> Replay:
    """Two environments whose observation counts 0, 1, 2, ...; an episode ends after every tenth step."""
    env = gym.make_vec("CartPole-v1", 2)
    encoder = Encoder(gym.spaces.Discrete(1000))
    replay = Replay(
        capacity, stepper=Stepper(env, Encoder(env.single_observation_space), seed=0), encoder=encoder
    )
    for t in range(rows):
        done = np.full(2, t % 10 == 9)
        step = Step(
            np.full(2, t + 1),
            None,
            np.full(2, t, np.float32),
            np.ones(2, np.float32),
            done,
            np.ones(2, np.bool_),
        )
        # The second environment misses every third step.
        replay.add(np.full(2, t), np.full(2, t % 2), step, valid=np.array([True, t % 3 != 0]))
    return replay


def test_the_ring_keeps_the_newest() -> None:
    replay = filled(capacity=20, rows=25)
    assert len(replay) == 20
    assert sorted(replay.obs[:, 0]) == list(range(15, 25))


def test_every_stored_step_is_drawn_alike() -> None:
    replay = filled(capacity=100, rows=30)
    window = replay.sample(50_000, n=1, rng=np.random.default_rng(0))
    counts = np.bincount(window.obs, minlength=30)
    expected = np.array([1000 if t % 3 == 0 else 2000 for t in range(30)])
    assert (np.abs(counts - expected) < 250).all()


def test_windows_follow_one_environment_and_stop_at_its_gaps() -> None:
    replay = filled(capacity=20, rows=25)
    window = replay.sample(2_000, n=3, rng=np.random.default_rng(0))
    for j in range(2_000):
        first, gaps = window.obs[j], window.steps[0, j] % 2 == 1
        for k in range(3):
            t = first + k
            assert window.reward[k, j] == t
            ended, newest = t % 10 == 9, t == (23 if gaps else 24)
            assert window.cut[k, j] == (ended or newest or (gaps and (t + 1) % 3 == 0))
            if window.cut[k, j]:
                break  # what follows a cut is not used
    successor, mask = replay.successor(window.steps[0])
    assert mask is None
    assert (successor == window.obs + 1).all()


def test_state_round_trip() -> None:
    replay, other = filled(capacity=20, rows=25), filled(capacity=20, rows=3)
    other.set_state({name: array.copy() for name, array in replay.state().items()})
    drawn = [r.sample(64, n=3, rng=np.random.default_rng(1)) for r in (replay, other)]
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))
