"""Where an agent computes."""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import torch

from rlkit.settings import ConfigError

if TYPE_CHECKING:
    from .base import Agent, Metrics

MEASURED = 1.0  # seconds of learning on each device
UNCOUNTED = 2  # iterations before
ENOUGH_ENVS = 256  # for a CPU to be as fast as it gets


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Compute on so many threads: with the same seed and as many the sums are the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Make tensors in float32 on the CPU, whatever default the program has set for its own."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    if dtype == torch.float32 and device.type == "cpu":
        yield
        return
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


def keep_freed_memory() -> None:
    """Have glibc keep 64 MB of freed memory for what is next, where it would soon give it back to the system.

    It keeps twice as much as the largest block, of at most 32 MB, that it has freed (mallopt(3),
    M_MMAP_THRESHOLD). To another allocator this is a block that nobody uses.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def choose_device(name: str) -> torch.device:
    """The device of that name, "auto" being CUDA where there is one; ConfigError if it is not there."""
    cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "cpu")
    there = ["cpu"]
    if cuda:
        there += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if str(name) not in there:
        raise ConfigError(f"no device {str(name)!r} on this machine; there is {', '.join(there)}, or auto")
    return torch.device(name)


def memory(device: torch.device) -> float:
    """The bytes of memory that a device has, as far as the system says."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type != "cpu" or not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Enough(Exception):
    """The measurement is over."""


def faster(make: Callable[..., "Agent"]) -> tuple[str, str]:
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


def steps_per_second(agent: "Agent") -> float:
    """How fast an agent that has not begun learns."""
    seen: list[tuple[int, float]] = []

    def look(agent: "Agent", metrics: "Metrics") -> None:
        seen.append((agent.steps, time.perf_counter()))
        if len(seen) > UNCOUNTED and seen[-1][1] - seen[UNCOUNTED - 1][1] >= MEASURED:
            raise Enough

    with suppress(Enough):
        agent.train(agent.config.num_envs << 30, callback=look)
    agent.stepper.env.close()
    (first, begin), (last, end) = seen[UNCOUNTED - 1], seen[-1]
    return (last - first) / (end - begin)
