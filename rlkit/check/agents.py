"""Checking an agent, one's own or anyone's: train it on the probes, and compare with what the solvers know.

An agent is made by `make(env, seed=...)` from a Gymnasium VectorEnv and has

    train(steps)                                    learn for that many environment steps
    act(obs, state=None, *, mask=None, reset=None)  greedy actions [B] for a batch of observations, and the
                                                    state to pass in with the next one: None, or empty, for
                                                    an agent without memory
    value(obs), q_values(obs)                       V [B] and Q [B, A] of a batch of observations, each taken
                                                    for the first of an episode; both may be missing

`mask` [B, A] says which actions are legal, `reset` [B] where an episode begins; each is passed only if `act`
takes it. Episodes also begin wherever `state` is None. The constructor is given `gamma` and `backbone` if it
takes them. An agent that is not made for an environment says so by UnsupportedError or NotImplementedError.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium.vector import AutoresetMode

from rlkit.check.judging import ProtocolError, judged
from rlkit.check.probe import INTERFACES, Probe
from rlkit.check.probes import PROBES
from rlkit.errors import FAILURES, ConfigError, blame, one_line
from rlkit.registry import locate
from rlkit.settings import Settings

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)
NUM_ENVS = 8  # to train on
ANY = "**"  # stands for keywords that are not named

Make = Callable[..., Any]
Keywords = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training run and its verdict: "passed", "failed", "refused", or "skipped" for want of a comparison.

    `findings` says why.
    """

    probe: str
    rule: str
    interface: str
    autoreset_mode: str
    backbone: str | None
    verdict: str
    findings: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Backbone, autoreset mode and interface in a few words."""
        return ", ".join(part for part in (self.backbone, self.autoreset_mode, self.interface) if part)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of an agent on every probe."""

    agent: str
    cells: tuple[Cell, ...]
    options: Mapping[str, object]  # that it trained with, beside its defaults

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, one line a cell: the probe, what was got and expected, and the rule behind it."""
        return tuple(
            f"{cell.probe} ({cell.where}): {'; '.join(cell.findings)}; the rule: {cell.rule}"
            for cell in self.cells
            if cell.verdict == "failed"
        )

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing failed."""
        verdicts = {cell.verdict for cell in self.cells}
        return "failed" not in verdicts and "passed" in verdicts

    def to_json(self) -> dict[str, Any]:
        """As a plain record."""
        return {
            "agent": self.agent,
            "passed": self.passed,
            "options": dict(self.options),
            "cells": [dataclasses.asdict(c) for c in self.cells],
        }


@dataclass(frozen=True, kw_only=True)
class Place:
    """One cell of the grid before it is run."""

    probe: Probe
    interface: str
    mode: AutoresetMode
    backbone: str | None


