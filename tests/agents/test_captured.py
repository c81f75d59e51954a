"""Iterations replayed from a CUDA graph learn what those run step by step learn.

Without a GPU the graph is played: every operation that torch is asked for during the capture is written down,
and a replay does them again, on the same memory and without Python, which is what a CUDA graph is. What a GPU
would have to wait for, or bring from the host, is refused as there.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from gymnasium.vector import VectorWrapper
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rlkit.agents import A2C, PPO, PQN, REINFORCE, Agent
from rlkit.envs import make_torch
from rlkit.envs.suite import ENTRIES
from rlkit.errors import UnsupportedError
from rlkit.experience import captured
from rlkit.experience.evaluation import evaluate_on
from rlkit.experience.rollout import finals_of
from rlkit.experience.torch_stepper import TorchStepper
from rlkit.nn import optimization, recurrent
from rlkit.nn.fast import switch
from rlkit.trees import flat, nested

A = TypeVar("A", bound=Agent)
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "lift_fresh"}
SMALL: dict[str, Any] = {"num_envs": 8, "rollout_steps": 8, "hidden": (8,)}
UPDATES: dict[type[Agent], dict[str, Any]] = {kind: {"epochs": 2, "minibatches": 2} for kind in (PPO, PQN)}
WHOLE = 8 * 8
CAN_BE_CAPTURED = TorchStepper.can_be_captured


class Recorder(TorchDispatchMode):
    """Writes down the operations that are asked for, and does them again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.removeprefix("aten::")
        indexes = name in ("index", "index_put_", "_index_put_impl_")
        looked_up = indexes and any(x is not None and x.dtype == torch.bool for x in args[1])
        if name in WAITS or looked_up:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        found = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, found))
        return found

    def replay(self) -> None:
        """Once more, on the same memory."""
        with torch.no_grad():
            for func, args, kwargs, before in self.calls:
                shares = any(r.alias_info is not None for r in func._schema.returns)
                writes = any(
                    a.alias_info is not None and a.alias_info.is_write for a in func._schema.arguments
                )
                if shares and not writes:
                    continue  # a view of memory that is there
                found = func(*args, **kwargs)
                if not writes:
                    for old, new in zip(tensors(before), tensors(found), strict=True):
                        old.copy_(new)


def tensors(found: Any) -> list[Tensor]:
    given = found if isinstance(found, list | tuple) else [found]
    return [x for x in given if isinstance(x, Tensor)]


def written_down(function: Any, generator: torch.Generator) -> tuple[Callable[[], None], Any]:
    """A `capture` for the CPU. A capture only asks, so what was really done here is undone."""
    changed = [x for x in memory_of(function.__self__) if x.numel()]
    before, states = [x.clone() for x in changed], (generator.get_state(), torch.get_rng_state())
    with Recorder() as recorder:
        result = function()
    generator.set_state(states[0])
    torch.set_rng_state(states[1])
    with torch.no_grad():
        for x, old in zip(changed, before, strict=True):
            x.copy_(old)
    return recorder.replay, result


def memory_of(run: captured.Captured[Any]) -> Iterator[Tensor]:
    """All that an iteration changes."""
    agent: Any = run.owner.learner
    yield from run.memory.values()
    yield from agent.policy.parameters()
    yield from agent.policy.buffers()
    yield from agent.statistics.buffers()
    for descent in agent.descents.values():
        yield from (
            descent.vector,
            descent.gradient,
            torch.as_tensor(descent.steps),
            *descent.moments.values(),
        )


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    if not GPU:
        monkeypatch.setattr(captured, "capture", written_down)
        monkeypatch.setattr(optimization, "check_finite", lambda norm, loss: None)
        monkeypatch.setattr(recurrent, "on_gpu", lambda x: True)
        monkeypatch.setattr(switch, "eager_on_cpu", lambda x: False)
        monkeypatch.setattr(TorchStepper, "can_be_captured", lambda stepper, steps: True)


def learner(
    kind: type[A], env_id: str, *, limit: int | None = None, options: Any = None, **settings: Any
) -> A:
    """An agent as it is on a GPU."""
    env = make_torch(env_id, 8, DEVICE, autoreset_mode="SameStep", max_episode_steps=limit, **(options or {}))
    env._simulation.waits = False
    agent = kind(env, seed=3, device=DEVICE, **SMALL, **UPDATES.get(kind, {}), **settings)
    numbers(agent)
    return agent


def numbers(agent: Agent) -> None:
    """Those that change lie on the device, as on a GPU."""
    for descent in agent.learner.descents.values():
        if not GPU:
            descent.rate, descent.steps = torch.tensor([0, int(descent.steps)], dtype=torch.float64)


