"""Settings tuned for single environments, used where the caller gives no configuration of its own.

An agent's config.json holds the resulting values, so a run does not depend on this table later.
"""

from collections.abc import Mapping

DEFAULT_STEPS = 100_000

EXAM, LAKE, CLIFF, TAXI = (f"rlkit/{name}-v0" for name in ("Exam", "FrozenLake", "CliffWalking", "Taxi"))

_EXAM_PPO = {"num_envs": 64, "rollout_steps": 16, "learning_rate": 3e-3, "entropy_coef": 0.01}

# What is rare must be met before the policy settles: much entropy, or many random steps at first. Where that
# makes places look worse than they are, as on ice at gamma 0.99, a nearer horizon is needed.
_LAKE_A2C = {
    "num_envs": 64,
    "rollout_steps": 16,
    "gamma": 0.97,
    "learning_rate": 2e-3,
    "entropy_coef": 0.01,
}
_LAKE_PPO = {**_LAKE_A2C, "rollout_steps": 64, "learning_rate": 1e-3}
_LAKE_REINFORCE = {**_LAKE_PPO, "learning_rate": 3e-3, "normalize_advantage": False}
_LAKE_PQN = {"num_envs": 64, "epsilon_end": 0.1, "lambda_": 0.3}

_CLIFF = {
    "num_envs": 64,
    "rollout_steps": 32,
    "learning_rate": 2e-3,
    "entropy_coef": 0.1,
    "normalize_reward": True,
}

# Putting down a passenger costs 10 almost everywhere. A network that has learned this hardly tries it where
# it pays; a linear policy has weights of its own for each state.
_TAXI_A2C = {
    "hidden": (),
    "num_envs": 128,
    "learning_rate": 0.01,
    "entropy_coef": 0.1,
    "normalize_reward": True,
}
_TAXI_PPO = {**_TAXI_A2C, "rollout_steps": 64}
_TAXI_REINFORCE = {**_TAXI_A2C, "rollout_steps": 8, "normalize_advantage": False}

_EXAM_DQN = {"num_envs": 16, "updates_per_step": 0.1}
_TABLE_DQN = {
    "num_envs": 32,
    "train_every": 128,
    "updates_per_step": 0.05,
    "batch_size": 256,
    "schedule": "linear",
}
_LAKE_DQN = {**_TABLE_DQN, "target_every": 2_000, "epsilon_end": 0.1}
_TAXI_DQN = {
    **_TABLE_DQN,
    "train_every": 256,
    "target_every": 2_000,
    "learning_starts": 20_000,
    "learning_rate": 3e-3,
    "epsilon_fraction": 0.6,
}

# Three steps of a random policy say little of the optimum: rainbow looks one step ahead. Noise in the network
# explores too little where most actions are bad: there it is epsilon-greedy.
_EXAM_RAINBOW = {**_EXAM_DQN, "n_step": 1, "v_min": -4.0, "v_max": 4.0, "schedule": "linear"}
_LAKE_RAINBOW = {
    **_TABLE_DQN,
    "batch_size": 128,
    "target_every": 1_000,
    "noisy": False,
    "epsilon_end": 0.1,
    "n_step": 1,
    "v_min": 0.0,
    "v_max": 1.0,
}
_CLIFF_RAINBOW = {
    **_TABLE_DQN,
    "target_every": 1_000,
    "noisy": False,
    "epsilon_end": 0.1,
    "n_step": 1,
    "v_min": -100.0,
    "v_max": 0.0,
    "atoms": 101,
}
_TAXI_RAINBOW = {**_TAXI_DQN, "noisy": False, "n_step": 1, "v_min": -60.0, "v_max": 20.0}

_TABLE_SAC = {**_TABLE_DQN, "schedule": "constant"}
_LAKE_SAC = {**_TABLE_SAC, "learning_starts": 20_000, "target_rate": 0.02, "alpha": 0.01}
_CLIFF_SAC = {**_TABLE_SAC, "learning_starts": 50_000, "target_rate": 0.05, "alpha": 0.1}

_TAXI_SAC = {
    **_TABLE_SAC,
    "hidden": (),
    "batch_size": 512,
    "replay_size": 300_000,
    "learning_starts": 50_000,
    "learning_rate": 0.03,
    "target_rate": 0.02,
    "entropy": 0.2,
}

