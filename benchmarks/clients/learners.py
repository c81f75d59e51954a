"""Packages that learn: each takes an id and its options, as its own examples do, and learns a little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

import rlkit  # noqa: F401  (registers the ids)


def flat(id: str, **options: Any) -> gym.Env[Any, Any]:
    """An environment whose observations are vectors, by Gymnasium's own wrapper."""
    return gym.wrappers.FlattenObservation(gym.make(id, **options))


def cleanrl(id: str, **options: Any) -> None:
    """a single-file loop over a vector of environments, with episode statistics"""
    import numpy as np
    import torch

    envs = gym.vector.SyncVectorEnv([lambda: flat(id, **options)] * 2)
    envs = gym.wrappers.vector.RecordEpisodeStatistics(envs)
    network = torch.nn.Linear(
        int(np.prod(envs.single_observation_space.shape)), int(envs.single_action_space.n)
    )
    obs, _ = envs.reset(seed=1)
    for _ in range(200):
        logits = network(torch.as_tensor(obs, dtype=torch.float32))
        action = torch.distributions.Categorical(logits=logits).sample()
        obs, _, terminated, truncated, infos = envs.step(action.numpy())
        if (terminated | truncated).any():
            assert "episode" in infos


def stable_baselines3(id: str, **options: Any) -> None:
    """PPO"""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(id, 2, seed=0, env_kwargs=options)
    policy = "MultiInputPolicy" if isinstance(envs.observation_space, gym.spaces.Dict) else "MlpPolicy"
    PPO(policy, envs, n_steps=16, batch_size=32, n_epochs=1, device="cpu").learn(64)


def sb3_contrib(id: str, **options: Any) -> None:
    """MaskablePPO"""
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.env_util import make_vec_env

    envs = make_vec_env(id, 2, seed=0, env_kwargs=options)
    policy = "MultiInputPolicy" if isinstance(envs.observation_space, gym.spaces.Dict) else "MlpPolicy"
    MaskablePPO(policy, envs, n_steps=16, batch_size=32, n_epochs=1, device="cpu").learn(64)


def torchrl(id: str, **options: Any) -> None:
    """GymEnv, with its check of specifications"""
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    env = GymEnv(id, categorical_action_encoding=True, **options)
    check_env_specs(env)
    env.rollout(50, break_when_any_done=False)


def torchrl_masks(id: str, **options: Any) -> None:
    """GymEnv with ActionMask"""
    import torch
    from torchrl.data import Binary, Composite
    from torchrl.envs import ActionMask, GymEnv, TransformedEnv, default_info_dict_reader

    env = GymEnv(id, categorical_action_encoding=True, **options)
    mask = Composite(action_mask=Binary(env.action_spec.space.n, dtype=torch.bool), shape=[])
    env.set_info_dict_reader(default_info_dict_reader(["action_mask"], spec=mask))
    TransformedEnv(env, ActionMask()).rollout(50, break_when_any_done=False)


def skrl(id: str, **options: Any) -> None:
    """DQN"""
    from skrl.agents.torch.dqn import DQN, DQN_CFG
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.memories.torch import RandomMemory
    from skrl.trainers.torch import SequentialTrainer
    from skrl.utils.model_instantiators.torch import deterministic_model

    env = wrap_env(gym.vector.SyncVectorEnv([lambda: flat(id, **options)] * 2))
    network = [{"name": "net", "input": "OBSERVATIONS", "layers": [16], "activations": "relu"}]
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    models = {
        name: deterministic_model(**spaces, device=env.device, network=network, output="ACTIONS")
        for name in ("q_network", "target_q_network")
    }
    cfg = DQN_CFG(batch_size=16)
    cfg.experiment.write_interval = cfg.experiment.checkpoint_interval = 0
    agent = DQN(
        models=models,
        memory=RandomMemory(memory_size=100, num_envs=env.num_envs, device=env.device),
        cfg=cfg,
        device=env.device,
        **spaces,
    )
    SequentialTrainer(
        cfg={"timesteps": 50, "headless": True, "disable_progressbar": True}, env=env, agents=agent
    ).train()


def tianshou(id: str, **options: Any) -> None:
    """DQN"""
    _tianshou(lambda: flat(id, **options))


def tianshou_masks(id: str, **options: Any) -> None:
    """DQN, the mask put into the observation by a wrapper"""

    class Masked(gym.Wrapper):
        def reset(self, **given: Any) -> Any:
            obs, info = self.env.reset(**given)
            return {"obs": obs, "mask": info["action_mask"].astype(bool)}, info

        def step(self, action: Any) -> Any:
            obs, *told, info = self.env.step(action)
            return {"obs": obs, "mask": info["action_mask"].astype(bool)}, *told, info

    _tianshou(lambda: Masked(flat(id, **options)))


def _tianshou(make: Callable[[], gym.Env[Any, Any]]) -> None:
    from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
    from tianshou.algorithm.optim import AdamOptimizerFactory
    from tianshou.data import Collector, VectorReplayBuffer
    from tianshou.env import DummyVectorEnv
    from tianshou.utils.net.common import Net
    from tianshou.utils.torch_utils import policy_within_training_step

    env = make()
    model = Net(state_shape=env.observation_space.shape, action_shape=env.action_space.n, hidden_sizes=[16])
    policy = DiscreteQLearningPolicy(model=model, action_space=env.action_space, eps_training=0.5)
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(), target_update_freq=10)
    buffer = VectorReplayBuffer(200, 2)
    collector = Collector(algorithm, DummyVectorEnv([make] * 2), buffer, exploration_noise=True)
    collector.reset()
    with policy_within_training_step(policy):
        collector.collect(n_step=100)
        algorithm.update(buffer, sample_size=16)


def rllib(id: str, **options: Any) -> None:
    """PPO"""
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.connectors.env_to_module import FlattenObservations

    algorithm = (
        PPOConfig()
        .environment(id, env_config=options)
        .env_runners(num_env_runners=0, env_to_module_connector=lambda *_, **__: FlattenObservations())
        .training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
        .build_algo()
    )
    assert algorithm.train()["num_env_steps_sampled_lifetime"]
    algorithm.stop()


def d3rlpy(id: str, **options: Any) -> None:
    """DQN online, the experience kept for offline learning"""
    from d3rlpy.algos import DQNConfig
    from d3rlpy.dataset import FIFOBuffer, ReplayBuffer
    from d3rlpy.logging import NoopAdapterFactory

    env = flat(id, **options)
    buffer = ReplayBuffer(FIFOBuffer(200), env=env)
    quiet = {"show_progress": False, "logger_adapter": NoopAdapterFactory()}
    DQNConfig(batch_size=16).create(device="cpu").fit_online(
        env, buffer, n_steps=100, n_steps_per_epoch=50, update_start_step=50, **quiet
    )


def minari(id: str, **options: Any) -> None:
    """a dataset of episodes, written, read, and its environment recovered"""
    import numpy as np
    from minari import DataCollector, delete_dataset, load_dataset

    name = "rlkit/trial-v0"
    env = DataCollector(gym.make(id, **options))
    env.action_space.seed(0)
    _, info = env.reset(seed=0)
    rewards = []
    for _ in range(50):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample(info.get("action_mask")))
        rewards.append(float(reward))
        if terminated or truncated:
            _, info = env.reset()
    env.create_dataset(name)
    try:
        dataset = load_dataset(name)
        kept = np.concatenate([episode.rewards for episode in dataset.iterate_episodes()])
        assert kept.tolist() == rewards
        dataset.recover_environment().reset()
    finally:
        delete_dataset(name)
