"""`rlkit train` and `rlkit eval`: train agents, and grade them against the optimum."""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlkit.cli.options import AgentOptions, EnvOptions, Json, TrustEnv, argument, count, given, option, refuse
from rlkit.cli.output import MISSED, app, say, show, terminal
from rlkit.registry import find, names
from rlkit.signals import exit_status

if TYPE_CHECKING:
    from rlkit.agents import Agent


@app.command()
def train(
    id: Annotated[str | None, argument("ID", "Train in this environment.")] = None,
    agent: Annotated[
        str | None, option(f"Train this agent: {', '.join(names('agent'))}, or module:Class.  [default: ppo]")
    ] = None,
    steps: Annotated[
        int | None, count("steps", "Take exactly this many environment steps.  [default: by task]")
    ] = None,
    seed: Annotated[int | None, count("seed", "Set the random seed.  [default: 0]", least=0)] = None,
    set: AgentOptions = None,
    env: EnvOptions = None,
    out: Annotated[
        Path | None, option("Write the run to this folder.  [default: runs/ID-AGENT-SEED]")
    ] = None,
    resume: Annotated[Path | None, option("Resume this run.", "RUN")] = None,
    keep: Annotated[int | None, count("keep", "Keep this many newest checkpoints.  [default: 2]")] = None,
    checkpoint_every: Annotated[
        int | None,
        count(
            "checkpoint_every",
            "Save a checkpoint every so many steps.  [default: by the clock]",
            metavar="STEPS",
        ),
    ] = None,
    trust_env: TrustEnv = None,
    device: Annotated[str, option("Use this device: auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> int:
    """Train an agent and grade it."""
    if resume is None and id is None:
        raise typer.BadParameter("give an environment ID, or --resume RUN")
    if agent not in (None, *names("agent")):
        find("agent", str(agent))  # fails before torch is imported, which takes seconds
    from rlkit import report
    from rlkit.agents import default_steps
    from rlkit.envs.registry import resolve
    from rlkit.report.terminal.live import TrainingView
    from rlkit.run import train as runs
    from rlkit.run.checkpoint import KEEP

    if resume is None:
        refuse("without --resume the ID names the module, as MODULE:ID", {"--trust-env": trust_env})
        env_id, algorithm, seed = resolve(str(id)), agent or "ppo", seed or 0
        options = given(env)
        total = default_steps(algorithm, env_id) if steps is None else steps
        overrides, folder = given(set), out or _new_folder(f"{_last(env_id)}-{_last(algorithm)}-{seed}")
        title = f"{algorithm} on {env_id}, seed {seed}"
        run: Callable[..., Agent] = partial(
            runs.train,
            env_id,
            agent=algorithm,
            steps=total,
            seed=seed,
            overrides=overrides,
            env_kwargs=options,
            out=folder,
            keep=KEEP if keep is None else keep,
        )
    else:
        own = {"ID": id, "--set": set, "--env": env, "--seed": seed, "--agent": agent, "--out": out}
        refuse("a resumed run keeps its own", own)
        config = runs.read_config(resume)
        env_id, options, folder = str(config.get("env_id")), config.get("env_kwargs") or {}, resume
        total = config["steps"] if steps is None else steps
        algorithm = str(config.get("agent"))
        title = f"{algorithm} on {env_id}, seed {config.get('seed')}, resumed"
        run = partial(runs.resume, folder, steps=steps, keep=keep, trust_env=trust_env or ())

    console = terminal(stderr=json)
    try:
        marks = {} if options else _landmarks(env_id)
        with TrainingView(console, title=title, steps=total, marks=marks) as view:
            trained = run(device=device, checkpoint_every=checkpoint_every, on_progress=view)
    except runs.Interrupted as stop:
        again = runs.command("train --resume", folder)
        say(f"stopped and saved at step {stop.steps}; resume with: {again}")
        return exit_status(stop.signum)
    finally:
        if (out or resume) is None:
            with suppress(OSError):  # where something was written
                folder.rmdir()
                folder.parent.rmdir()
    again = runs.command("eval", folder)
    try:
        from rlkit.evaluate import grade_record  # after the first step is shown: it takes a while

        record = {"run": str(folder), **grade_record(trained)}
    except BaseException:
        say(f"trained and saved in {folder}, but not graded; grade it with: {again}")
        raise
    early = trained.loop.early_stopping
    if trained.steps < total:
        say(
            f"stopped early at step {trained.steps} of {total}, after {early.waited} evaluations "
            f"without one above {early.best_return:.6g}; the agent is that of step {early.best_step}"
        )
    show(json, record, report.grade)
    if not json:
        console.say(f"saved in {folder}; grade it again with: {again}")
    return 0


@app.command("eval")
def evaluate(
    run: Annotated[Path, argument("RUN", "Grade the agent of this run folder.")],
    episodes: Annotated[int, count("episodes", "Sample this many episodes.", least=2)] = 100,
    seed: Annotated[
        int | None, count("seed", "Seed the episodes.  [default: apart from training]", least=0)
    ] = None,
    max_steps: Annotated[
        int | None,
        count("max_steps", "Cut episodes after this many steps.  [default: max_episode_steps, else 1000]"),
    ] = None,
    stochastic: Annotated[
        bool, option("Sample actions instead of taking the best.", flag="--stochastic")
    ] = False,
    env: EnvOptions = None,
    trust_env: TrustEnv = None,
    goal: Annotated[
        float | None, option("Exit with 3 below this percent of optimum, or below this return without one.")
    ] = None,
    json: Json = False,
) -> int:
    """Grade a trained agent.

    Samples returns, and computes the percent of the optimum where there is an exact model.
    """
    from rlkit import report
    from rlkit.evaluate import grade_record
    from rlkit.run import checkpoint

    trained = checkpoint.load(run, env_kwargs=given(env), trust_env=trust_env or ())
    found = grade_record(trained, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps)
    show(json, {"run": str(run), **found}, report.grade)
    score = found["exact"] or found["sampled"]
    reached = found["mean_return"] if score is None else score["percent_of_optimum"]
    if goal is None or (reached is not None and reached >= goal):
        return 0
    say(f"below the goal: {'no score' if reached is None else f'{reached:.6g}'} < {goal:g}")
    return MISSED


def _landmarks(env_id: str | None) -> dict[str, float]:
    """Returns to compare with: the optimum, within the time limit if there is one, and random play."""
    from rlkit.catalogue import listed

    record = next((record for record in listed() if record["id"] == env_id), None)
    if record is None or record["exact_options"]:  # figures for other options are those of another problem
        return {}
    optimum = record["optimum" if record["max_episode_steps"] is None else "optimum_in_limit"]
    found = {"optimum": optimum, "random play": record["random"]}
    return {name: value for name, value in found.items() if value is not None}


def _last(name: str) -> str:
    """An id or a class without its module and its namespace."""
    return re.split("[/:]", name)[-1]


def _new_folder(name: str) -> Path:
    """`runs/name`, or the first of `runs/name-2`, `-3`, ... that did not exist; made, for nobody else."""
    runs, n = Path("runs"), 2
    runs.mkdir(exist_ok=True)
    folder = runs / name
    while True:
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
        folder, n = runs / f"{name}-{n}", n + 1
