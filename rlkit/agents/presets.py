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
# Three steps of a random policy say little of the exam's optimum: rainbow looks one step ahead.
_EXAM_RAINBOW = {
    "num_envs": 16,
    "updates_per_step": 0.1,
    "n_step": 1,
    "v_min": -4.0,
    "v_max": 4.0,
    "schedule": "linear",
}
_LAKE_RAINBOW = {
    "num_envs": 32,
    "train_every": 128,
    "updates_per_step": 0.05,
    "target_every": 1_000,
    "n_step": 1,
    "v_min": 0.0,
    "v_max": 1.0,
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

# For a backbone with memory; what is to be repeated is paid at once, so the future matters little.
_MEMORY_PPO = {"num_envs": 32, "rollout_steps": 32, "learning_rate": 3e-3, "entropy_coef": 0.01}
_REPEAT_PPO = {**_MEMORY_PPO, "num_envs": 64, "gamma": 0.5, "gae_lambda": 0.8}

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

# Every tabular agent learns four small tasks to 99 % of the optimum. An off-policy one needs few settings:
# its policy is greedy, whatever it explores. One on the policy that acts learns the best epsilon-greedy
# policy, which on slippery ice is the greedy one at gamma 0.97, but not at 0.99 where epsilon is above 0.05.
# Returns of whole episodes vary most, and are averaged longest.
EXAM, LAKE, CLIFF, TAXI = (f"rlkit/{name}-v0" for name in ("Exam", "FrozenLake", "CliffWalking", "Taxi"))

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
    ("ppo", "rlkit/Exam-v0"): (40_000, _EXAM_PPO),
    ("dqn", "rlkit/Exam-v0"): (20_000, _EXAM_DQN),
    ("a2c", "rlkit/Exam-v0"): (40_000, {}),
    ("reinforce", "rlkit/Exam-v0"): (60_000, {}),
    ("pqn", "rlkit/Exam-v0"): (40_000, {}),
    ("rainbow", "rlkit/Exam-v0"): (20_000, _EXAM_RAINBOW),
    ("rainbow", "rlkit/FrozenLake-v0"): (100_000, _LAKE_RAINBOW),
    ("ppo", "rlkit/TMaze-v0"): (60_000, _MEMORY_PPO),
    ("ppo", "rlkit/RepeatPrevious-v0"): (150_000, _REPEAT_PPO),
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
