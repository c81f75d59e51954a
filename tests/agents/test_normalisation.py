"""Running statistics against numpy, and what is learned against rewards in other units."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from saved_agents import forge
from torch import Tensor

from rlkit import storage
from rlkit.agents import AGENTS, DQN, NEURAL, PPO, LoadError, UnsupportedError
from rlkit.agents.ppo import PPOLearner
from rlkit.experience.rollout import Batch
from rlkit.nn.normalisation import Moments, NormalisingEncoder, Statistics

SMALL: dict[str, Any] = {"hidden": (4,), "num_envs": 4, "rollout_steps": 8}

NETWORKS = list(NEURAL)


def test_moments_are_those_of_all_that_was_seen() -> None:
    rng = np.random.default_rng(0)
    moments, kept = Moments((2,)), []
    for n in (1, 5, 3, 40):
        x = rng.normal([1e6, -3], [0.1, 2], (n, 2))
        where = rng.random(n) < 0.7
        moments.add(torch.from_numpy(x), torch.from_numpy(where))
        kept.append(x[where])
    seen = np.concatenate(kept)
    assert moments.count == len(seen)
    np.testing.assert_allclose(moments.mean, seen.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.scale(), 1 / seen.std(0), rtol=1e-6)
    naive = np.float32(seen**2).mean(0) - np.float32(seen).mean(0) ** 2
    assert abs(naive[0] - seen.var(0)[0]) > seen.var(0)[0], "which sums of squares would have lost"


def test_nothing_seen_changes_nothing() -> None:
    moments = Moments((2,))
    moments.add(torch.ones(3, 2), torch.zeros(3, dtype=torch.bool))
    assert moments.mean.tolist() == [0, 0]
    assert moments.scale().tolist() == [1, 1]
    moments.add(torch.full((3, 2), 0.1), torch.ones(3, dtype=torch.bool))
    assert moments.scale().tolist() == [1, 1], "what never varies is not blown up"


MIXED = spaces.Dict(
    {
        "age": spaces.Box(0, 100, (1,), np.float32),
        "kind": spaces.Discrete(3),
        "level": spaces.Box(0, 255, (2,), np.uint8),
        "view": spaces.Box(0, 1, (4, 4, 1), np.float32),
    }
)


def test_numbers_are_normalised_and_nothing_else() -> None:
    encoder = NormalisingEncoder(MIXED)
    moments = Moments(encoder.shape)
    moments.add(torch.tensor([0.0, 4.0])[:, None].expand(2, *encoder.shape), torch.ones(2, dtype=torch.bool))
    encoder.read(moments)  # mean 2, standard deviation 2 everywhere
    obs = {
        "age": np.array([[5.0], [100.0]], np.float32),
        "kind": np.array([2, 0]),
        "level": np.array([[7, 200], [0, 1]], np.uint8),
        "view": np.full((2, 4, 4, 1), 0.5, np.float32),
    }
    age, kind, level, view = encoder(torch.from_numpy(encoder.pack(obs))).split([1, 3, 2, 16], -1)
    assert age.tolist() == [[1.5], [10.0]], "(5 - 2) / 2, and (100 - 2) / 2 clipped"
    assert kind.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert level.tolist() == [[7, 200], [0, 1]]
    assert view.unique().tolist() == [0.5]


def test_observations_without_numbers_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"normalize_obs has no numbers to normalise .* Discrete\(6\)"):
        PPO("rlkit/Exam-v0", normalize_obs=True)


class Clock(gym.Env[Any, int]):
    """Reward `unit` for every step; episodes end after three steps, or after two by a time limit.

    What is seen is a number that is different in every step.
    """

    observation_space = spaces.Box(-1e6, 1e6, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, unit: float = 1.0, limit: int = 99) -> None:
        self.unit, self.limit, self.total = unit, limit, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        reward = self.unit * (1 + action + self.time**2)
        return self._seen(), reward, self.time == 3, self.time == self.limit, {}

    def _seen(self) -> Any:
        self.total += 1
        return np.array([self.total], np.float32)


def clocks(mode: AutoresetMode, **kwargs: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Clock(**kwargs)] * 2, autoreset_mode=mode)


def returns_seen(mode: AutoresetMode, *, limit: int = 99) -> Moments:
    agent = DQN(clocks(mode, limit=limit), hidden=(4,), normalize_reward=True, gamma=0.5, learning_starts=999)
    agent.loop.ready(2)
    for _ in range(12):
        agent.experience.step(torch.zeros(2, dtype=torch.int64))
    assert agent.learner.statistics.returns is not None
    return agent.learner.statistics.returns


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize(("limit", "returns"), [(99, [2, 6, 13]), (2, [2, 6])])
def test_discounted_returns_start_over_with_every_episode(
    mode: AutoresetMode, limit: int, returns: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Rewards 2, 5, 10: returns 2, 5 + 2 / 2, 10 + 6 / 2.
    found = returns_seen(mode, limit=limit)
    episodes = 12 // (len(returns) + (mode is AutoresetMode.NEXT_STEP))
    assert found.count == 2 * len(returns) * episodes, "the turn that starts an episode is no step"
    assert found.mean.item() == pytest.approx(np.mean(returns))
    assert found.scale().item() == pytest.approx(1 / np.std(returns))

    right = Statistics.see

    def wrong(self: Statistics, obs: Tensor, reset: Tensor, *seen: Tensor) -> None:
        right(self, obs, torch.zeros_like(reset), *seen)

    monkeypatch.setattr(Statistics, "see", wrong)
    assert returns_seen(mode, limit=limit).scale().item() != pytest.approx(1 / np.std(returns), rel=0.03)


def learned(name: str, *, unit: float, scaled: bool) -> tuple[dict[str, Tensor], float]:
    """The parameters after a training with rewards in some unit, and the mean return that is reported."""
    settings: dict[str, Any] = {"hidden": (4,), "normalize_reward": scaled, "seed": 1}
    if hasattr(AGENTS[name].Config, "learning_starts"):
        settings |= {"learning_starts": 64, "batch_size": 16}
    agent = AGENTS[name](clocks(AutoresetMode.SAME_STEP, unit=unit), **settings).train(256)
    finished = agent.stepper.finished
    network = {k: v for k, v in agent.policy.state_dict().items() if k.startswith("network")}
    return network, sum(value for value, _ in finished) / len(finished)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_unit_of_rewards_makes_no_difference_to_what_is_learned(name: str) -> None:
    (a, return_a), (b, return_b) = (learned(name, unit=unit, scaled=True) for unit in (1, 1024))
    assert all(torch.equal(a[key], b[key]) for key in a), "powers of two are exact"
    assert return_b == 1024 * return_a, "returns are reported as they are"
    (a, _), (b, _) = (learned(name, unit=unit, scaled=False) for unit in (1, 1024))
    assert not all(torch.equal(a[key], b[key]) for key in a)


def test_the_network_reads_normalised_observations_of_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = PPO("CartPole-v1", **SMALL, normalize_obs=True)
    seen = []
    right = Statistics.see

    def see(self: Statistics, obs: Tensor, reset: Tensor, reward: Tensor, valid: Tensor) -> None:
        seen.append(obs[valid])
        right(self, obs, reset, reward, valid)

    monkeypatch.setattr(Statistics, "see", see)
    agent.train(128)
    every = torch.cat(seen).double()
    moments = agent.learner.statistics.obs
    assert moments is not None
    assert moments.count == len(every)
    torch.testing.assert_close(moments.mean, every.mean(0))
    torch.testing.assert_close(moments.scale(), 1 / every.std(0, correction=0))
    before = moments.count.item()
    agent.evaluate(3)
    agent.act(np.zeros(4, np.float32))
    assert moments.count == before
    normalised = agent.policy.encoder(every.float()).double()
    assert (normalised.abs() <= 10).all()
    assert normalised.mean().abs() < 0.2


def test_target_networks_read_observations_as_they_are_read_now() -> None:
    agent = DQN("CartPole-v1", hidden=(4,), normalize_obs=True, learning_starts=64)
    readers = [m for m in agent.learner.target.modules() if isinstance(m, NormalisingEncoder)]
    assert readers == [agent.policy.encoder]


class CheckedLearner(PPOLearner):
    """Notes how far the policy that learns is from the one that acted."""

    gap = 0.0
    too_early = False

    def update(self, batch: Batch) -> dict[str, Tensor]:
        if self.too_early:
            self.statistics.update()
        params, _ = self.network(batch.obs, batch.state, batch.reset)
        log_prob, _ = self.head.log_prob_and_entropy(params, batch.columns[0], batch.mask)
        self.gap = max(self.gap, (log_prob - batch.columns[1]).abs().max().item())
        return super().update(batch)


class Checked(PPO):
    Learner = CheckedLearner


def test_the_policy_that_learns_is_the_one_that_acted() -> None:
    agent = Checked("CartPole-v1", **SMALL, learning_rate=0.1, normalize_obs=True).train(512)
    assert agent.learner.gap < 1e-5
    agent = Checked("CartPole-v1", **SMALL, learning_rate=0.1, normalize_obs=True)
    agent.learner.too_early = True
    assert agent.train(512).learner.gap > 1e-3


def test_a_loaded_agent_reads_observations_alike(tmp_path: Path) -> None:
    settings = {**SMALL, "normalize_obs": True, "normalize_reward": True, "evaluate_every": 64}
    trained = PPO("CartPole-v1", **settings).train(256)
    trained.save(tmp_path / "saved")
    loaded = PPO.load(tmp_path / "saved")
    obs = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.testing.assert_array_equal(trained.value(obs), loaded.value(obs))
    for name, tensor in trained.learner.statistics.state_dict().items():
        assert torch.equal(tensor, loaded.learner.statistics.state_dict()[name]), name
    fresh = PPO("CartPole-v1", **SMALL, normalize_obs=True)
    state = trained.network.state_dict()
    weights = {name: x for name, x in state.items() if not name.endswith(("._mean", "._scale"))}
    fresh.network.load_state_dict(weights, strict=False)
    assert not np.array_equal(trained.value(obs), fresh.value(obs)), (
        "without its statistics it reads otherwise"
    )


def test_returns_of_running_episodes_are_resumed(tmp_path: Path) -> None:
    """Every step of the cliff costs 1, so that the checkpoint falls among returns that are not 0."""
    whole = PPO("rlkit/CliffWalking-v0", **SMALL, normalize_reward=True).train(64)
    whole.save(tmp_path / "saved")
    assert whole.learner.statistics.ongoing.any()
    resumed = PPO.load(tmp_path / "saved").continue_to(128)
    whole.continue_to(128)
    for name, x in whole.learner.statistics.state_dict().items():
        assert torch.equal(x, resumed.learner.statistics.state_dict()[name]), name


@pytest.mark.parametrize("change", [lambda x: x[None], lambda x: x.double()])
def test_returns_of_another_form_are_refused(change: Any, tmp_path: Path) -> None:
    PPO("rlkit/CliffWalking-v0", **SMALL, normalize_reward=True).train(64).save(tmp_path / "saved")
    tensors = dict(storage.read(tmp_path / "saved").tensors)
    name = "learner/ongoing"
    forge(tmp_path / "saved", lambda meta: None, {**tensors, name: change(tensors[name]).contiguous()})
    with pytest.raises(LoadError, match="is damaged: ongoing is"):
        PPO.load(tmp_path / "saved")
