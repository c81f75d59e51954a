"""On which device to learn: the one that is measured to be faster."""

import platform
import subprocess
import sys
from typing import Any

import pytest
import torch

from rlkit.agents import PPO
from rlkit.errors import ConfigError
from rlkit.run import fastest


def agents(fast: str) -> dict[str, PPO]:
    """One for each device, all on the CPU; only that of `fast` has little to compute."""
    hidden = {name: (4,) if name == fast else (512, 512) for name in ("cpu", "cuda")}
    return {
        name: PPO("rlkit/GridWorld-v0", device="cpu", num_envs=64, rollout_steps=16, hidden=sizes)
        for name, sizes in hidden.items()
    }


@pytest.mark.parametrize("fast", ["cpu", "cuda"])
def test_the_faster_device_is_chosen(fast: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = agents(fast)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(fastest, "MEASURED", 0.1)
    name, why = fastest.faster(made.__getitem__)
    assert name == fast
    assert "steps/s on cpu" in why
    assert "steps/s on cuda" in why
    assert all(agent.steps >= 3 * 1024 for agent in made.values()), "two iterations are left out"


def test_on_the_cpu_a_few_environments_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an iteration of the thousands that a GPU needs would take minutes."""
    made: list[PPO] = []

    def make(name: str, **overrides: object) -> PPO:
        settings: dict[str, Any] = {"num_envs": 1024, "rollout_steps": 4, **overrides}
        made.append(PPO("rlkit/GridWorld-v0", device="cpu", **settings))
        return made[-1]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(fastest, "MEASURED", 0.1)
    fastest.faster(make)
    assert [agent.stepper.num_envs for agent in made if agent.steps] == [1024, 256]


def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fastest.faster({}.__getitem__) == ("cpu", "there is no GPU")


@pytest.mark.parametrize("threads", [1, 2])
def test_an_agent_computes_on_as_many_threads_as_configured(threads: int) -> None:
    wide: dict[str, Any] = {
        "num_envs": 64,
        "rollout_steps": 16,
        "epochs": 1,
        "hidden": (256,),
        "evaluate_every": 1024,
    }
    seen: list[int] = []
    learned: list[torch.Tensor] = []
    before = torch.get_num_threads()
    for count in (threads, threads, 1):
        agent = PPO("CartPole-v1", device="cpu", threads=count, **wide)
        policy = agent.network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
        agent.train(2048)
        agent.evaluate(2)
        policy.remove()
        assert set(seen) == {count}
        seen.clear()
        learned.append(torch.cat([p.detach().flatten() for p in agent.network.parameters()]))
    assert torch.get_num_threads() == before
    assert torch.equal(learned[0], learned[1])
    torch.testing.assert_close(learned[0], learned[2], atol=1e-4, rtol=0)


def test_an_impossible_number_of_threads_is_named() -> None:
    with pytest.raises(ConfigError, match="threads must be from 1 to 1024, got 0"):
        PPO("CartPole-v1", threads=0)


FAULTS = """
import resource, torch
from rlkit.nn import devices

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