_CARTPOLE_PPO = {
    "num_envs": 64,
    "rollout_steps": 32,
    "learning_rate": 4e-3,
    "value_coef": 1.0,
    "normalize_obs": True,
}
_CARTPOLE_PQN = {
    "num_envs": 32,
    "rollout_steps": 16,
    "epochs": 8,
    "lambda_": 0.95,
    "epsilon_fraction": 0.2,
    "max_grad_norm": 1.0,
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
_ACROBOT_PPO = {
    "num_envs": 32,
    "rollout_steps": 64,
    "learning_rate": 2e-3,
    "entropy_coef": 0.01,
    "normalize_obs": True,
}
_MOUNTAIN_CAR_PPO = {
    "num_envs": 32,
    "rollout_steps": 64,
    "gae_lambda": 0.98,
    "normalize_obs": True,
    "normalize_reward": True,
}
_PENDULUM_SAC = {
    "num_envs": 4,
    "train_every": 4,
    "updates_per_step": 0.5,
    "learning_rate": 2e-3,
    "batch_size": 256,
}

# For a backbone with memory. What is to be repeated or filtered is paid at once: the future matters little.
_MEMORY_PPO = {"num_envs": 32, "rollout_steps": 32, "learning_rate": 3e-3, "entropy_coef": 0.01}
_REPEAT_PPO = {**_MEMORY_PPO, "num_envs": 64, "learning_rate": 2e-3, "gamma": 0.5, "gae_lambda": 0.8}
_FILTER_PPO = {**_REPEAT_PPO, "rollout_steps": 50, "entropy_coef": 0.05}
_FIND_PPO = {**_MEMORY_PPO, "num_envs": 64, "learning_rate": 2e-3, "entropy_coef": 0.02}

# Small grids of symbols are read best one cell at a time, without convolutions.
_ROOMS_PPO = {
    "channels": (),
    "num_envs": 64,
    "rollout_steps": 64,
    "learning_rate": 1e-3,
    "entropy_coef": 0.02,
}
_SEEN_PPO = {**_ROOMS_PPO, "backbone": "mlp"}
# One episode in fifty finds the goal by chance, hundreds of steps after the key: see far, and collect long
# enough that several do. A rollout that has not found it says nothing, and must not be made to look as if it
# did by normalising its advantages.
_KEYS_PPO = {
    **_SEEN_PPO,
    "rollout_steps": 256,
    "gamma": 0.997,
    "gae_lambda": 0.98,
    "minibatches": 32,
    "entropy_coef": 0.001,
    "normalize_advantage": False,
    "normalize_reward": True,
}
# A cue pays only together with what stands at the end: the critic must learn both from what little there is,
# while the policy still tries everything.
_CUE_PPO = {**_ROOMS_PPO, "epochs": 10, "entropy_coef": 0.05}
# The goal is out of sight: where one has looked counts.
_UNSEEN_PPO = {**_ROOMS_PPO, "backbone": "gru", "hidden": (128,), "gamma": 0.98, "entropy_coef": 0.01}

# Every tabular agent learns four small tasks to 99 % of the optimum. An off-policy one needs few settings:
# its policy is greedy, whatever it explores. One on the policy that acts learns the best epsilon-greedy
# policy, which on slippery ice is the greedy one at gamma 0.97, but not at 0.99 where epsilon is above 0.05.
# Returns of whole episodes vary most, and are averaged longest.
_ON_POLICY = ("sarsa", "expected_sarsa", "n_step_sarsa", "td_lambda")
_OFF_POLICY = ("q_learning", "double_q", "q_lambda", "dyna_q")
_WIDE = {"num_envs": 1024}
_ON_ICE = {**_WIDE, "gamma": 0.97, "learning_rate": 0.05, "epsilon_end": 0.2}
_AVERAGE = {"learning_rate": 1.0, "schedule": "constant", "omega": 0.8}

_TABULAR: dict[tuple[str, str], tuple[int, Mapping[str, object]]] = {
    **{(name, EXAM): (204_800, {}) for name in (*_ON_POLICY, *_OFF_POLICY, "mc")},
    ("prioritized_sweeping", EXAM): (51_200, {}),
    **{(name, LAKE): (2_048_000, _ON_ICE) for name in _ON_POLICY},
    **{
        (name, LAKE): (1_024_000, {**_WIDE, "learning_rate": 0.2, "epsilon_end": 0.1}) for name in _OFF_POLICY
    },
    ("mc", LAKE): (2_048_000, {**_WIDE, **_AVERAGE, "gamma": 0.97, "epsilon_end": 0.2}),
    ("prioritized_sweeping", LAKE): (512_000, {}),
    **{(name, CLIFF): (512_000, {}) for name in (*_ON_POLICY, *_OFF_POLICY, "prioritized_sweeping")},
    ("mc", CLIFF): (4_096_000, {**_AVERAGE, "omega": 0.6, "epsilon_fraction": 1.0}),
    **{(name, TAXI): (1_024_000, _WIDE) for name in (*_ON_POLICY, *_OFF_POLICY)},
    ("mc", TAXI): (4_096_000, {**_WIDE, **_AVERAGE}),
    ("prioritized_sweeping", TAXI): (512_000, _WIDE),
}

# (agent, environment id): (environment steps that suffice, fields that differ from the defaults)
PRESETS: dict[tuple[str, str], tuple[int, Mapping[str, object]]] = {
    **_TABULAR,
    ("a2c", EXAM): (40_000, {}),
    ("dqn", EXAM): (20_000, _EXAM_DQN),
    ("ppo", EXAM): (40_000, _EXAM_PPO),
    ("pqn", EXAM): (40_000, {}),
    ("rainbow", EXAM): (20_000, _EXAM_RAINBOW),
    ("reinforce", EXAM): (60_000, {}),
    ("sac", EXAM): (20_000, {}),
    ("a2c", LAKE): (1_024_000, _LAKE_A2C),
    ("dqn", LAKE): (200_000, _LAKE_DQN),
    ("ppo", LAKE): (614_400, _LAKE_PPO),
    ("pqn", LAKE): (614_400, _LAKE_PQN),
    ("rainbow", LAKE): (100_000, _LAKE_RAINBOW),
    ("reinforce", LAKE): (1_024_000, _LAKE_REINFORCE),
    ("sac", LAKE): (100_000, _LAKE_SAC),
    ("a2c", CLIFF): (1_024_000, _CLIFF),
    ("dqn", CLIFF): (200_000, _LAKE_DQN),
    ("ppo", CLIFF): (409_600, _CLIFF),
    ("pqn", CLIFF): (1_024_000, {"num_envs": 64, "lambda_": 0.3, "epsilon_fraction": 0.6}),
    ("rainbow", CLIFF): (200_000, _CLIFF_RAINBOW),
    ("reinforce", CLIFF): (1_024_000, _CLIFF),
    ("sac", CLIFF): (150_400, _CLIFF_SAC),
    ("a2c", TAXI): (1_536_000, _TAXI_A2C),
    ("dqn", TAXI): (450_560, _TAXI_DQN),
    ("ppo", TAXI): (1_228_800, _TAXI_PPO),
    ("pqn", TAXI): (1_536_000, _LAKE_PQN),
    ("rainbow", TAXI): (300_000, _TAXI_RAINBOW),
    ("reinforce", TAXI): (1_536_000, _TAXI_REINFORCE),
    ("sac", TAXI): (300_000, _TAXI_SAC),
    ("dqn", "FrozenLake-v1"): (200_000, _LAKE_DQN),
    ("ppo", "FrozenLake-v1"): (614_400, _LAKE_PPO),
    ("dqn", "CartPole-v1"): (50_000, _CARTPOLE_DQN),
    ("ppo", "CartPole-v1"): (100_000, _CARTPOLE_PPO),
    ("pqn", "CartPole-v1"): (100_000, _CARTPOLE_PQN),
    ("ppo", "Acrobot-v1"): (1_000_000, _ACROBOT_PPO),
    ("ppo", "MountainCar-v0"): (1_500_000, _MOUNTAIN_CAR_PPO),
    ("sac", "Pendulum-v1"): (20_000, _PENDULUM_SAC),
    ("ppo", "rlkit/TMaze-v0"): (60_000, _MEMORY_PPO),
    ("ppo", "rlkit/RepeatPrevious-v0"): (256_000, _REPEAT_PPO),
    ("ppo", "rlkit/SignalFilter-v0"): (640_000, _FILTER_PPO),
    ("ppo", "rlkit/FindTheThree-v0"): (307_200, _FIND_PPO),
    ("ppo", "rlkit/FourRooms-v0"): (2_000_000, _UNSEEN_PPO),
    ("ppo", "rlkit/DoorKey8x8-v0"): (2_000_000, _SEEN_PPO),
    ("ppo", "MiniGrid-FourRooms-v0"): (3_000_320, _UNSEEN_PPO),
    ("ppo", "MiniGrid-DoorKey-8x8-v0"): (1_536_000, _KEYS_PPO),
    ("ppo", "MiniGrid-MemoryS9-v0"): (819_200, _CUE_PPO),
}


def preset(agent: str, env_id: str | None) -> Mapping[str, object]:
    """The tuned fields of `agent` on `env_id`, or none."""
    return _found(agent, env_id)[1]


def default_steps(agent: str, env_id: str | None) -> int:
    """How many environment steps to train for where nobody says."""
    return _found(agent, env_id)[0]


def _found(agent: str, env_id: str | None) -> tuple[int, Mapping[str, object]]:
    """The preset, whether or not the id says which module enters it."""
    return PRESETS.get((agent, (env_id or "").rpartition(":")[2]), (DEFAULT_STEPS, {}))
