"""On which device to learn: the one that is measured to be faster."""

import platform
import subprocess
import sys

import pytest
import torch

from rlkit.agents import PPO, devices


def agents(fast: str) -> dict[str, PPO]:
    """One for each device, all on the CPU; only that of `fast` has little to compute."""
    hidden = {name: (4,) if name == fast else (1024, 1024) for name in ("cpu", "cuda")}
    return {
        name: PPO("rlkit/GridWorld-v0", device="cpu", num_envs=64, rollout_steps=16, hidden=sizes)
        for name, sizes in hidden.items()
    }


@pytest.mark.parametrize("fast", ["cpu", "cuda"])
def test_the_faster_device_is_chosen(fast: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = agents(fast)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "MEASURED", 0.1)
    name, why = devices.faster(made.__getitem__)
    assert name == fast
    assert "steps/s on cpu" in why
    assert "steps/s on cuda" in why
    assert all(agent.steps >= 2 * 1024 for agent in made.values()), "an iteration is left out"


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.faster({}.__getitem__) == ("cpu", "there is no GPU")


FAULTS = """
import resource, torch
from rlkit.agents import devices

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [torch.ones(2**18) for _ in range(20)]  # 1 MB each
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
given_back = faults()
devices.keep_freed_memory()
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_kept() -> None:
    """A page that was given back costs a fault: 5,000 for each 20 MB without the call."""
    given_back, kept = map(int, subprocess.check_output([sys.executable, "-c", FAULTS]).split())
    assert kept <= given_back / 10
