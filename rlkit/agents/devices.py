"""Where an agent computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rlkit.settings import ConfigError


@contextmanager
def one_thread() -> Iterator[None]:
    """Small networks are faster on one thread, and the same seed gives the same sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Have torch's global generators, from which dropout draws, begin at `seed`; then put them back."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


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