def learned(agent: Agent) -> tuple[Tensor, list[tuple[float, int]], int]:
    """Parameters, the last episodes, and how many there were."""
    parameters = torch.cat([p.detach().flatten().cpu() for p in agent.network.parameters()])
    return parameters, list(agent.stepper.finished), agent.stepper.episodes


def alike(one: Agent, other: Agent) -> bool:
    (p, *seen), (q, *seen_too) = learned(one), learned(other)
    return torch.allclose(p, q, atol=1e-6) and seen == seen_too


def both(kind: type[A], env_id: str, steps: int = 4 * WHOLE, **settings: Any) -> tuple[A, A]:
    """The agents of a training that is replayed and of one that is not."""
    replayed, run = learner(kind, env_id, **settings), learner(kind, env_id, capture=False, **settings)
    for agent in (replayed, run):
        agent.train(steps)
    assert replayed.experience.captured is not None
    assert replayed.experience.captured.replay is not None
    return replayed, run


TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "index": ("rlkit/GridWorld-v0", {}),
    "masked": ("rlkit/TicTacToe-v0", {}),
    "room": ("rlkit/FourRooms-v0", {"backbone": "cnn"}),
    "gru": ("rlkit/TMaze-v0", {"backbone": "gru"}),
    "lstm": ("rlkit/TMaze-v0", {"backbone": "lstm"}),
    "attention": ("rlkit/TMaze-v0", {"backbone": "attention", "context": 4}),
    "scaled": ("rlkit/CliffWalking-v0", {"normalize_reward": True}),
    "normalised": ("rlkit/SignalFilter-v0", {"normalize_obs": True}),
    "dropout": ("rlkit/GridWorld-v0", {"dropout": 0.1, "norm": "batch"}),
    "momentum": ("rlkit/GridWorld-v0", {"optimizer": "momentum"}),
    "penalties": (
        "rlkit/GridWorld-v0",
        {"optimizer": "rmsprop", "l1": 1e-4, "l2": 1e-3, "schedule": "cosine"},
    ),
    "sgd": ("rlkit/GridWorld-v0", {"optimizer": "sgd", "learning_rate": 0.1}),
    "short": ("rlkit/GridWorld-v0", {"limit": 3}),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", [PPO, PQN])
def test_a_replayed_training_learns_the_same(kind: type[Agent], task: str) -> None:
    env_id, settings = TASKS[task]
    assert alike(*both(kind, env_id, **settings))


@pytest.mark.parametrize("kind", [A2C, REINFORCE])
def test_one_that_learns_once_from_a_rollout_too(kind: type[Agent]) -> None:
    assert alike(*both(kind, "rlkit/GridWorld-v0", gamma=0.9))


def test_several_choices_at_once() -> None:
    assert alike(*both(A2C, "rlkit/Inventory-v0", options={"products": 2}, limit=10))


def test_an_evaluation_between_replays_changes_nothing() -> None:
    agents = both(PPO, "rlkit/GridWorld-v0")
    other = make_torch("rlkit/GridWorld-v0", 4, DEVICE, autoreset_mode="SameStep")
    evaluate_on(agents[0].policy, other, episodes=8, seed=5, stochastic=True)
    for agent in agents:
        agent.train(2 * WHOLE)
    assert alike(*agents)


def test_control_a_rate_that_is_not_on_the_device_would_stay() -> None:
    """Which falls linearly with the training."""
    agents = []
    for capture in (True, False):
        agent = learner(PPO, "rlkit/GridWorld-v0", capture=capture)
        (descent,) = agent.learner.descents.values()
        vars(descent).update(rate=0.0, steps=0)
        agents.append(agent.train(4 * WHOLE))
    assert not alike(*agents)


