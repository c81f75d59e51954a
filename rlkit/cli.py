"""The command line: look at environments, solve them exactly, train agents, grade them."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rlkit.errors import RlkitError

if TYPE_CHECKING:
    from rich.console import Console

    from rlkit.agents import Agent
    from rlkit.core import MDP
    from rlkit.solvers import Solution

BAD_INPUT, MISSED, INTERRUPTED = 2, 3, 130

MOST_STATES = 100  # a model up to this size is reported state by state without being asked

app = typer.Typer(
    name="rlkit",
    help="Reinforcement learning with ground truth.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
EnvKnobs = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A knob of the environment.")
]


def main() -> NoReturn:
    """Run the command line; exit 0 when done, 2 for bad input, 3 when not certified or a goal is missed."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    warnings.showwarning = _warn
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message())
    except RlkitError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    sys.exit(status or 0)


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    print(f"rlkit: warning: {message}", file=sys.stderr)


def _version(asked: bool) -> None:
    if asked:
        from rlkit import __version__

        print(f"rlkit {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Reinforcement learning with ground truth."""


@app.command()
def envs(
    id: Annotated[str | None, typer.Argument(help="One environment, in full.")] = None, json: Json = False
) -> None:
    """List the environments with their optimum, or show one of them."""
    from rlkit import report
    from rlkit.catalogue import describe, listed

    if id is not None:
        record = describe(id)
        _show(json, record, lambda: report.environment(record))
        return
    records = [describe(name) for name in listed()]
    _show(json, {"environments": records}, lambda: report.environments(records))


@app.command()
def solve(
    model: Annotated[str, typer.Argument(metavar="ID|FILE", help="An environment id, or a model file.")],
    objective: Annotated[
        str | None,
        typer.Option(help="discounted, total, reach-prob, reach-reward, finite-horizon or average."),
    ] = None,
    minimize: Annotated[bool, typer.Option("--minimize", help="Minimise instead of maximise.")] = False,
    gamma: Annotated[float | None, typer.Option(help="Discount; 1 is total reward.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Stop after this many steps.")] = None,
    target: Annotated[str | None, typer.Option(metavar="LABEL", help="Label of the states to reach.")] = None,
    target_states: Annotated[str | None, typer.Option(metavar="1,4", help="Numbers of the same.")] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="The .lab file of a .tra file.")] = None,
    rewards: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A .srew or .trew file; they add up.")
    ] = None,
    reward_model: Annotated[str | None, typer.Option(metavar="NAME", help="One of a .drn file.")] = None,
    epsilon: Annotated[float, typer.Option(help="Largest gap between the bounds.")] = 1e-6,
    method: Annotated[
        str,
        typer.Option(
            help="auto, value-iteration, synchronous, gauss-seidel, prioritised, policy-iteration, "
            "modified-policy-iteration, linear-programming, or exact (in fractions)."
        ),
    ] = "auto",
    device: Annotated[str, typer.Option(help="cpu, or cuda for sweeps on a GPU.")] = "cpu",
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a grid's values here.")] = None,
    env: EnvKnobs = None,
    all_values: Annotated[bool, typer.Option("--all-values", help="Every state, in JSON.")] = False,
    json: Json = False,
) -> int:
    """Solve a model exactly, with a certificate."""
    from rlkit import report
    from rlkit.solvers import solve as solve_mdp

    if target is not None and target_states is not None:
        raise typer.BadParameter("give --target or --target-states, not both")
    name, mdp, grid = _load(model, _knobs(env), labels, rewards or [], reward_model)
    found = solve_mdp(
        mdp,
        objective=objective,
        gamma=gamma,
        horizon=horizon,
        target=target if target_states is None else _numbers(target_states),
        minimize=minimize,
        epsilon=epsilon,
        method=method,
        device=device,
    )
    record = _solution_record(name, found, states=all_values or mdp.n_states <= MOST_STATES)
    record["grid"] = grid if "values" in record else None
    if plot is not None:
        from rlkit.plot import heat_map

        if grid is None:
            raise typer.BadParameter(f"--plot draws grids, and {name} is none")
        heat_map(found, grid, plot, title=name)
    _show(json, record, lambda: report.solution(record))
    return 0 if found.converged else MISSED


@app.command()
def train(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="An environment id.")] = None,
    agent: Annotated[str | None, typer.Option(help="ppo or dqn.  [default: ppo]")] = None,
    steps: Annotated[int | None, typer.Option(help="Environment steps, exactly.  [default: by task]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.  [default: 0]")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent.")
    ] = None,
    env: EnvKnobs = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.  [default: runs/ID-AGENT-SEED]")] = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a stopped run.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Json = False,
) -> int:
    """Train an agent and grade it."""
    from rlkit import report
    from rlkit.agents import default_steps
    from rlkit.envs.registry import resolve
    from rlkit.evaluate import report as grade
    from rlkit.train import Interrupted, planned_steps
    from rlkit.train import resume as go_on
    from rlkit.train import train as learn

    console = _console(stderr=json)
    if resume is None:
        if id is None:
            raise typer.BadParameter("give an environment ID, or --resume RUN")
        id, algorithm, chosen_seed = resolve(id), agent or "ppo", 0 if seed is None else seed
        total = default_steps(algorithm, id) if steps is None else steps
        folder = out or _free_folder(f"{id.split('/')[-1]}-{algorithm}-{chosen_seed}")
        title = f"{algorithm} on {id}, seed {chosen_seed}"

        def run(view: report.TrainingView) -> Agent:
            return learn(
                id,
                agent=algorithm,
                steps=total,
                seed=chosen_seed,
                overrides=_knobs(set),
                env_kwargs=_knobs(env),
                out=folder,
                device=device,
                on_progress=view,
            )
    else:
        given = {"ID": id, "--set": set, "--env": env, "--seed": seed, "--agent": agent, "--out": out}
        _refuse("a run that goes on has its own", given)
        folder, total = resume, planned_steps(resume) if steps is None else steps
        title = f"going on with {resume}"

        def run(view: report.TrainingView) -> Agent:
            return go_on(folder, steps=steps, device=device, on_progress=view)

    try:
        with report.TrainingView(console, title=title, steps=total) as view:
            trained = run(view)
    except Interrupted as stop:
        print(
            f"rlkit: stopped and saved at step {stop.steps}; go on with: rlkit train --resume {stop.run_dir}",
            file=sys.stderr,
        )
        return INTERRUPTED
    try:
        record = {"run": str(folder), **grade(trained)}
    except KeyboardInterrupt:
        print(f"rlkit: trained and saved in {folder}; grade it with: rlkit eval {folder}", file=sys.stderr)
        return INTERRUPTED
    _show(json, record, lambda: report.grade(record))
    if not json:
        console.print(
            f"saved in {folder}; grade it again with: rlkit eval {folder}", highlight=False, soft_wrap=True
        )
    return 0


