"""How well an agent does: episodes on fresh environments, with seeds that training never uses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .stepper import Stepper

if TYPE_CHECKING:
    from .base import Agent
    from .environments import AnyVectorEnv

MAX_ENVS = 128


@dataclass(frozen=True)
class Evaluation:
    """Returns of `episodes` episodes: their mean with a 95 % interval, and their mean length."""

    mean_return: float
    ci95: tuple[float, float]
    episodes: int
    mean_length: float
    returns: NDArray[np.float64]  # [episodes]
    lengths: NDArray[np.int64]  # [episodes]


def evaluate_on(
    agent: "Agent", env: "AnyVectorEnv", *, episodes: int, seed: int, stochastic: bool
) -> Evaluation:
    """Play a fixed number of episodes in every sub-environment, so that short ones do not count double."""
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    stepper = Stepper(env, agent.encoder, seed=seed)
    quota = np.full(env.num_envs, episodes // env.num_envs)
    quota[: episodes % env.num_envs] += 1
    state = agent.initial_state(env.num_envs)
    rng = np.random.default_rng(seed)
    total, steps = np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=np.int64)
    returns: list[float] = []
    lengths: list[int] = []
    while quota.any():
        action, state = agent.choose(
            stepper.obs, state, stepper.reset, stepper.mask, rng if stochastic else None
        )
        step = stepper.step(action)
        total += step.reward * step.valid
        steps += step.valid
        for i in np.flatnonzero(step.done):
            if quota[i]:
                quota[i] -= 1
                returns.append(float(total[i]))
                lengths.append(int(steps[i]))
            total[i], steps[i] = 0, 0
    return summarise(np.array(returns), np.array(lengths))


def summarise(returns: NDArray[np.float64], lengths: NDArray[np.int64]) -> Evaluation:
    """The mean with its normal 95 % interval, which for one episode is the whole line."""
    mean = float(returns.mean())
    error = 1.96 * float(returns.std(ddof=1)) / len(returns) ** 0.5 if len(returns) > 1 else float("inf")
    return Evaluation(
        mean_return=mean,
        ci95=(mean - error, mean + error),
        episodes=len(returns),
        mean_length=float(lengths.mean()),
        returns=returns,
        lengths=lengths,
    )
