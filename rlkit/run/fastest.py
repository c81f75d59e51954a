"""On which device an agent learns faster."""

import time
from collections.abc import Callable
from contextlib import suppress

import torch

from rlkit.agents.agent import Agent
from rlkit.experience.experience import Metrics

MEASURED = 1.0  # seconds of learning on each device
UNCOUNTED = 2  # iterations before
ENOUGH_ENVS = 256  # for a CPU to be as fast as it gets


class Enough(Exception):
    """The measurement is over."""


def faster(make: Callable[..., Agent]) -> tuple[str, str]:
    """Of CPU and GPU the device on which the agents that `make` makes learn faster, and why.

    Where there is a choice, one learns on each for a second, after two iterations that are not counted: in
    the first libraries are loaded, the second is captured on a GPU. On the CPU a few hundred environments
    are as fast as the thousands that a GPU needs, and an iteration of these could take minutes.
    """
    names = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    if len(names) == 1:
        return "cpu", "there is no GPU"
    agents = {name: make(name) for name in names}
    if agents["cpu"].config.num_envs > ENOUGH_ENVS:
        agents["cpu"] = make("cpu", num_envs=ENOUGH_ENVS)
    rates = {name: steps_per_second(agent) for name, agent in agents.items()}
    best = max(rates, key=lambda name: rates[name])
    return best, ", ".join(f"{rate:,.0f} steps/s on {name}" for name, rate in rates.items())


def steps_per_second(agent: Agent) -> float:
    """How fast an agent that has not begun learns."""
    seen: list[tuple[int, float]] = []

    def look(agent: Agent, metrics: Metrics) -> None:
        seen.append((agent.steps, time.perf_counter()))
        if len(seen) > UNCOUNTED and seen[-1][1] - seen[UNCOUNTED - 1][1] >= MEASURED:
            raise Enough

    with suppress(Enough):
        agent.train(agent.config.num_envs << 30, callback=look)
    agent.stepper.env.close()
    (first, begin), (last, end) = seen[UNCOUNTED - 1], seen[-1]
    return (last - first) / (end - begin)
