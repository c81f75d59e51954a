"""Where an agent computes."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rlkit.errors import ConfigError


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
