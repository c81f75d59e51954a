"""Every agent of rlkit against probes whose values are known: what they learn, not whether they run."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import torch
from oracle_settings import MEMORY, REFUSED, WITHOUT_VALUES, backbones, has_backbone

from rlkit.agents import AGENTS
from rlkit.check.agents import MODES, Place, run_cell
from rlkit.check.probe import INTERFACES
from rlkit.check.probes import PROBES
from rlkit.experience.stepper import Stepper


def expect(agent: Any, place: Any, *, patience: Any) -> None:
    """Compare the verdict with what the agent is made for, after so many times the usual steps.

    What is not learned in the first of them is given the next, by a new agent.
    """
    probe, expected = place.probe, "passed"
    if probe.name in REFUSED.get(agent, ()):
        expected = "refused"
    elif agent in WITHOUT_VALUES and not probe.truth(probe.gamma).decision:
        expected = "skipped"
    for times in patience:
        cell = run_cell(
            AGENTS[agent], place, steps=int(times * AGENTS[agent].Config.probe_times * probe.steps)
        )
        if cell.verdict == expected:
            return
    assert cell.verdict == expected, cell.findings


def places() -> Iterator[Any]:
    """A cover: each agent on each probe, in each mode and interface, and each memory at least on the cue."""
    turn = count()
    for agent in AGENTS:
        for probe in PROBES.values():
            choices = backbones(agent, probe.name, needs_memory=probe.needs_memory)
            chosen = choices if probe.name == "memory" else choices[:1]
            if probe.name == "forgetting":
                chosen = choices[1:2]
            if probe.name == "picture":
                chosen = choices[:2] if has_backbone(agent) else choices
            for backbone in chosen:
                k = next(turn)
                interface = probe.interfaces[k // len(MODES) % len(probe.interfaces)]
                yield (
                    agent,
                    Place(probe=probe, interface=interface, mode=MODES[k % len(MODES)], backbone=backbone),
                )


def every_place() -> Iterator[Any]:
    """The product of agents, backbones, modes and probes; the interfaces take turns."""
    turn = count()
    for agent in AGENTS:
        for probe in PROBES.values():
            for backbone in backbones(agent, probe.name, needs_memory=probe.needs_memory):
                for mode in MODES:
                    interface = probe.interfaces[next(turn) % len(probe.interfaces)]
                    yield agent, Place(probe=probe, interface=interface, mode=mode, backbone=backbone)


def name(value: Any) -> Any:
    if isinstance(value, str):
        return value
    parts = (value.probe.name.replace(" ", "-"), value.mode.name.lower(), value.interface, value.backbone)
    return "-".join(part for part in parts if part)


@pytest.mark.parametrize(("agent", "place"), list(places()), ids=name)
def test_agents_solve_the_probes(agent: Any, place: Any) -> None:
    expect(agent, place, patience=(0.5, 1))  # half suffices in all but ten places


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "place"), list(every_place()), ids=name)
def test_agents_solve_the_probes_with_every_backbone_in_every_mode(agent: Any, place: Any) -> None:
    expect(agent, place, patience=(1, 3))


def test_the_cover_leaves_nothing_out() -> None:
    covered = list(places())
    for agent in AGENTS:
        own = [place for a, place in covered if a == agent]
        assert {place.mode for place in own} == set(MODES)
        assert {place.interface for place in own} == set(INTERFACES)
        if has_backbone(agent):
            assert {place.probe.name for place in own} == set(PROBES)
            assert {place.backbone for place in own} >= {"mlp", "cnn", *MEMORY}
        else:
            assert {place.probe.name for place in own} >= {
                p.name for p in PROBES.values() if not p.needs_memory
            }


# The same rules, broken on purpose inside rlkit's own agents.

NEXT_STEP, SAME_STEP, DISABLED = MODES


def verdict(agent: Any, probe: Any, mode: Any, *, backbone: str = "mlp") -> Any:
    place = Place(probe=PROBES[probe], interface="model", mode=mode, backbone=backbone)
    return run_cell(AGENTS[agent], place).verdict


def broken_step(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    right = Stepper.step
    monkeypatch.setattr(Stepper, "step", lambda self, action: change(self, right(self, action)))


@pytest.mark.parametrize("agent", ["ppo", "pqn"])
def test_truncation_taken_for_termination_is_seen(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(stepper: Any, step: Any) -> Any:
        return step._replace(discount=torch.where(step.done, 0.0, step.discount))

    broken_step(monkeypatch, change)
    assert [verdict(agent, probe, DISABLED) for probe in ("truncated", "last seen", "patience")] == [
        "failed"
    ] * 3


@pytest.mark.parametrize("agent", ["ppo", "pqn"])
def test_a_reset_observation_in_place_of_the_final_one_is_seen(
    agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(stepper: Any, step: Any) -> Any:
        return step._replace(next_obs=stepper.obs)

    broken_step(monkeypatch, change)
    assert verdict(agent, "last seen", SAME_STEP) == "failed"
    assert verdict(agent, "patience", SAME_STEP) == "failed"


@pytest.mark.parametrize("agent", ["ppo", "pqn"])
def test_a_reset_step_taken_for_a_transition_is_seen(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(stepper: Any, step: Any) -> Any:
        return step._replace(valid=torch.ones_like(step.valid))

    broken_step(monkeypatch, change)
    assert verdict(agent, "last seen", NEXT_STEP) == "failed"


def test_a_memory_that_is_not_cleared_in_training_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(stepper: Any, step: Any) -> Any:
        stepper.reset = torch.zeros_like(stepper.reset)
        return step

    broken_step(monkeypatch, change)
    assert verdict("ppo", "memory", SAME_STEP, backbone="gru") == "passed"
    assert verdict("ppo", "forgetting", SAME_STEP, backbone="gru") == "failed"


def test_a_memory_that_is_cleared_at_every_step_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(stepper: Any, step: Any) -> Any:
        stepper.reset = torch.ones_like(stepper.reset)
        return step

    broken_step(monkeypatch, change)
    assert verdict("ppo", "memory", SAME_STEP, backbone="gru") == "failed"
