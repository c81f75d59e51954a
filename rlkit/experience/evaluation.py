"""How well a policy does: episodes on fresh environments, with seeds that training never uses."""

import itertools
import sys
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from rlkit.envs.foreign import SEEDS
from rlkit.nn.devices import torch_defaults
from rlkit.nn.policy import Policy
from rlkit.settings import whole, whole_seed

from .environments import AnyVectorEnv, has_time_limit
from .torch_stepper import stepper_for

MAX_ENVS = 128
UNLIMITED_STEPS = 1_000  # after which an episode is cut where the environment sets no limit


@dataclass(frozen=True)
class Evaluation:
    """Returns of `episodes` episodes: their mean with a 95 % interval, and their mean length.

    `cut` of them did not end within the steps allowed; they count with the reward and the length so far.
    """

    mean_return: float
    ci95: tuple[float, float]
    episodes: int
    mean_length: float
    returns: NDArray[np.float64] = field(repr=False)  # [episodes]
    lengths: NDArray[np.int64] = field(repr=False)  # [episodes]
    cut: int = 0


@torch_defaults()
def evaluate_on(
    policy: Policy,
    env: AnyVectorEnv,
    *,
    episodes: int,
    seed: int,
    stochastic: bool,
    max_steps: int | None = None,
) -> Evaluation:
    """Play a fixed number of episodes in every sub-environment, so that short ones do not count double.

    An episode that has not ended after `max_steps` steps is cut: by default, where the environment has no
    time limit of its own, after 1,000. Its sub-environment then waits, since one
    alone cannot be reset in every autoreset mode: all restart once those with episodes left all wait.
    """
    episodes = whole("episodes", episodes, least=1)
    if max_steps is None:
        max_steps = sys.maxsize if has_time_limit(env) else UNLIMITED_STEPS
    max_steps = whole("max_steps", max_steps, least=1)
    seed = whole_seed(seed)
    rounds = itertools.count()
    stepper = stepper_for(
        env, policy.encoder, seed=first_seed(seed, next(rounds), env.num_envs), device=policy.device
    )
    quota = np.full(env.num_envs, episodes // env.num_envs)
    quota[: episodes % env.num_envs] += 1
    state = policy.initial_state(env.num_envs)
    generator = torch.Generator(policy.device).manual_seed(seed) if stochastic else None
    total, steps = np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=np.int64)
    returns: list[float] = []
    lengths: list[int] = []
    waiting = np.zeros(env.num_envs, dtype=np.bool_)  # in an episode that was cut
    cut = 0
    while quota.any():
        action, state = policy.choose(stepper.obs, state, stepper.reset, stepper.mask, generator)
        step = stepper.step(action)
        valid = step.valid.cpu().numpy()
        total += step.reward.cpu().numpy() * valid
        steps += valid
        for i in np.flatnonzero(step.done.cpu().numpy()):
            if quota[i] and not waiting[i]:
                quota[i] -= 1
                returns.append(float(total[i]))
                lengths.append(int(steps[i]))
            total[i], steps[i], waiting[i] = 0, 0, False
        too_long = (steps >= max_steps) & (quota > 0) & ~waiting
        if not too_long.any():
            continue
        cut += int(too_long.sum())
        quota -= too_long
        returns.extend(total[too_long].tolist())
        lengths.extend(steps[too_long].tolist())
        waiting |= too_long
        if quota.any() and waiting[quota > 0].all():
            stepper.restart(first_seed(seed, next(rounds), env.num_envs))
            total[:], steps[:], waiting[:] = 0, 0, False
    return summarise(np.array(returns), np.array(lengths), cut=cut)


def first_seed(seed: int, number: int, num_envs: int) -> int:
    """The seed of the first of `num_envs` environments, which get consecutive ones, in a numbered round.

    Spread over the whole range, so that neither another `seed` nor another round shares an episode with it.
    """
    drawn = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    return int(drawn % np.uint64(SEEDS - num_envs))


def summarise(returns: NDArray[np.float64], lengths: NDArray[np.int64], *, cut: int = 0) -> Evaluation:
    """The mean with its normal 95 % interval, which for one episode is the whole line."""
    mean = float(returns.mean())
    error = 1.96 * float(returns.std(ddof=1)) / len(returns) ** 0.5 if len(returns) > 1 else float("inf")
    interval, mean_length = (mean - error, mean + error), float(lengths.mean())
    return Evaluation(mean, interval, len(returns), mean_length, returns, lengths, cut)
