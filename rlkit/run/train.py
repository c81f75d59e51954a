"""Training runs: an agent learning inside a folder that holds its configuration, metrics and checkpoints.

config.json      what was run: environment, agent, full configuration, seed, steps, versions
metrics.jsonl    one record a line, on a grid of steps
checkpoints/     the newest checkpoints, with everything needed to resume
tensorboard/     the same metrics as events
.lock            who writes to the folder
"""

import json
import platform
import shlex
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from gymnasium.vector import SyncVectorEnv

from rlkit import __version__, storage
from rlkit.agents import Agent, NonFiniteError, StepsError
from rlkit.envs.adapters.vector import ModelVectorEnv
from rlkit.errors import FAILURES, RlkitError, blame, is_users, one_line
from rlkit.experience.jsonable import options_to_json
from rlkit.nn import NetworkConfig
from rlkit.nn.monitor import Trend
from rlkit.registry import find, modules_of, name_of
from rlkit.run import checkpoint
from rlkit.run.checkpoint import CONFIG, KEEP, RunError
from rlkit.run.fastest import faster
from rlkit.run.log import MetricsLog, Record
from rlkit.settings import whole, whole_steps
from rlkit.signals import stop_signals

BEGINNING = f"step-{0:012d}"  # the checkpoint of an agent that has learned nothing
RECORDS = 200  # records in metrics.jsonl over a whole run
CHECKPOINTS = 10  # at most
PROGRESS_SECONDS = 0.25
WORK = 80  # times as long as a checkpoint or showing progress took, before there is another

# What is shown is a record with four fields more: `network` and `device`, which they are and why, `settings`,
# those that are not the defaults, and `warnings`, those of the gradient monitor, or None without one.
OnProgress: TypeAlias = Callable[[Mapping[str, Any]], None]


class Interrupted(Exception):
    """The signal `signum` stopped training; `run_dir`, if there is one, can be resumed from `steps`."""

    def __init__(self, run_dir: Path | None, steps: int, signum: int = signal.SIGINT) -> None:
        super().__init__(f"stopped after {steps} steps")
        self.run_dir = run_dir
        self.steps = steps
        self.signum = signum


def train(
    env_id: str,
    *,
    agent: str = "ppo",
    steps: int,
    seed: int = 0,
    overrides: Mapping[str, object] | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
    out: Path | None = None,
    device: str = "auto",
    keep: int = KEEP,
    checkpoint_every: int | None = None,
    on_progress: OnProgress | None = None,
) -> Agent:
    """Learn for `steps` environment steps; `out` is the run folder, if there is to be one.

    These are taken exactly, or fewer where early stopping is configured. The device "auto" is the one that
    is found to be faster. `overrides` changes fields of the agent's configuration; `on_progress` gets a
    record at most four times a second, less often if showing it takes long, at evaluations and at the end.
    The newest `keep` checkpoints are kept; there is one every `checkpoint_every` steps, by default up to ten
    that take little of the time. Raises RegistryError, ConfigError, StepsError, RunError if `out` holds a run
    already, NonFiniteError if learning broke down, Interrupted on Ctrl-C, SIGTERM and SIGHUP.
    """
    algorithm: type[Agent] = find("agent", agent)
    checkpoints = _checked(keep, checkpoint_every)
    config = algorithm.configure(env_id, overrides)
    steps = whole_steps(steps)
    starts = getattr(config, "learning_starts", 0)
    if starts >= steps:
        raise StepsError(f"steps must be above learning_starts, {starts:,}, to learn at all; got {steps:,}")

    def make(device: str, **overrides: object) -> Agent:
        return algorithm(env_id, config=config, seed=seed, device=device, env_kwargs=env_kwargs, **overrides)

    if not issubclass(algorithm.Config, NetworkConfig):
        why = "tabular agents run there"
    elif device == "auto":
        device, why = faster(lambda name: make(name, evaluate_every=0, patience=0))
    else:
        why = "as asked"
    learner = make(device)
    run = _Run(learner, steps, out, *checkpoints, on_progress, why)
    if out is None:
        return run.learn()
    options_to_json(learner.env_kwargs)  # or it cannot be saved
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made a run folder: {error.strerror}") from None
    with checkpoint.alone(out):
        empty = [path.name for path in out.iterdir()] == [checkpoint.LOCK]
        found = storage.checkpoints(out)
        if (out / CONFIG).exists() or (found and found[-1].name != BEGINNING):
            raise RunError(f"{out} already holds a run; resume it or choose another folder")
        try:
            checkpoint.save(out, learner, keep=keep)
            run.write_config()  # last: from here on it can be resumed
            return run.learn()
        except FAILURES as error:
            if empty and not learner.steps and not isinstance(error, Interrupted):
                shutil.rmtree(out, ignore_errors=True)
            raise


