"""`rlkit envs`, `play`, `record`, `check` and `check-agent`: to look at environments, and at agents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

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
    show,
    terminal,
    whole,
)


@app.command()
def envs(
    id: Annotated[str | None, typer.Argument(help="One environment, in full.")] = None, json: Json = False
) -> None:
    """List the environments, or show one."""
    from rlkit import report
    from rlkit.catalogue import describe, listed

    if id is not None:
        record = describe(find_modules_here(id))
        show(json, record, report.environment)
        return
    show(json, {"environments": listed()}, report.environments)


@app.command()
def play(
    id: Annotated[str, typer.Argument(metavar="ID", help="One of rlkit's environments.")],
    seed: Annotated[
        int, typer.Option(parser=whole("seed", least=0), metavar="N", help="Of the episodes.")
    ] = 0,
    env: EnvKnobs = None,
) -> None:
    """Play an environment by keyboard."""
    from rlkit.play import play as play_in_terminal

    play_in_terminal(find_modules_here(id), seed=seed, **knobs(env))


@app.command()
def record(
    what: Annotated[str, typer.Argument(metavar="RUN|ID", help="A run folder, or an environment id.")],
    out: Annotated[Path, typer.Option(help="A .gif or .mp4 file.")] = Path("episode.gif"),
    policy: Annotated[
        str | None, typer.Option(help="Of an ID: optimal, or random.  [default: optimal]")
    ] = None,
    episodes: Annotated[
        int, typer.Option(parser=whole("episodes", least=1), metavar="N", help="Episodes to film.")
    ] = 1,
    seed: Annotated[
        int, typer.Option(parser=whole("seed", least=0), metavar="N", help="Of the episodes.")
    ] = 0,
    fps: Annotated[
        int | None,
        typer.Option(
            parser=whole("fps", least=1, most=100),
            metavar="N",
            help="Pictures a second.  [default: as the environment says]",
        ),
    ] = None,
    env: EnvKnobs = None,
    trust_env: TrustEnv = None,
) -> None:
    """Film an agent, or optimal play.

    RUN is the folder of a trained agent; an ID is played optimally, or at random.
    """
    from rlkit.record import record as film

    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame would complain without a screen
    find_modules_here(what)
    pictures = film(
        what,
        out,
        policy=policy,
        episodes=episodes,
        seed=seed,
        fps=fps,
        env_kwargs=knobs(env),
        trust_env=modules(trust_env),
    )
    terminal().say(f"{pictures} pictures in {out}")


@app.command()
def check(
    id: Annotated[str, typer.Argument(metavar="ID", help="Any Gymnasium environment.")],
    env: EnvKnobs = None,
    json: Json = False,
) -> int:
    """Check an environment.

    Its spaces, seeding, autoreset and masks, and its exact model where it has one.
    """
    from rlkit import report
    from rlkit.check import check_id

    record = check_id(find_modules_here(id), **knobs(env))
    show(json, record, report.findings)
    return MISSED if any(part["findings"] for part in record["checks"]) else 0


@app.command("check-agent")
def check_agent(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="module:Class, or one of rlkit's agents.")],
    everything: Annotated[
        bool, typer.Option("--all/--fast", help="Every probe in every kind of environment, or in one.")
    ] = False,
    probe: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this one.")] = None,
    backbone: Annotated[list[str] | None, typer.Option(metavar="NAME", help="With this backbone.")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            parser=whole("steps", least=1), metavar="N", help="Of each training.  [default: by probe]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(parser=whole("seed", least=0), metavar="N", help="Random seed.")] = 0,
    json: Json = False,
) -> int:
    """Check an agent on solved problems.

    It is trained on small ones whose optimum and values are known.

    It is made by Class(env, seed=...) from a Gymnasium VectorEnv; gamma= and backbone= are passed if it takes
    them. It has

    train(steps), which learns for that many environment steps, and

    act(obs, state=None), which returns greedy actions [B] and the state to pass with the next observations,
    None without memory; mask= of legal actions [B, A] and reset= where episodes begin [B] are passed if it
    takes them.

    value(obs) [B] and q_values(obs) [B, A] are compared with the exact ones where it has them.

    Where it is not made for an environment, as for a kind of space or an autoreset mode
    (env.metadata["autoreset_mode"]), it raises NotImplementedError: refused is not failed.
    """
    from rlkit import report
    from rlkit.check.agents import check_agent as check
    from rlkit.check.agents import find_agent

    find_modules_here(agent)
    with terminal(stderr=True).waiting(f"{agent}: training") as say:
        found = check(
            find_agent(agent),
            probes=probe or (),
            backbones=backbone or (),
            fast=not everything,
            settings=knobs(set),
            steps=steps,
            seed=seed,
            on_cell=lambda cell: say(f"{agent}: {cell.probe} {cell.verdict}"),
        )
    show(json, found.to_json(), report.verdicts)
    return MISSED if found.failures else 0
