"""The grid itself: a reference agent solves every probe, and each rule that is broken is found by name."""

from typing import Any

import numpy as np
import pytest
import reference_agents
from gymnasium.vector import AutoresetMode

from rlkit.check import check_agent
from rlkit.check.agents import MODES, grid
from rlkit.check.batch import batch_findings
from rlkit.check.model import model_findings
from rlkit.check.probe import INTERFACES, TableProbe
from rlkit.check.probes import PROBES

TIME_LIMITS = {"truncated", "last seen", "patience"}
NEEDS_MEMORY = {name for name, probe in PROBES.items() if probe.needs_memory}


def failed(agent: Any, **options: Any) -> Any:
    """Probes that an agent fails, each with the autoreset modes in which it does."""
    found: dict[Any, Any] = {}
    for cell in check_agent(agent, **options).cells:
        if cell.verdict == "failed":
            found.setdefault(cell.probe, set()).add(cell.autoreset_mode)
    return found


def test_the_reference_solves_all_but_memory() -> None:
    report = check_agent(reference_agents.QLearning)
    verdicts = {cell.probe: cell.verdict for cell in report.cells}
    assert report.passed
    assert report.failures == ()
    assert {name for name, verdict in verdicts.items() if verdict == "skipped"} == NEEDS_MEMORY
    assert {name for name, verdict in verdicts.items() if verdict == "refused"} == {"box"}


@pytest.mark.parametrize("interface", ["model", "sync"])
@pytest.mark.parametrize("probe", sorted(TIME_LIMITS | NEEDS_MEMORY | {"masked", "forced"}))
def test_the_reference_with_memory_solves_what_depends_on_ends_in_every_mode(
    probe: Any, interface: str
) -> None:
    report = check_agent(
        reference_agents.Remembering, probes=[probe], interfaces=[interface], fast=False, steps=1_000
    )
    assert [cell.autoreset_mode for cell in report.cells] == [mode.name.lower() for mode in MODES]
    assert report.failures == ()


EVERY_MODE = {mode.name.lower() for mode in MODES}
SOUND = ["constant", "discounted", "match"]  # which break none of these rules


@pytest.mark.parametrize(
    ("sabotaged", "probes", "modes"),
    [
        (reference_agents.TimeLimitIsTermination, TIME_LIMITS, EVERY_MODE),
        (reference_agents.BootstrapsFromTheResetObservation, TIME_LIMITS - {"truncated"}, {"same_step"}),
        (reference_agents.CountsTheResetStep, TIME_LIMITS - {"truncated"}, {"next_step"}),
        (reference_agents.IgnoresMask, {"masked", "forced"}, EVERY_MODE),
        (reference_agents.IgnoresMaskInTargets, {"forced"}, EVERY_MODE),
        (reference_agents.NeverForgets, {"forgetting"}, EVERY_MODE),
        (reference_agents.ForgetsAtEveryStep, NEEDS_MEMORY, EVERY_MODE),
    ],
)
def test_a_broken_rule_is_found_by_name(sabotaged: Any, probes: Any, modes: Any) -> None:
    found = failed(sabotaged, probes=[*sorted(probes), *SOUND], interfaces=["model"], fast=False, steps=1_000)
    assert found == dict.fromkeys(probes, modes)


def test_a_failure_says_what_was_got_what_was_expected_and_which_rule_was_broken() -> None:
    (line,) = check_agent(reference_agents.TimeLimitIsTermination, probes=["patience"]).failures[:1]
    assert line.startswith("patience (next_step, model): ")
    assert "the greedy return is -0.3, must be 5.1" in line
    assert line.endswith(PROBES["patience"].rule)


def test_an_agent_that_shows_no_values_is_judged_by_what_it_does() -> None:
    class Silent(reference_agents.TimeLimitIsTermination):
        value = q_values = property()

    assert set(failed(Silent)) == {"patience"}
    verdicts = {cell.probe: cell.verdict for cell in check_agent(Silent, probes=["truncated", "match"]).cells}
    assert verdicts == {"truncated": "skipped", "match": "passed"}


# The probes: what they are worth, worked out by hand, and that their interfaces are sound.