def resume(
    run_dir: Path,
    *,
    steps: int | None = None,
    device: str = "auto",
    keep: int | None = None,
    checkpoint_every: int | None = None,
    trust_env: str | Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> Agent:
    """Resume a run from its newest good checkpoint until `steps` in total, by default those it was meant for.

    Of the module of its environment it imports what `trust_env` names. Raises RunError if there is no run,
    somebody else writes to it or nothing is left to do, LoadError if its checkpoints are damaged.
    """
    config = read_config(run_dir)
    total = config["steps"] if steps is None else whole_steps(steps)
    checkpoints = _checked(
        config.get("keep", KEEP) if keep is None else keep,
        config.get("checkpoint_every") if checkpoint_every is None else checkpoint_every,
    )
    before = "cpu" if config.get("device") == "cpu" else "auto"  # a GPU, if there still is one
    with checkpoint.alone(run_dir):
        learner = checkpoint.load(run_dir, device=before if device == "auto" else device, trust_env=trust_env)
        learner.source.check()
        if learner.loop.early_stopping.stopped and total == learner.clock.horizon:
            raise RunError(
                f"{run_dir} was stopped early at step {learner.steps}; give a total other than {total}"
            )
        if total <= learner.steps:
            raise RunError(f"{run_dir} has taken {learner.steps} steps already; pass a larger --steps")
        _warn_of_edits(run_dir, config, learner)
        same = "as before" if str(learner.device) == config.get("device") else "there is no GPU"
        why = same if device == "auto" else "as asked"
        run = _Run(learner, total, run_dir, *checkpoints, on_progress, why)
        run.write_config()
        return run.learn()


def read_config(run_dir: Path) -> dict[str, Any]:
    """What a run is: its config.json, with `steps` in all; raises RunError if the folder holds no run."""
    file = run_dir / CONFIG
    if not run_dir.exists():
        raise RunError(f"there is no run {run_dir}")
    try:
        config = storage.read_json(file)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{run_dir} holds no run that can be resumed: {file}: {error}") from None
    steps = config.get("steps") if isinstance(config, dict) else None
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise RunError(f"{run_dir} holds no run that can be resumed: {file} has no whole number of steps")
    found: dict[str, Any] = config
    return found


def _warn_of_edits(run_dir: Path, config: Mapping[str, Any], agent: Agent) -> None:
    """Say which fields of config.json are not those of the checkpoint, which are the ones that count."""
    saved = json.loads(json.dumps(_identity(agent)))
    edited = [name for name in saved if name in config and config[name] != saved[name]]
    if "config" in edited and isinstance(config["config"], dict):
        edited.remove("config")
        edited += [name for name, value in saved["config"].items() if config["config"].get(name) != value]
    if edited:
        warnings.warn(
            f"{run_dir / CONFIG} was edited; a resumed run keeps the {', '.join(edited)} of its checkpoint",
            stacklevel=3,
        )


def _checked(keep: object, every: object) -> tuple[int, int | None]:
    """How many checkpoints are kept, and the steps from one to the next."""
    every = None if every is None else whole("checkpoint_every", every, least=1)
    return whole("keep", keep, least=1), every


@dataclass
class _Run:
    """An agent that learns until `total` steps with a log and checkpoints in `out`, if any, and progress.

    After every update records are written by the step, progress is shown by the clock, checkpoints by both.
    """

    agent: Agent
    total: int
    out: Path | None
    keep: int
    every: int | None  # steps from one checkpoint to the next; by the clock if None
    on_progress: OnProgress | None
    why: str  # it learns on its device
    about: dict[str, str] = field(default_factory=dict)  # what does not change, from the first update on

    def learn(self) -> Agent:
        agent, out = self.agent, self.out
        self.saved = self.last = self.first = agent.steps
        self.trend = Trend()
        with (
            nullcontext() if out is None else MetricsLog(out, step=agent.steps) as self.log,
            stop_signals(gently=True) as self.signals,
        ):
            self.before = 0.0 if self.log is None else self.log.seconds
            self.start = self.save_at = self.show_at = time.perf_counter()
            try:
                agent.continue_to(self.total, callback=self._updated)
            except KeyboardInterrupt:
                raise Interrupted(out, self.saved, *self.signals[-1:]) from None
            except FAILURES as error:
                if out is None:
                    raise
                rescued = self._rescued(out, error)
                if isinstance(error, RlkitError):
                    error.args = (f"{one_line(error)}; {rescued}",)
                    raise
                why = f"{agent.steps}: {blame(error) if is_users(error) else one_line(error)}"
                raise RunError(f"the training stopped after step {why}; {rescued}") from error
        self.write_config()
        return agent

    def _updated(self, agent: Agent, metrics: dict[str, float]) -> None:
        end, evaluated = agent.finished, "eval_return" in metrics
        now = time.perf_counter()
        record = self._record(metrics, now - self.start)
        rising = self.trend.rises(record["mean_return"])
        if self.log is not None and (end or evaluated or self._crosses(self.total // RECORDS)):
            self.log.write(record)
        stop = bool(self.signals)
        due = self._crosses(self.every or self.total // CHECKPOINTS) and (self.every or now >= self.save_at)
        if self.out is not None and (end or stop or due):
            begin = time.perf_counter()
            checkpoint.save(self.out, agent, keep=self.keep)
            self.saved = agent.steps
            self.save_at = now + WORK * (time.perf_counter() - begin)
        self.last = agent.steps
        if self.on_progress is not None and (end or evaluated or now >= self.show_at):
            self.about = self.about or {
                "network": agent.describe(),
                "device": f"{agent.device}: {self.why}",
                "settings": _settings(agent),
            }
            begin = time.perf_counter()
            warned = agent.learner.warnings(metrics, rising=rising)
            self.on_progress({**record, **self.about, "warnings": warned})
            self.show_at = now + max(PROGRESS_SECONDS, WORK * (time.perf_counter() - begin))
        if stop and not end:
            raise KeyboardInterrupt

    def _crosses(self, interval: int) -> bool:
        interval = max(1, interval)
        return self.agent.steps // interval > self.last // interval

    def _record(self, metrics: dict[str, float], elapsed: float) -> Record:
        finished = self.agent.stepper.finished
        n = len(finished)
        return {
            "step": self.agent.steps,
            "episodes": self.agent.stepper.episodes,
            "mean_return": sum(value for value, _ in finished) / n if n else None,
            "mean_length": sum(length for _, length in finished) / n if n else None,
            **metrics,
            "seconds": self.before + elapsed,
            "steps_per_second": (self.agent.steps - self.first) / elapsed,
        }

    def _rescued(self, out: Path, error: BaseException) -> str:
        """Save what was learned before an error, unless that is in doubt; which checkpoint there is."""
        agent = self.agent
        if agent.steps > self.saved and not isinstance(error, NonFiniteError):
            with suppress(Exception):  # such as the error itself, of a full disk
                checkpoint.save(out, agent, keep=self.keep, new_episodes=True)
        if not agent.steps:
            return "nothing was learned"
        last = checkpoint.latest(out)
        return f"the last good checkpoint is {last}; resume with: {command('train --resume', out)}"

    def write_config(self) -> None:
        """Say in the run folder what is run."""
        if self.out is None:
            return
        agent, packages = self.agent, {name: version(name) for name in ("torch", "gymnasium", "numpy")}
        early = agent.loop.early_stopping.stopped and agent.steps < self.total
        config = {
            **_identity(agent),
            "steps": self.total,
            "stopped_early": agent.steps if early else None,
            "keep": self.keep,
            "checkpoint_every": self.every,
            "device": str(agent.device),
            "versions": {"rlkit": __version__, "python": platform.python_version(), **packages},
        }
        storage.replace_text(self.out / CONFIG, json.dumps(config, indent=1) + "\n")


def command(what: str, run_dir: Path) -> str:
    """The command line that does `what` with a run, and trusts the modules that it needs."""
    config = read_config(run_dir)
    modules = modules_of([config["env_id"], config["agent"], *config["config"].values()])
    trust = (part for module in modules for part in ("--trust-env", module))
    return shlex.join(["rlkit", *what.split(), str(run_dir), *trust])


def _settings(agent: Agent) -> str:
    """The fields that are not the algorithm's defaults, and how many environments there are if fewer."""
    usual = agent.Config().to_json()
    given = {name: value for name, value in agent.config.to_json().items() if value != usual[name]}
    own = [f"{k}={','.join(map(str, v)) or 'none' if isinstance(v, tuple) else v}" for k, v in given.items()]
    n, used = agent.config.num_envs, agent.stepper.num_envs
    fewer = f"; on {used} of {n} environments, since {n} does not divide the steps" if used < n else ""
    return f"{' '.join(own) or 'the defaults'}{fewer}{_foreign_batch(agent)}"


def _foreign_batch(agent: Agent) -> str:
    """The batches of another package that an agent learns on, and how it is graded there; else nothing."""
    base, learning = agent.stepper.env.unwrapped, agent.env_kwargs
    if isinstance(base, ModelVectorEnv | SyncVectorEnv):
        return ""
    graded = [f"{k}={v}" for k, v in agent.source.graded_kwargs().items() if learning.get(k) != v]
    return f"; in {type(base).__name__}{', graded with ' if graded else ''}{' '.join(graded)}"


def _identity(agent: Agent) -> dict[str, Any]:
    """What a run keeps when it is resumed."""
    return {
        "env_id": agent.source.full_id,
        "env_kwargs": options_to_json(agent.env_kwargs),
        "agent": name_of("agent", type(agent)),
        "config": agent.config.to_json(),
        "seed": agent.seed,
    }
