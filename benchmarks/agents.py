"""How fast agents learn and step, beside their peers: python -m benchmarks.agents [PART ...].

`learning` is the time until 100 greedy episodes of CartPole-v1 return 475 on average, looked at every 5,000
steps, with what looking takes left out. rlkit's agents have the settings they come with, those of
Stable-Baselines3 the ones that its users tuned (rl-baselines3-zoo). `stepping` is environment steps a second
of PPO end to end: 64 environments, 128 steps, 4 epochs of 4 minibatches, two networks of 64x64 tanh units, or
one of them in front of a memory. `replaying` is the same of DQN. The peers take turns with rlkit in one
process, on one thread.

    pip install -e .[bench]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from rlkit.agents import AGENTS, Agent, default_steps
from rlkit.nn.fast.products import multiply

SOLVED, EVERY, EPISODES = 475.0, 5_000, 100
CARTPOLE, GRID = "CartPole-v1", "rlkit/GridWorld-v0"
MEMORIES = ("gru", "lstm", "attention")
SAME: dict[str, Any] = {"num_envs": 64, "rollout_steps": 128, "epochs": 4, "minibatches": 4}
ITERATION = 64 * 128
ROUND = 8 * ITERATION  # where steps that only begin an episode are none, a training ends in a short iteration
REPLAYED = 4_096  # steps of a round, after as many
ZOO_DQN: dict[str, Any] = {
    "learning_rate": 2.3e-3,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 1_000,
    "gamma": 0.99,
    "target_update_interval": 10,
    "train_freq": 256,
    "gradient_steps": 128,
    "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
    "policy_kwargs": {"net_arch": [256, 256]},
}

Runs: TypeAlias = list[tuple[float, int]]  # seconds and steps; NaN where it was not solved


class Watch:
    """Seconds spent, without those spent looking; `solved` says by what was seen."""

    def __init__(self) -> None:
        self.spent, self.looked, self._since = 0.0, 0, time.perf_counter()

    def solved(self, steps: int, mean_return: Callable[[], float]) -> bool:
        """Whether to stop after so many steps."""
        if steps // EVERY == self.looked:
            return False
        self.spent += time.perf_counter() - self._since
        self.looked = steps // EVERY
        done = mean_return() >= SOLVED
        self._since = time.perf_counter()
        return done


class Solved(Exception):
    """Training may end."""


def ours(name: str, seed: int) -> tuple[float, int]:
    """Seconds and steps that an agent of rlkit needs."""
    watch = Watch()

    def look(agent: Agent, metrics: dict[str, float]) -> None:
        if watch.solved(agent.steps, lambda: agent.evaluate(EPISODES).mean_return):
            raise Solved

    agent = AGENTS[name](CARTPOLE, seed=seed)
    try:
        agent.train(default_steps(name, CARTPOLE), callback=look)
    except Solved:
        return watch.spent, agent.steps
    return float("nan"), agent.steps


def linear(start: float) -> Callable[[float], float]:
    """What falls to 0 with the part of the training that is left."""
    return lambda left: left * start


def peer(name: str, seed: int) -> tuple[float, int]:
    """Seconds and steps that an agent of Stable-Baselines3 needs."""
    watch = Watch()

    class Look(BaseCallback):
        def _on_step(self) -> bool:
            return not watch.solved(self.num_timesteps, lambda: greedy_return(self.model, seed))

    model: BaseAlgorithm
    if name == "ppo":
        model = PPO(
            "MlpPolicy",
            make_vec_env(CARTPOLE, n_envs=8, seed=seed),
            n_steps=32,
            batch_size=256,
            gae_lambda=0.8,
            gamma=0.98,
            n_epochs=20,
            ent_coef=0.0,
            learning_rate=linear(0.001),
            clip_range=linear(0.2),
            seed=seed,
            device="cpu",
        )
    else:
        model = DQN("MlpPolicy", CARTPOLE, **ZOO_DQN, seed=seed, device="cpu")
    steps = 100_000 if name == "ppo" else 150_000
    model.learn(steps, callback=Look())
    return (watch.spent if model.num_timesteps < steps else float("nan")), model.num_timesteps


def greedy_return(model: BaseAlgorithm, seed: int) -> float:
    """The mean return of 100 greedy episodes side by side."""
    env = gym.make_vec(CARTPOLE, num_envs=EPISODES)
    obs, _ = env.reset(seed=10_000 + seed)
    total, alive = np.zeros(EPISODES), np.ones(EPISODES, dtype=np.bool_)
    while alive.any():
        action, _ = model.predict(obs, deterministic=True)
        obs, reward, terminated, truncated, _ = env.step(action)
        total += reward * alive
        alive &= ~(terminated | truncated)
    return float(total.mean())


def learning(seeds: int) -> list[str]:
    """The lines of the table."""
    lines = [
        "| peer | its seconds, steps | rlkit | seconds, steps | ratio of the medians |",
        "|---|---|---|---|---|",
    ]
    for name in ("ppo", "pqn", "dqn"):
        AGENTS[name](CARTPOLE).train(4_096)  # loads what is compiled
    for theirs, names in (("ppo", ("ppo",)), ("dqn", ("pqn", "dqn"))):
        them: Runs = []
        us: dict[str, Runs] = {name: [] for name in names}
        for seed in range(seeds):
            them.append(peer(theirs, seed))
            for name in names:
                us[name].append(ours(name, seed))
            print(theirs, seed, them[-1], {name: us[name][-1] for name in names}, flush=True)
        for name in names:
            ratio = median(them) / median(us[name])
            lines.append(f"| {theirs} | {shown(them)} | {name} | {shown(us[name])} | {ratio:.1f} |")
    return lines


def median(runs: Runs) -> float:
    """Of the seconds; a run that never got there counts as infinite."""
    return statistics.median(float("inf") if np.isnan(seconds) else seconds for seconds, _ in runs)


def shown(runs: Runs) -> str:
    """Every run in a few characters."""
    return "; ".join(f"{seconds:.2f}, {steps // 1000} k" for seconds, steps in runs)


def our_rate(env_id: str, backbone: str) -> Callable[[], float]:
    """What measures the steps a second of a round of rlkit's PPO."""
    config = AGENTS["ppo"].Config().replace({**SAME, "backbone": backbone})
    agent = AGENTS["ppo"](env_id, config=config)
    return lambda: per_second(lambda: agent.train(ROUND))