@pytest.mark.parametrize(
    ("name", "optimum", "value"),
    [
        ("constant", 1, {"start": 1}),
        ("observation", 0, {"loss": -1, "win": 1}),
        ("discounted", 0.5, {"start": 0.5, "middle": 1}),
        ("truncated", 10, {"start": 10}),
        ("last seen", 5, {"start": 5, "stream": 10}),
        ("patience", -3 + 0.9 * 9, {"stream": 10}),
        ("forced", -0.9, {"start": -0.9, "forced": -1}),
        ("memory", 1, {}),
        ("forgetting", 0, {}),
        ("box", 0, {}),
        *((name, 1, {}) for name in ("action", "match", "masked", "combination", "parts", "picture")),
    ],
)
def test_optimum_and_values(name: Any, optimum: Any, value: Any) -> None:
    truth = PROBES[name].truth(PROBES[name].gamma)
    known = {state: v for state, v in zip(truth.names, truth.value, strict=True) if np.isfinite(v)}
    assert truth.optimum == pytest.approx(optimum, abs=1e-9)
    assert known == pytest.approx(value)


def test_values_of_choices_are_kept_where_policies_agree() -> None:
    truth = PROBES["patience"].truth(0.5)
    fork = truth.names.index("fork")
    assert truth.q[fork] == pytest.approx([3.0, 1.0])
    assert np.isnan(truth.q[truth.names.index("gate")]).all()  # what follows is for the policy to decide
    assert np.isnan(PROBES["forced"].truth(0.9).q[1, 0])  # an illegal action


@pytest.mark.parametrize("name", PROBES)
def test_models_are_sound(name: Any) -> None:
    probe = PROBES[name]
    if isinstance(probe, TableProbe):
        assert list(model_findings(probe.model, 30, 0)) == []


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", PROBES)
def test_numpy_faces_are_sound(name: Any, mode: Any) -> None:
    for interface in PROBES[name].interfaces:
        if interface != "torch":
            env = PROBES[name].vector_env(3, autoreset_mode=mode, interface=interface)
            assert list(batch_findings(env, 30, 0)) == []


@pytest.mark.parametrize("name", [name for name, probe in PROBES.items() if "torch" in probe.interfaces])
def test_the_torch_face_lives_the_same_episodes(name: Any) -> None:
    probe = PROBES[name]
    numpy, torch = (probe.vector_env(5, interface=interface) for interface in ("model", "torch"))
    (first, info), (second, _) = numpy.reset(seed=3), torch.reset(seed=3)
    for _ in range(8):
        pairs = [(first, second)] if not isinstance(first, dict) else [(first[k], second[k]) for k in first]
        for a, b in pairs:
            np.testing.assert_array_equal(a, np.asarray(b))
        numpy.action_space.seed(0)
        action = numpy.action_space.sample()
        if "action_mask" in info:
            action = np.maximum(info["action_mask"].argmax(-1), 0)
        (first, reward, *_, info), (second, same, *_) = numpy.step(action), torch.step(action)
        np.testing.assert_allclose(reward, np.asarray(same), rtol=1e-6)


def test_only_a_time_limit_that_is_asked_for_cuts_episodes() -> None:
    for interface in INTERFACES:
        env = PROBES["truncated"].vector_env(2, interface=interface)
        free = PROBES["truncated"].vector_env(2, interface=interface, limited=False)
        for e in (env, free):
            e.reset(seed=0)
        cut = [[bool(e.step(np.zeros(2, int))[3].any()) for _ in range(5)] for e in (env, free)]
        assert cut == [[False] * 4 + [True], [False] * 5]


# The grid.


def test_the_full_grid_is_the_product() -> None:
    places = list(grid([PROBES["match"]], backbones=["mlp", "gru"], interfaces=INTERFACES, fast=False))
    assert len({(p.interface, p.mode, p.backbone) for p in places}) == len(places) == 2 * 3 * 3


def test_the_fast_grid_has_every_probe_and_where_episodes_ends_matter_every_mode() -> None:
    places = list(grid(list(PROBES.values()), backbones=[], interfaces=INTERFACES, fast=True))
    for probe in PROBES.values():
        own = [place for place in places if place.probe is probe]
        assert len(own) == (3 if probe.at_the_end else 1)
        assert len({place.mode for place in own}) == len(own)
    assert {place.interface for place in places} == set(INTERFACES)
