"""`rlkit envs`, `play`, `record` and `check`: list, play, film and check environments."""

import os
from pathlib import Path
from typing import Annotated

from rlkit.cli.options import EnvOptions, Json, TrustEnv, argument, count, given, option
from rlkit.cli.output import MISSED, app, show, terminal


@app.command()
def envs(
    id: Annotated[str | None, argument("ID", "Show everything about this environment.")] = None,
    json: Json = False,
) -> None:
    """List the environments, or show one."""
    from rlkit import report
    from rlkit.catalogue import describe, listed

    if id is None:
        show(json, {"environments": listed()}, report.environments)
    else:
        show(json, describe(id), report.environment)


@app.command()
def play(
    id: Annotated[str, argument("ID", "Play this environment of rlkit.")],
    seed: Annotated[int, count("seed", "Seed the episodes.", least=0)] = 0,
    env: EnvOptions = None,
) -> None:
    """Play an environment by keyboard."""
    from rlkit.play import play as play_in_terminal

    play_in_terminal(id, seed=seed, **given(env))


@app.command()
def record(
    what: Annotated[str, argument("RUN|ID", "Film the agent of this run folder, or this environment.")],
    out: Annotated[Path, option("Write the film to this .gif or .mp4 file.")] = Path("episode.gif"),
    policy: Annotated[
        str | None, option("Play an ID by this policy: optimal or random.  [default: optimal]")
    ] = None,
    episodes: Annotated[int, count("episodes", "Film this many episodes.")] = 1,
    seed: Annotated[int, count("seed", "Seed the episodes.", least=0)] = 0,
    fps: Annotated[
        int | None,
        count("fps", "Show this many pictures a second.  [default: as the environment says]", most=100),
    ] = None,
    env: EnvOptions = None,
    trust_env: TrustEnv = None,
) -> None:
    """Film an agent, or optimal play.

    RUN is the folder of a trained agent; an ID is played optimally, or at random.
    """
    from rlkit.films import make_film

    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # pygame would complain without a screen
    pictures = make_film(
        what,
        out,
        policy=policy,
        episodes=episodes,
        seed=seed,
        fps=fps,
        env_kwargs=given(env),
        trust_env=trust_env or (),
    )
    terminal().say(f"{pictures} pictures in {out}")


@app.command()
def check(
    id: Annotated[str, argument("ID", "Check this Gymnasium environment.")],
    env: EnvOptions = None,
    json: Json = False,
) -> int:
    """Check an environment.

    Checks spaces, seeding, autoreset and masks, and the exact model where there is one.
    """
    from rlkit import report
    from rlkit.check import check_id

    found = check_id(id, **given(env))
    show(json, found, report.findings)
    return MISSED if any(part["findings"] for part in found["checks"]) else 0