@pytest.mark.parametrize("name", ["env/elapsed", "env/state_0", "returns", "obs"])
def test_control_what_the_state_lacks_would_start_over(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here, load = TorchStepper.state_dict, TorchStepper.load_state_dict

    def forgetful(stepper: TorchStepper) -> dict[str, Any]:
        return nested({k: x.clone() if k == name else x for k, x in flat(here(stepper)).items()})

    def keep(stepper: TorchStepper, saved: dict[str, Any]) -> bool:
        kept.append(flat(here(stepper))[name])
        return load(stepper, nested({**flat(saved), name: kept[-1]}))

    kept: list[Tensor] = []  # whose memory is not given to another
    monkeypatch.setattr(TorchStepper, "state_dict", forgetful)
    monkeypatch.setattr(TorchStepper, "load_state_dict", keep)
    assert not alike(*both(PPO, "rlkit/GridWorld-v0"))


def test_iterations_that_are_cut_short_lie_between() -> None:
    """They are run, on tensors of their own, and what is replayed next goes on from these."""
    agents = both(PPO, "rlkit/GridWorld-v0")
    for agent in agents:
        agent.train(40).train(2 * WHOLE + 8)
    assert alike(*agents)


def test_a_saved_training_resumes_the_same(tmp_path: Path) -> None:
    _, run = both(PPO, "rlkit/GridWorld-v0", steps=6 * WHOLE)
    agent = learner(PPO, "rlkit/GridWorld-v0")

    def stop(agent: Any, metrics: object) -> None:
        if agent.steps == 3 * WHOLE:
            agent.save(tmp_path / "half")

    agent.train(6 * WHOLE, callback=stop)
    again = learner(PPO, "rlkit/GridWorld-v0")
    loaded = PPO.load(tmp_path / "half", env=again.source.given, device=DEVICE)
    numbers(loaded)
    loaded.continue_to(6 * WHOLE)
    assert alike(loaded, run)
    assert alike(agent, run)


def test_time_limits_are_found_without_looking() -> None:
    """As many as there can be; those that are none are the first step."""
    agent = learner(PPO, "rlkit/GridWorld-v0")
    agent.loop.ready(WHOLE)
    limited = torch.rand(5, 8, generator=torch.Generator().manual_seed(0)) < 0.2
    steps = [agent.stepper.step(torch.zeros(8, dtype=torch.int64, device=DEVICE)) for _ in range(5)]
    states = [(torch.full((8, 1), float(t), device=DEVICE),) for t in range(5)]
    limited = limited.to(DEVICE)
    (found,) = finals_of(limited, steps, states, most=16)
    apart = finals_of(limited, steps, states, most=None)
    n = int(limited.sum())
    assert torch.equal(found.at[:n], torch.cat([final.at for final in apart]))
    assert (found.at[n:] == 0).all()
    assert torch.equal(found.obs[:n], torch.cat([final.obs for final in apart]))
    assert torch.equal(found.state[0][:n], torch.cat([final.state[0] for final in apart]))


def test_they_are_valued_as_if_they_had_been_looked_for() -> None:
    """Also where a row has fewer than there can be, so that some are none."""
    agents = [learner(PPO, "rlkit/GridWorld-v0", limit=3, capture=False) for _ in range(2)]
    for agent in agents:
        agent.loop.ready(WHOLE)
    agents[1].stepper.most_limits = lambda steps: None  # type: ignore[method-assign]
    for agent in agents:
        agent.train(4 * WHOLE)
    assert alike(*agents)


class Wrapped(VectorWrapper):  # type: ignore[type-arg]
    """Could change anything at a step."""


@pytest.mark.parametrize(
    ("mode", "steps", "wrap", "can"),
    [
        ("SameStep", 16, None, True),
        ("SameStep", 1024, None, False),
        ("NextStep", 16, None, False),
        ("Disabled", 16, None, False),
        ("SameStep", 16, Wrapped, False),
    ],
)
def test_only_steps_that_look_at_nothing_can_be_captured(mode: str, steps: int, wrap: Any, can: bool) -> None:
    env: Any = make_torch("rlkit/GridWorld-v0", 8, DEVICE, autoreset_mode=mode)
    agent = PPO(wrap(env) if wrap else env, device=DEVICE, capture=False, **SMALL)
    agent.loop.ready(WHOLE)
    agent.stepper.device = torch.device("cuda")
    assert CAN_BE_CAPTURED(agent.stepper, steps) is can  # type: ignore[arg-type]


def test_what_a_gpu_would_wait_for_is_named() -> None:
    agent = learner(PPO, "rlkit/GridWorld-v0")
    noise = agent.policy.head.noise

    def looks(lead: tuple[int, ...], generator: torch.Generator) -> Tensor:
        drawn = noise(lead, generator)
        return drawn * drawn.sum().isfinite().item()

    agent.policy.head.noise = looks  # type: ignore[method-assign]
    with pytest.raises(UnsupportedError, match="cannot be captured in a CUDA graph, set capture=false"):
        agent.train(2 * WHOLE)


@pytest.mark.parametrize("env_id", [entry.id for entry in ENTRIES if not entry.needs])
def test_every_environment_can_be_captured(env_id: str) -> None:
    env = make_torch(env_id, 8, DEVICE, autoreset_mode="SameStep")
    env._simulation.waits = False
    agent = A2C(env, seed=3, device=DEVICE, hidden=(8,), rollout_steps=4)
    numbers(agent)
    agent.train(3 * 32)
    assert agent.experience.captured is not None
    assert agent.experience.captured.replay is not None
