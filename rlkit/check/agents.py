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

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv

from rlkit.check.probes import FACES, PROBES, Probe, Truth
from rlkit.check.tuning import tuning
from rlkit.errors import RlkitError
from rlkit.settings import ConfigError, Settings

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED)
NUM_ENVS = 8  # to train on
EPISODES = 128  # side by side, to judge the greedy policy by
ROUNDS = 2  # of such episodes, so that what an agent remembers of the first could mislead it in the second
LONGEST = 200  # steps of such an episode
NEGLIGIBLE = 1e-3  # weight of a reward from which nothing more counts
ANY = "**"  # stands for keywords that are not named
VALUE_TOLERANCE = 0.1  # of the largest value of the probe, or of 1

Make = Callable[..., Any]
Keywords = Mapping[str, object]


class ProtocolError(RlkitError, TypeError):
    """What was given is no agent: its constructor, its methods, or what they return, do not fit."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training run and its verdict: "passed", "failed", "refused", or "skipped" for want of a comparison.

    `findings` says why.
    """

    probe: str
    rule: str
    face: str
    autoreset_mode: str
    backbone: str | None
    verdict: str
    findings: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Backbone, autoreset mode and face in a few words."""
        return ", ".join(part for part in (self.backbone, self.autoreset_mode, self.face) if part)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of an agent on every probe."""

    agent: str
    cells: tuple[Cell, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, one line a cell: the probe, what was got and expected, and the rule behind it."""
        return tuple(
            f"{cell.probe} ({cell.where}): {'; '.join(cell.findings)}: {cell.rule}"
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
            "cells": [dataclasses.asdict(c) for c in self.cells],
        }


@dataclass(frozen=True, kw_only=True)
class Place:
    """One cell of the grid before it is run."""

    probe: Probe
    face: str
    mode: AutoresetMode
    backbone: str | None


def grid(
    probes: Sequence[Probe], *, backbones: Sequence[str], faces: Sequence[str], fast: bool
) -> Iterator[Place]:
    """Every probe with every backbone, autoreset mode and face; with `fast` modes and faces take turns.

    A rule about the end of episodes is tried in every mode all the same.
    """
    turn = 0
    for probe in probes:
        own = [face for face in faces if face in probe.faces] or list(probe.faces)
        for backbone in backbones or (None,):
            if not fast:
                for mode in MODES:
                    for face in own:
                        yield Place(probe=probe, face=face, mode=mode, backbone=backbone)
                continue
            for _ in range(len(MODES) if probe.at_the_end else 1):
                mode, face = MODES[turn % len(MODES)], own[(turn + turn // len(MODES)) % len(own)]
                yield Place(probe=probe, face=face, mode=mode, backbone=backbone)
                turn += 1


def check_agent(
    make: Make,
    *,
    probes: Sequence[str] = (),
    backbones: Sequence[str] = (),
    faces: Sequence[str] | None = None,
    fast: bool = True,
    settings: Keywords | None = None,
    steps: int | None = None,
    seed: int = 0,
    on_cell: Callable[[Cell], None] | None = None,
) -> Report:
    """Train an agent on each probe, or on those named, and compare its greedy return, V and Q with the truth.

    `make` is a class or a function as the module says. `settings` are further keyword arguments of it, and
    `steps` trains for other than each probe's own number of steps. `on_cell` is told of every verdict.
    With `fast` every probe is run once, and in every autoreset mode only where the mode matters; else the
    product of probes, backbones, modes and faces ("model", "sync", "torch") is run. The torch face, which
    returns tensors, is by default for rlkit's own agents.

    Raises ProtocolError for what is no agent, and ConfigError for an unknown probe or setting.
    """
    for name in probes:
        if name not in PROBES:
            raise ConfigError(f"no probe {name!r}; there is {', '.join(PROBES)}")
    settings = dict(settings or {})
    _check_call(make, backbones, settings)
    chosen = [PROBES[name] for name in probes or PROBES]
    if faces is None:
        faces = FACES if _config(make) is not None else ("model", "sync")
    cells = []
    for place in grid(chosen, backbones=backbones, faces=faces, fast=fast):
        cells.append(run_cell(make, place, settings=settings, steps=steps, seed=seed))
        if on_cell is not None:
            on_cell(cells[-1])
    return Report(agent=_name(make), cells=tuple(cells))


def find_agent(reference: str) -> Make:
    """The class that `module:Class` names, or one of rlkit's agents by its name.

    Raises ProtocolError, naming what is missing.
    """
    module, colon, name = reference.partition(":")
    if not colon:
        from rlkit.agents import AGENTS

        if reference not in AGENTS:
            raise ProtocolError(f"no agent {reference!r}; give module:Class, or one of {', '.join(AGENTS)}")
        return AGENTS[reference]
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ProtocolError(f"{module!r} cannot be imported: {_one_line(error)}") from None
    except Exception as error:
        raise ProtocolError(
            f"{module!r} cannot be imported: {type(error).__name__}: {_one_line(error)}"
        ) from error
    made = getattr(found, name, None)
    if made is None:
        raise ProtocolError(f"module {module!r} has no class {name!r}")
    if not isinstance(made, type):
        raise ProtocolError(f"{reference} is a {type(made).__name__}, not a class")
    return made


def run_cell(
    make: Make, place: Place, *, settings: Keywords | None = None, steps: int | None = None, seed: int = 0
) -> Cell:
    """Train and judge an agent in one cell of the grid."""
    probe = place.probe
    own = tuning(getattr(make, "name", ""))
    keywords = _keywords(make, place, {**own.settings, **(settings or {})})
    gamma = float(str(keywords["gamma"])) if "gamma" in keywords else None
    env = probe.vector_env(NUM_ENVS, autoreset_mode=place.mode, face=place.face)
    verdict = "failed"
    try:
        agent = make(env, seed=seed, **keywords)
        verdict, findings = _judged(agent, probe, gamma, steps or own.times * probe.steps, seed)
    except _refusals() as error:
        verdict, findings = "refused", [_one_line(error)]
    except (ProtocolError, ConfigError):
        raise
    except Exception as error:
        findings = [f"raised {type(error).__name__}: {_one_line(error)}"]
    finally:
        env.close()
    return Cell(
        probe=probe.name,
        rule=probe.rule,
        face=place.face,
        autoreset_mode=place.mode.name.lower(),
        backbone=place.backbone,
        verdict=verdict,
        findings=tuple(findings),
    )


def _judged(agent: Any, probe: Probe, gamma: float | None, steps: int, seed: int) -> tuple[str, list[str]]:
    for method in ("train", "act"):
        if not callable(getattr(agent, method, None)):
            raise ProtocolError(f"{type(agent).__name__} has no method {method}")
    truth = probe.truth(probe.gamma if gamma is None else gamma)
    remembers = _Player(agent, probe, seed=seed).remembers
    if probe.needs_memory and not remembers:
        return "skipped", ["the agent has no memory"]
    exact = {} if gamma is None else {"value": truth.value, "q_values": truth.q}
    offered = [name for name, x in exact.items() if np.isfinite(x).any() and hasattr(agent, name)]
    if not truth.decision and not offered:
        return "skipped", ["the agent takes no gamma" if gamma is None else "the agent shows no values"]
    agent.train(steps)
    wrong = []
    if truth.decision:
        earned = _Player(agent, probe, seed=seed + 1).discounted_return(probe.gamma)
        if not earned >= probe.truth(probe.gamma).optimum - probe.tolerance:
            wrong.append(_differs("the greedy return", earned, truth.optimum))
    for name in offered:
        wrong += _wrong_values(agent, name, truth, only_first=remembers)
    return ("failed" if wrong else "passed"), wrong


def _wrong_values(agent: Any, name: str, truth: Truth, *, only_first: bool) -> list[str]:
    """The value that is furthest off, if it is too far: V [N] or Q [N, A] where all policies agree on it."""
    exact = truth.value if name == "value" else truth.q
    known = np.isfinite(exact) & (truth.first | (not only_first)).reshape(-1, *(1,) * (exact.ndim - 1))
    learned = _array(getattr(agent, name)(truth.obs))
    if learned.shape != exact.shape:
        raise ProtocolError(f"{name} must return {list(exact.shape)} numbers, not {list(learned.shape)}")
    if not known.any():
        return []
    error = np.where(known, np.abs(np.where(np.isfinite(learned), learned, np.inf) - exact), 0.0)
    at = np.unravel_index(error.argmax(), error.shape)
    if error[at] <= VALUE_TOLERANCE * max(1.0, float(np.abs(exact[known]).max())):
        return []
    state = truth.names[at[0]]
    what = f"V({state})" if name == "value" else f"Q({state}, {at[1]})"
    return [_differs(what, float(learned[at]), float(exact[at]))]


def _differs(what: str, got: float, expected: float) -> str:
    return f"{what} is {got:.3g}, must be {expected:.3g}"


class _Player:
    """An agent that plays greedily, many episodes side by side, without a time limit."""

    def __init__(self, agent: Any, probe: Probe, *, seed: int) -> None:
        self.agent, self.seed = agent, seed
        self.env: VectorEnv[Any, Any, Any] = probe.vector_env(EPISODES, face=probe.faces[0], limited=False)
        self.takes = set(inspect.signature(agent.act).parameters)
        self.shape = (EPISODES, *(self.env.single_action_space.shape or ()))

    @property
    def remembers(self) -> bool:
        """Whether the agent has something to pass on after the first step."""
        obs, info = self.env.reset(seed=self.seed)
        _, state = self.act(obs, None, info, first=True)
        return state is not None and (not isinstance(state, tuple | list | dict) or len(state) > 0)

    def discounted_return(self, gamma: float) -> float:
        """Mean over episodes of the sum of gamma^t reward."""
        earned, state = np.zeros(EPISODES), None
        for k in range(ROUNDS):
            obs, info = self.env.reset(seed=self.seed + k * EPISODES)
            if "reset" not in self.takes:
                state = None
            playing, weight = np.ones(EPISODES, dtype=np.bool_), 1.0
            for t in range(LONGEST):
                action, state = self.act(obs, state, info, first=t == 0)
                obs, reward, terminated, _, info = self.env.step(action)
                earned += weight * playing * reward
                playing &= ~terminated
                weight *= gamma
                if not playing.any() or weight < NEGLIGIBLE:
                    break
        return float(earned.mean() / ROUNDS)

    def act(
        self, obs: Any, state: Any, info: Mapping[str, Any], *, first: bool
    ) -> tuple[npt.NDArray[Any], Any]:
        """The agent's actions, checked, and its next state."""
        known = {"mask": info.get("action_mask"), "reset": np.full(EPISODES, first)}
        told = {name: x for name, x in known.items() if name in self.takes and x is not None}
        if "mask" in told:
            told["mask"] = np.asarray(told["mask"], dtype=np.bool_)
        answer = self.agent.act(obs, state, **told)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ProtocolError(f"act must return a pair (action, state), not {_kind(answer)}")
        action = _array(answer[0])
        if action.shape != self.shape:
            raise ProtocolError(
                f"act must return actions {self.shape} for {EPISODES} observations, not {action.shape}"
            )
        return action, answer[1]


def _refusals() -> tuple[type[Exception], ...]:
    """How an agent says that it is not made for an environment; loaded where something was raised."""
    from rlkit.agents import UnsupportedError
    from rlkit.nn import UnsupportedSpaceError

    return UnsupportedError, UnsupportedSpaceError, NotImplementedError


def _check_call(make: Make, backbones: Sequence[str], settings: Keywords) -> None:
    """ProtocolError for what cannot be called, ConfigError naming a keyword that it does not take."""
    if not callable(make):
        raise ProtocolError(f"{make!r} is neither a class nor a function")
    if inspect.isabstract(make):
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


def _keywords(make: Make, place: Place, settings: Keywords) -> dict[str, object]:
    """What the constructor is given: the settings, and gamma and the backbone if it takes them."""
    backbone = {} if place.backbone is None else {"backbone": place.backbone}
    gamma = {"gamma": place.probe.gamma} if "gamma" in _parameters(make) else {}
    return {**gamma, **backbone, **settings}


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


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _array(x: Any) -> npt.NDArray[Any]:
    """Numbers of any library as a numpy array."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def _kind(x: object) -> str:
    return f"{len(x)} things" if isinstance(x, tuple) else f"a {type(x).__name__}"


def _name(make: Make) -> str:
    return str(getattr(make, "__name__", type(make).__name__))
