"""Checkers of environments, of batches of them, of the models behind them, and of agents.

Each takes an object, one's own or anyone's, and returns if nothing is wrong; else it raises `CheckError`
with everything it found. `check_agent` takes a class of agents, and returns a report.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv

from rlkit.check.agents import Report as Report, check_agent as check_agent
from rlkit.check.batch import batch_findings
from rlkit.check.environment import environment_findings
from rlkit.check.judging import ProtocolError as ProtocolError
from rlkit.check.model import model_findings
from rlkit.check.playing import described
from rlkit.check.training import training_findings, untrainable
from rlkit.core import MDP, Model, TableModel
from rlkit.envs.adapters.gym import ModelEnv
from rlkit.envs.foreign import name_of, transitions
from rlkit.errors import FAILURES, RlkitError


class CheckError(RlkitError, AssertionError):
    """What a checker found, one line each, in `findings`."""

    def __init__(self, subject: str, findings: list[str]) -> None:
        super().__init__("\n".join([f"{subject} has {len(findings)} defect(s):", *findings]))
        self.findings = tuple(findings)


def check_env(env: gym.Env[Any, Any], *, steps: int = 3000, seed: int = 0) -> None:
    """Check a `gymnasium.Env`: Gymnasium's own rules, seeding, masks, and the exact model where it has one.

    With a model (rlkit's own, or a table `P`), every sampled step must be one that the model knows, the
    frequencies must pass a chi-square test, and `reward_threshold` must not lie above the optimum.
    Raises `CheckError`.
    """
    if not isinstance(env, gym.Env):
        raise TypeError(
            f"check_env takes a gymnasium.Env, not {env!r}; for batches there is check_vector_env"
        )
    _report(name_of(env), environment_findings(env, steps, seed))


def check_vector_env(env: VectorEnv[Any, Any, Any], *, steps: int = 300, seed: int = 0) -> None:
    """Check a `gymnasium.vector.VectorEnv`: shapes, types, seeding, and the rules of its autoreset mode.

    Raises `CheckError`.
    """
    if not isinstance(env, VectorEnv):
        raise TypeError(f"check_vector_env takes a gymnasium.vector.VectorEnv, not {env!r}")
    _report(str(env), batch_findings(env, steps, seed))


def check_model(model: Model[Any] | MDP, *, steps: int = 200, seed: int = 0) -> None:
    """Check a `Model` or an `MDP`: probabilities, masks, spaces, sampling, and that batches do not mix.

    Raises `CheckError`.
    """
    described = TableModel(model) if isinstance(model, MDP) else model
    _report(type(model).__name__, model_findings(described, steps, seed))


def check_id(name: str, **options: Any) -> dict[str, Any]:
    """Every check that an environment id allows, as a plain record: its parts, and what each found."""
    from rlkit.envs.registry import make, resolve

    id = resolve(name)
    try:
        env = make(id, **options)
    except RlkitError:
        raise
    except FAILURES as error:
        return {"id": id, "checks": [{"part": "environment", "findings": (_failed("making it", error),)}]}

    def batch(**how: Any) -> None:
        check_vector_env(gym.make_vec(id, num_envs=4, **how, **options))

    runs: dict[str, Callable[[], None]] = {"environment": lambda: check_env(env)}
    base = env.unwrapped
    native = gym.spec(id.rpartition(":")[2]).vector_entry_point is not None
    batches = partial(batch, vectorization_mode="vector_entry_point" if native else "sync")
    if isinstance(base, ModelEnv):
        runs["model"] = lambda: check_model(base.model)
    if isinstance(base, ModelEnv) and native:
        runs |= {f"batch, {mode.value}": partial(batches, autoreset_mode=mode) for mode in AutoresetMode}
    else:
        runs["batch"] = batches
    checks = [{"part": part, "findings": _found_by(run), "note": None} for part, run in runs.items()]
    checks[0]["note"] = _unread(env)
    return {"id": id, "checks": [*checks, _trained(id, options)]}


def _unread(env: gym.Env[Any, Any]) -> str | None:
    """Why the table `P` of an environment is not used, if it has one."""
    try:
        if not isinstance(env.unwrapped, ModelEnv) and hasattr(env.unwrapped, "P"):
            transitions(env)
    except FAILURES as error:
        return f"nothing wrong; {error}"
    return None


def _trained(id: str, options: dict[str, Any]) -> dict[str, Any]:
    from rlkit.experience import environments

    found: dict[str, Any] = {"part": "training", "findings": (), "note": None}
    try:
        env = environments.make(id, 2, kwargs=options)
    except RlkitError as error:
        return found | {"findings": (str(error),)}
    reason = untrainable(env)
    if reason is not None:
        return found | {"note": f"not tried: {reason}"}
    return found | {"findings": tuple(training_findings(env, 200, 0))}


def _found_by(run: Callable[[], None]) -> tuple[str, ...]:
    try:
        run()
    except CheckError as error:
        return error.findings
    except FAILURES as error:
        return (_failed("making it", error),)
    return ()


def _report(subject: str, found: Iterator[str]) -> None:
    findings: list[str] = []
    try:
        findings += found
    except FAILURES as error:
        findings.append(_failed("looking at it", error))
    if findings:
        raise CheckError(subject, list(dict.fromkeys(" ".join(finding.split()) for finding in findings)))


def _failed(doing: str, error: BaseException) -> str:
    return f"{doing} raised {described(error)}"