@app.command("eval")
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of rlkit train.")],
    episodes: Annotated[int, typer.Option(help="Episodes to sample.", min=2)] = 100,
    seed: Annotated[int | None, typer.Option(help="Of the episodes.  [default: apart from training]")] = None,
    stochastic: Annotated[bool, typer.Option("--stochastic", help="Sample actions, not the best.")] = False,
    goal: Annotated[
        float | None, typer.Option(help="Exit 3 below this percent of optimum, or this return without one.")
    ] = None,
    json: Json = False,
) -> int:
    """Grade a trained agent: sampled return, and percent of optimum where there is an exact model."""
    from rlkit import report
    from rlkit.evaluate import report as grade

    record = {"run": str(run), **grade(run, episodes=episodes, seed=seed, stochastic=stochastic)}
    _show(json, record, lambda: report.grade(record))
    exact = record["exact"]
    reached = record["mean_return"] if exact is None else exact["percent_of_optimum"]
    return MISSED if goal is not None and not (reached is not None and reached >= goal) else 0


def _load(
    model: str, knobs: dict[str, Any], labels: Path | None, rewards: list[Path], reward_model: str | None
) -> tuple[str, MDP, dict[str, Any] | None]:
    path = Path(model)
    if path.suffix or path.is_file():
        _refuse("a file has no knobs", {"--env": knobs})
        from rlkit.core.files import read_model

        return path.name, read_model(path, labels=labels, rewards=rewards, reward_model=reward_model), None

    from rlkit.catalogue import layout
    from rlkit.envs.registry import exact, resolve

    given = {"--labels": labels, "--rewards": rewards, "--reward-model": reward_model}
    _refuse("an environment has its own", given)
    id = resolve(model)
    return id, exact(id, **knobs), layout(id, **knobs)


def _solution_record(name: str, found: Solution, *, states: bool) -> dict[str, Any]:
    mdp = found.mdp
    record: dict[str, Any] = {
        "model": {
            "name": name,
            "states": mdp.n_states,
            "choices": mdp.n_choices,
            "transitions": mdp.n_transitions,
        },
        "objective": found.objective,
        "direction": found.direction,
        "gamma": found.gamma,
        "horizon": found.horizon,
        "method": found.method,
        "reason": found.reason,
        "converged": found.converged,
        "epsilon": found.epsilon,
        "sweeps": found.sweeps,
        "residual": found.residual,
        "seconds": found.seconds,
        "initial": {k: _number(v) for k, v in found.initial._asdict().items()},
        "fraction": None if found.fraction is None else str(found.fraction),
    }
    if states:
        q: list[dict[str, Any]] = [{} for _ in range(mdp.n_states)]
        for s, a, x in zip(mdp.state_of_choice, mdp.action, found.q, strict=True):
            q[s][mdp.action_name(int(a))] = _number(x)
        record |= {
            "values": [_number(v) for v in found.value],
            "lower": [_number(v) for v in found.lower],
            "upper": [_number(v) for v in found.upper],
            "policy": [mdp.action_name(int(a)) if a >= 0 else None for a in found.policy],
            "q": q,
            "state_names": [mdp.state_name(s) for s in range(mdp.n_states)],
            "action_names": [mdp.action_name(a) for a in range(mdp.n_actions)],
        }
    return record


def _number(x: float) -> float | str:
    """JSON has no infinities; they are the strings "inf", "-inf" and "nan"."""
    value = float(x)
    return value if value - value == 0 else str(value)


def _refuse(why: str, options: dict[str, Any]) -> None:
    """Options that do not apply are an error, not ignored."""
    for name, value in options.items():
        if value not in (None, [], {}):
            raise typer.BadParameter(f"{name} does not apply: {why}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--target-states takes numbers like 1,4, not {text!r}") from None


def _knobs(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as a mapping; a value is JSON where it parses as JSON, else text."""
    knobs = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        try:
            knobs[name] = json.loads(value)
        except json.JSONDecodeError:
            knobs[name] = value
    return knobs


def _free_folder(name: str) -> Path:
    """`runs/name`, or the first of `runs/name-2`, `-3`, ... that does not exist."""
    folder, n = Path("runs") / name, 2
    while folder.exists():
        folder, n = Path("runs") / f"{name}-{n}", n + 1
    return folder


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _show(as_json: bool, record: dict[str, Any], render: Any) -> None:
    if as_json:
        print(json.dumps(record))
    else:
        _console().print(render())


def _fail(message: str) -> NoReturn:
    print(f"rlkit: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()
