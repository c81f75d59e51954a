"""Settings with which rlkit's own agents learn the probes in a second or so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Tuning:
    """How long to train, and with which settings; no steps means the probe's own number."""

    steps: int | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


AGENTS: dict[str, Mapping[str, object]] = {
    "ppo": {"learning_rate": 0.02, "epochs": 8, "rollout_steps": 16, "max_grad_norm": 100.0},
    "dqn": {
        "learning_rate": 0.01,
        "train_every": 32,
        "target_every": 32,
        "learning_starts": 64,
        "anneal": True,
    },
}


def tuned(agent: str, probe: str) -> Tuning:
    """What is known to suffice for an agent on a probe."""
    return Tuning(settings=AGENTS.get(agent, {}))