def peer_rate(env_id: str, backbone: str) -> Callable[[], float]:
    """The same for Stable-Baselines3, or its contributed recurrent PPO."""
    kind, policy = (PPO, "MlpPolicy") if backbone == "mlp" else (RecurrentPPO, "MlpLstmPolicy")
    widths = {} if backbone == "mlp" else {"lstm_hidden_size": 64}
    model = kind(
        policy,
        make_vec_env(env_id, n_envs=64, seed=0),
        n_steps=128,
        batch_size=ITERATION // 4,
        n_epochs=4,
        policy_kwargs={"net_arch": [64, 64], **widths},
        device="cpu",
    )
    return lambda: per_second(lambda: model.learn(ROUND, reset_num_timesteps=False))


def per_second(learn: Callable[[], object], steps: int = ROUND) -> float:
    begin = time.perf_counter()
    learn()
    return steps / (time.perf_counter() - begin)


def stepping(rounds: int) -> list[str]:
    """The lines of the table: medians of rounds in which all take turns."""
    cases = {
        (env_id, who, backbone): rate(env_id, backbone)
        for env_id in (CARTPOLE, GRID)
        for who, rate, backbones in (
            ("rlkit", our_rate, ("mlp", *MEMORIES)),
            ("peer", peer_rate, ("mlp", "lstm")),
        )
        for backbone in backbones
    }
    rates: dict[tuple[str, str, str], list[float]] = {case: [] for case in cases}
    for turn in range(rounds + 1):
        for case, measure in cases.items():
            found = measure()
            if turn:  # the first warms up
                rates[case].append(found)
    lines = [
        "| environment | backbone | rlkit | of the floor | peer | rlkit / peer | mlp / this |",
        "|---" * 7 + "|",
    ]
    for env_id in (CARTPOLE, GRID):
        mlp = statistics.median(rates[env_id, "rlkit", "mlp"])
        floor = floor_rate(AGENTS["ppo"](env_id, config=AGENTS["ppo"].Config().replace(SAME)))
        for backbone in ("mlp", *MEMORIES):
            own = statistics.median(rates[env_id, "rlkit", backbone])
            theirs = statistics.median(rates.get((env_id, "peer", backbone), [0.0]))
            cells = (
                f"`{env_id}`",
                backbone,
                f"{own:,.0f}",
                f"{own / floor:.0%}" if backbone == "mlp" else "",
                f"{theirs:,.0f}" if theirs else "",
                f"{own / theirs:.1f}" if theirs else "",
                f"{mlp / own:.1f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def replaying(rounds: int) -> list[str]:
    """The lines of the table: medians of rounds in which all take turns."""
    dqn = AGENTS["dqn"]
    ours = {
        "defaults": dqn(CARTPOLE, config=dqn.Config()),
        "defaults, batch of the peer's": dqn(CARTPOLE, config=dqn.Config().replace({"batch_size": 32})),
        "sizes of the zoo's": dqn(CARTPOLE, hidden=(256, 256), batch_size=64),
        "tuned": dqn(CARTPOLE),
    }
    theirs = {
        name: DQN("MlpPolicy", CARTPOLE, **given, device="cpu")
        for name, given in (("peer's defaults", {}), ("the zoo's", ZOO_DQN))
    }
    learns: dict[str, Callable[[], object]] = {
        **{name: partial(agent.train, REPLAYED) for name, agent in ours.items()},
        **{name: partial(model.learn, REPLAYED, reset_num_timesteps=False) for name, model in theirs.items()},
    }
    rates: dict[str, list[float]] = {name: [] for name in learns}
    for turn in range(rounds + 1):
        for name, learn in learns.items():
            found = per_second(learn, REPLAYED)
            if turn:  # the first warms up
                rates[name].append(found)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    lines = [
        f"| settings | steps a second | {' | '.join(f'of {name}' for name in theirs)} |",
        "|---" * 4 + "|",
    ]
    for name, own in medians.items():
        ratios = " | ".join(f"{own / medians[peer]:.2f}" for peer in theirs)
        lines.append(f"| {name} | {own:,.0f} | {ratios} |")
    return lines


def floor_rate(agent: Agent) -> float:
    """Steps a second if only the floating-point operations of both networks took time, at the rate of sgemm.

    A weight takes part in a multiplication and an addition in each forward pass, and in twice as many in a
    backward pass. An observation is read by the actor, by the critic, and in each of four epochs by both.
    """
    weights = sum(w.numel() for w in agent.network.parameters() if w.ndim > 1)
    return sgemm_rate() / (2 * weights * (1 + 3 * 4))


def sgemm_rate(n: int = 1024, seconds: float = 1.0) -> float:
    """Floating-point operations a second of a large product of matrices, by what multiplies fastest."""
    a = torch.rand(n, n)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        multiply(a, a)
        count += 1
    return 2 * n**3 * count / (time.perf_counter() - begin)


def run(parts: dict[str, Callable[[int], list[str]]], description: str | None) -> None:
    """The command: print the lines of the parts that are asked for, on one thread."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--repeats", type=int, default=5, help="seeds or rounds")
    options = parser.parse_args()
    for unknown in set(options.part) - set(parts):
        parser.error(f"no part {unknown!r}; there is {', '.join(parts)}")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for part in options.part or parts:
        print("\n".join(parts[part](options.repeats)), flush=True)


if __name__ == "__main__":
    run({"learning": learning, "stepping": stepping, "replaying": replaying}, __doc__)
