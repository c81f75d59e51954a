"""`rlkit train`, `rlkit eval` and `rlkit agents`: agents, and how close to the optimum they come."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rlkit.cli.common import (
    MISSED,
    EnvKnobs,
    Json,
    TrustEnv,
    app,
    find_modules_here,
    knobs,
    modules,
    refuse,
    say,
    show,
    terminal,
    whole,
)
from rlkit.signals import exit_status

if TYPE_CHECKING:
    from rlkit.agents import Agent
    from rlkit.report.terminal.live import TrainingView

# Those of rlkit.agents.AGENTS, which takes seconds to import.
AGENT_NAMES = (
    *("a2c", "dqn", "ppo", "pqn", "rainbow", "reinforce", "sac"),
    *("double_q", "dyna_q", "expected_sarsa", "mc", "n_step_sarsa"),
    *("prioritized_sweeping", "q_lambda", "q_learning", "sarsa", "td_lambda"),
)


@app.command()
def train(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="An environment id.")] = None,
    agent: Annotated[str | None, typer.Option(help=f"{', '.join(AGENT_NAMES)}.  [default: ppo]")] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            parser=whole("steps", least=1),
            metavar="N",
            help="Environment steps, exactly.  [default: by task]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(parser=whole("seed", least=0), metavar="N", help="Random seed.  [default: 0]"),
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent.")
    ] = None,
    env: EnvKnobs = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/ID-AGENT-SEED]")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Resume a stopped run.")] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            parser=whole("keep", least=1), metavar="N", help="Checkpoints to keep, the newest.  [default: 2]"
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            parser=whole("checkpoint_every", least=1),
            metavar="STEPS",
            help="Steps between two checkpoints.  [default: by the clock]",
        ),
    ] = None,
    trust_env: TrustEnv = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> int:
    """Train an agent and grade it."""
    from rlkit import report
    from rlkit.agents import default_steps
    from rlkit.envs.registry import resolve
    from rlkit.report.terminal.live import TrainingView
    from rlkit.run.checkpoint import KEEP
    from rlkit.run.train import Interrupted, command, read_config
    from rlkit.run.train import resume as go_on
    from rlkit.run.train import train as learn

    console = terminal(stderr=json)
    if resume is None:
        if id is None:
            raise typer.BadParameter("give an environment ID, or --resume RUN")
        refuse("without --resume the ID names the module, as MODULE:ID", {"--trust-env": trust_env})
        env_id, algorithm, chosen_seed = (
            resolve(find_modules_here(id)),
            agent or "ppo",
            0 if seed is None else seed,
        )
        total = default_steps(algorithm, env_id) if steps is None else steps
        folder = out or _free_folder(f"{re.split('[/:]', env_id)[-1]}-{algorithm}-{chosen_seed}")
        title, given_knobs = f"{algorithm} on {env_id}, seed {chosen_seed}", knobs(env)

        def run(view: TrainingView) -> Agent:
            return learn(
                env_id,
                agent=algorithm,
                steps=total,
                seed=chosen_seed,
                overrides=knobs(set),
                env_kwargs=given_knobs,
                out=folder,
                device=device,
                keep=KEEP if keep is None else keep,
                checkpoint_every=checkpoint_every,
                on_progress=view,
            )
    else:
        given = {"ID": id, "--set": set, "--env": env, "--seed": seed, "--agent": agent, "--out": out}
        refuse("a resumed run keeps its own", given)
        run_config = read_config(resume)
        folder, total = resume, run_config["steps"] if steps is None else steps
        env_id, given_knobs = str(run_config.get("env_id")), run_config.get("env_kwargs") or {}
        title = f"{run_config.get('agent')} on {env_id}, seed {run_config.get('seed')}, resumed"

        def run(view: TrainingView) -> Agent:
            return go_on(
                folder,
                steps=steps,
                device=device,
                keep=keep,
                checkpoint_every=checkpoint_every,
                trust_env=modules(trust_env),
                on_progress=view,
            )

    try:
        marks = {} if given_knobs else _landmarks(env_id)
        with TrainingView(console, title=title, steps=total, marks=marks) as view:
            trained = run(view)
    except Interrupted as stop:
        again = command("train --resume", folder, env_id)
        say(f"stopped and saved at step {stop.steps}; resume with: {again}")
        return exit_status(stop.signum)
    try:
        from rlkit.evaluate import report as grade  # after the first step is shown: it takes a while

        record = {"run": str(folder), **grade(trained)}
    except KeyboardInterrupt:
        say(f"trained and saved in {folder}; grade it with: {command('eval', folder, env_id)}")
        raise
    early = trained.early_stopping
    if trained.steps < total:
        say(
            f"stopped early at step {trained.steps} of {total}, after {early.waited} evaluations "
            f"without one above {early.best_return:.6g}; the agent is that of step {early.best_step}"
        )
    show(json, record, report.grade)
    if not json:
        again = command("eval", folder, env_id)
        console.say(f"saved in {folder}; grade it again with: {again}")
    return 0


@app.command("eval")
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of rlkit train.")],
    episodes: Annotated[
        int, typer.Option(parser=whole("episodes", least=2), metavar="N", help="Episodes to sample.")
    ] = 100,
    seed: Annotated[
        int | None,
        typer.Option(
            parser=whole("seed", least=0),
            metavar="N",
            help="Of the episodes.  [default: apart from training]",
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            parser=whole("max_steps", least=1),
            metavar="N",
            help="Of an episode, which is cut after them.  [default: the time limit, else 1000]",
        ),
    ] = None,
    stochastic: Annotated[bool, typer.Option("--stochastic", help="Sample actions, not the best.")] = False,
    env: EnvKnobs = None,
    trust_env: TrustEnv = None,
    goal: Annotated[
        float | None, typer.Option(help="Exit 3 below this percent of optimum, or this return without one.")
    ] = None,
    json: Json = False,
) -> int:
    """Grade a trained agent.

    By sampled returns, and in percent of the optimum where there is an exact model.
    """
    from rlkit import report
    from rlkit.evaluate import report as grade
    from rlkit.run import checkpoint

    trained = checkpoint.load(run, env_kwargs=knobs(env), trust_env=modules(trust_env))
    sampled = grade(trained, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps)
    record = {"run": str(run), **sampled}
    show(json, record, report.grade)
    graded = record["exact"] or record["sampled"]
    reached = record["mean_return"] if graded is None else graded["percent_of_optimum"]
    return MISSED if goal is not None and not (reached is not None and reached >= goal) else 0


@app.command()
def agents(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An agent, for its settings.")] = None,
    json: Json = False,
) -> None:
    """List the agents, or the settings of one."""
    from rlkit import report
    from rlkit.agents import AGENTS
    from rlkit.agents.describe import abilities, settings, summary
    from rlkit.run.train import find_agent

    if name is None:
        records = [abilities(agent) for _, agent in sorted(AGENTS.items())]
        show(json, {"agents": records}, report.agents)
        return
    agent = find_agent(name)
    record = {"agent": name, "summary": summary(agent), "settings": settings(agent)}
    show(json, record, report.settings)


def _landmarks(env_id: str | None) -> dict[str, float]:
    """What is known of an environment's return: the optimum, within the time limit if any, and chance."""
    from rlkit.catalogue import listed

    record = next((record for record in listed() if record["id"] == env_id), None)
    if record is None or record["exact_knobs"]:  # figures for other options are those of another problem
        return {}
    optimum = record["optimum" if record["max_episode_steps"] is None else "optimum_in_limit"]
    found = {"optimum": optimum, "random play": record["random"]}
    return {name: value for name, value in found.items() if value is not None}


def _free_folder(name: str) -> Path:
    """`runs/name`, or the first of `runs/name-2`, `-3`, ... that does not exist."""
    folder, n = Path("runs") / name, 2
    while folder.exists():
        folder, n = Path("runs") / f"{name}-{n}", n + 1
    return folder
