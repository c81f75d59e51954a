"""Settings tuned for single environments, used where the caller gives no configuration of its own.

An agent's config.json holds the resulting values, so a run does not depend on this table later.
"""

from collections.abc import Mapping

DEFAULT_STEPS = 100_000

_EXAM_PPO = {"num_envs": 64, "rollout_steps": 16, "learning_rate": 3e-3, "entropy_coef": 0.01}
_EXAM_DQN = {"num_envs": 16, "updates_per_step": 0.1}
_LAKE_PPO = {
    "num_envs": 32,
    "rollout_steps": 128,
    "learning_rate": 3e-3,
    "entropy_coef": 0.01,
}
_LAKE_DQN = {
    "num_envs": 32,
    "train_every": 128,
    "updates_per_step": 0.05,
    "batch_size": 256,
    "target_every": 2_000,
    "epsilon_end": 0.1,
    "schedule": "linear",
}
_CARTPOLE_PPO = {
    "num_envs": 16,
    "rollout_steps": 32,
    "epochs": 10,
    "learning_rate": 2e-3,
    "gamma": 0.98,
    "gae_lambda": 0.9,
}

_CARTPOLE_DQN = {
    "hidden": (128, 128),
    "train_every": 256,
    "updates_per_step": 0.5,
    "target_every": 256,
    "epsilon_fraction": 0.16,
    "epsilon_end": 0.04,
    "n_step": 3,
    "schedule": "linear",
}

# (agent, environment id): (environment steps that suffice, fields that differ from the defaults)
PRESETS: dict[tuple[str, str], tuple[int, Mapping[str, object]]] = {
    ("ppo", "rlkit/Exam-v0"): (40_000, _EXAM_PPO),
    ("dqn", "rlkit/Exam-v0"): (20_000, _EXAM_DQN),
    ("ppo", "FrozenLake-v1"): (400_000, _LAKE_PPO),
    ("dqn", "FrozenLake-v1"): (200_000, _LAKE_DQN),
    ("ppo", "rlkit/FrozenLake-v0"): (400_000, _LAKE_PPO),
    ("dqn", "rlkit/FrozenLake-v0"): (200_000, _LAKE_DQN),
    ("ppo", "CartPole-v1"): (100_000, _CARTPOLE_PPO),
    ("dqn", "CartPole-v1"): (50_000, _CARTPOLE_DQN),
}


def preset(agent: str, env_id: str | None) -> Mapping[str, object]:
    """The tuned fields of `agent` on `env_id`, or none."""
    return PRESETS.get((agent, env_id or ""), (0, {}))[1]


def default_steps(agent: str, env_id: str | None) -> int:
    """How many environment steps to train for where nobody says."""
    return PRESETS.get((agent, env_id or ""), (DEFAULT_STEPS, {}))[0]
