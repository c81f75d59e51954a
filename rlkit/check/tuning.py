"""Settings with which rlkit's own agents learn the probes in a few seconds each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Tuning(NamedTuple):
    """Settings of an agent, and how many times the number of steps of each probe it trains for."""

    settings: Mapping[str, object]
    times: int = 1


_SMALL: dict[str, object] = {"learning_rate": 1e-2, "hidden": (32,)}
_POLICY = _SMALL | {"entropy_coef": 0.02, "max_grad_norm": 10.0}
_REPLAY = _SMALL | {"batch_size": 32, "learning_starts": 64, "train_every": 16, "updates_per_step": 0.125}
_DQN = _REPLAY | {"target_every": 16}
_TABLE: dict[str, object] = {"learning_rate": 0.2, "epsilon_end": 0.2}
TABULAR = (
    *("mc", "sarsa", "expected_sarsa", "n_step_sarsa", "td_lambda", "q_learning", "double_q", "q_lambda"),
    *("dyna_q", "prioritized_sweeping"),
)
TUNINGS: dict[str, Tuning] = {
    "a2c": Tuning(_POLICY | {"learning_rate": 1.5e-2, "rollout_steps": 4}, times=2),
    "dqn": Tuning(_DQN),
    "pqn": Tuning(_SMALL | {"rollout_steps": 16, "norm": "none"}, times=2),
    "ppo": Tuning(_POLICY | {"rollout_steps": 16, "minibatches": 2}),
    "rainbow": Tuning(_DQN | {"v_min": -6.0, "v_max": 12.0, "learning_rate": 3e-3}, times=2),
    "reinforce": Tuning(_POLICY | {"rollout_steps": 4}, times=2),
    "sac": Tuning(_REPLAY | {"target_rate": 0.05}),
    **{name: Tuning(_TABLE) for name in TABULAR},
}


def tuning(agent: str) -> Tuning:
    """What is known to suffice for an agent; nothing for those that are not rlkit's."""
    return TUNINGS.get(agent, Tuning({}))