def grid(
    probes: Sequence[Probe], *, backbones: Sequence[str], interfaces: Sequence[str], fast: bool
) -> Iterator[Place]:
    """Every probe with every backbone, autoreset mode and interface; the latter two take turns if `fast`.

    A rule about the end of episodes is tried in every mode all the same.
    """
    turn = 0
    for probe in probes:
        own = [interface for interface in interfaces if interface in probe.interfaces] or probe.interfaces
        for backbone in backbones or (None,):
            if not fast:
                for mode in MODES:
                    for interface in own:
                        yield Place(probe=probe, interface=interface, mode=mode, backbone=backbone)
                continue
            for _ in range(len(MODES) if probe.at_the_end else 1):
                mode, interface = MODES[turn % len(MODES)], own[(turn + turn // len(MODES)) % len(own)]
                yield Place(probe=probe, interface=interface, mode=mode, backbone=backbone)
                turn += 1


def check_agent(
    make: Make,
    *,
    probes: Sequence[str] = (),
    backbones: Sequence[str] = (),
    interfaces: Sequence[str] | None = None,
    fast: bool = True,
    settings: Keywords | None = None,
    steps: int | None = None,
    seed: int = 0,
    on_cell: Callable[[Cell], None] | None = None,
) -> Report:
    """Train an agent on each probe, or on those named, and compare its greedy return, V and Q with the truth.

    `make` is a class or a function as the module says, and `settings` are further keyword arguments of it.
    `steps` replaces each probe's own number of steps, and `on_cell` is called with every verdict. With
    `fast` every probe runs once, in every autoreset mode only where the mode matters; otherwise the product
    of probes, backbones, modes and interfaces ("model", "sync", "torch") runs. The torch interface, which
    returns tensors, is only tried for rlkit's own agents by default.

    Raises ProtocolError for what is no agent, and ConfigError for an unknown probe, interface or setting.
    """
    for kind, given, known in (("probe", probes, tuple(PROBES)), ("interface", interfaces or (), INTERFACES)):
        for name in given:
            if name not in known:
                raise ConfigError(f"no {kind} {name!r}; the {kind}s are {', '.join(known)}")
    settings = dict(settings or {})
    _check_call(make, backbones, settings)
    chosen = [PROBES[name] for name in probes or PROBES]
    if interfaces is None:
        interfaces = INTERFACES if _config(make) is not None else ("model", "sync")
    cells = []
    for place in grid(chosen, backbones=backbones, interfaces=interfaces, fast=fast):
        cells.append(run_cell(make, place, settings=settings, steps=steps, seed=seed))
        if on_cell is not None:
            on_cell(cells[-1])
    return Report(agent=_name(make), cells=tuple(cells), options=_probe_options(make) | settings)


def find_agent(reference: str) -> Make:
    """The class that `module:Class` names, or one of rlkit's agents by its name.

    Raises RegistryError, naming what is missing, and ProtocolError for what is no class.
    """
    made = locate("agent", reference)
    if not isinstance(made, type):
        raise ProtocolError(f"{reference} is not a class, but {made!r}")
    return made


def run_cell(
    make: Make, place: Place, *, settings: Keywords | None = None, steps: int | None = None, seed: int = 0
) -> Cell:
    """Train and judge an agent in one cell of the grid."""
    probe = place.probe
    keywords: dict[str, object] = {"gamma": probe.gamma} if "gamma" in _parameters(make) else {}
    keywords |= {} if place.backbone is None else {"backbone": place.backbone}
    keywords |= _probe_options(make) | dict(settings or {})
    gamma = float(str(keywords["gamma"])) if "gamma" in keywords else None
    env = probe.vector_env(NUM_ENVS, autoreset_mode=place.mode, interface=place.interface)
    steps = steps or getattr(_config(make), "probe_times", 1) * probe.steps
    verdict = "failed"
    try:
        verdict, findings = judged(make(env, seed=seed, **keywords), probe, gamma, steps, seed)
    except _refusals() as error:
        verdict, findings = "refused", [one_line(error)]
    except ProtocolError as error:
        raise ProtocolError(f"on the probe {probe.name}, {error}") from error
    except ConfigError:
        raise
    except FAILURES as error:
        findings = [f"raised {blame(error)}"]
    finally:
        env.close()
    return Cell(
        probe=probe.name,
        rule=probe.rule,
        interface=place.interface,
        autoreset_mode=place.mode.name.lower(),
        backbone=place.backbone,
        verdict=verdict,
        findings=tuple(findings),
    )


def _refusals() -> tuple[type[Exception], ...]:
    """How an agent says that it is not made for an environment; loaded where something was raised."""
    from rlkit.agents import UnsupportedError
    from rlkit.nn import UnsupportedSpaceError

    return UnsupportedError, UnsupportedSpaceError, NotImplementedError


def _check_call(make: Make, backbones: Sequence[str], settings: Keywords) -> None:
    """ProtocolError for what cannot be called, ConfigError naming a keyword that it does not take."""
    if not callable(make):
        raise ProtocolError(f"{make!r} is neither a class nor a function")
    if inspect.isabstract(make) or getattr(make, "Learner", make) is None:
        raise ProtocolError(f"{_name(make)} is abstract")
    try:
        takes = _parameters(make)
        for name in [*settings, *["backbone"] * bool(backbones)]:
            if name not in takes and ANY not in takes:
                raise ConfigError(f"{_name(make)} takes no {name!r}")
        own: dict[str, object] = {"gamma": 1.0} if "gamma" in takes else {}
        inspect.signature(make).bind(None, seed=0, **own | dict(settings))
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:  # inspect knows no signature of some builtins
        name = _name(make)
        raise ProtocolError(f"{name} must be called as {name}(env, seed=...): {error}") from None


def _parameters(make: Make) -> set[str]:
    """Names of keyword arguments, `ANY` if it takes others too; of rlkit's agents, their settings."""
    config = _config(make)
    if config is not None:
        return {field.name for field in dataclasses.fields(config)}
    parameters = inspect.signature(make).parameters
    return {ANY if p.kind is p.VAR_KEYWORD else name for name, p in parameters.items()}


def _config(make: Make) -> type[Settings] | None:
    """The settings of one of rlkit's agents."""
    config = getattr(make, "Config", None)
    return config if isinstance(config, type) and issubclass(config, Settings) else None


def _probe_options(make: Make) -> dict[str, object]:
    """The options with which an agent of rlkit's kind says that it learns the probes."""
    return dict(getattr(_config(make), "probe_options", {}))


def _name(make: Make) -> str:
    return str(getattr(make, "__name__", type(make).__name__))
