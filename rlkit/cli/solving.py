"""`rlkit solve`: a model, its value and policy, and a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlkit.cli.common import MISSED, EnvKnobs, Json, app, knobs, refuse, show

if TYPE_CHECKING:
    from rlkit.core import MDP, POMDP
    from rlkit.solvers import Solution

MOST_STATES = 100  # a model up to this size is reported state by state without being asked


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
    full_information: Annotated[
        bool,
        typer.Option("--full-information", help="As if the agent saw the states, where they look alike."),
    ] = False,
    all_values: Annotated[bool, typer.Option("--all-values", help="Every state, in JSON.")] = False,
    json: Json = False,
) -> int:
    """Solve a model exactly, with a certificate."""
    from rlkit import report
    from rlkit.core import POMDP
    from rlkit.solvers import belief_mdp
    from rlkit.solvers import solve as solve_mdp

    if target is not None and target_states is not None:
        raise typer.BadParameter("give --target or --target-states, not both")
    name, exact, grid = _load(model, knobs(env), labels, rewards or [], reward_model)
    fades = (exact.mdp if isinstance(exact, POMDP) else exact).fade
    if fades and horizon is None and objective is None:
        horizon = _own_limit(model, knobs(env))
    if not isinstance(exact, POMDP):
        refuse(f"the states of {name} are seen", {"--full-information": full_information or None})
        mdp, sees = exact, None
    elif full_information:
        mdp, sees = exact.mdp, "states"
    else:
        mdp, sees = belief_mdp(exact, horizon=horizon).mdp, "beliefs"
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
    record["sees"] = sees
    grid = grid if sees is None else None
    record["grid"] = grid if "values" in record else None
    if plot is not None:
        from rlkit.plot import heat_map

        if grid is None:
            raise typer.BadParameter(f"--plot draws grids, and {name} is none")
        heat_map(found, grid, plot, title=name)
    show(json, record, lambda: report.solution(record))
    return 0 if found.converged else MISSED


def _load(
    model: str, knobs: dict[str, Any], labels: Path | None, rewards: list[Path], reward_model: str | None
) -> tuple[str, MDP | POMDP, dict[str, Any] | None]:
    path = Path(model)
    if path.suffix or path.is_file():
        refuse("a file has no knobs", {"--env": knobs})
        from rlkit.core.files import read_model

        return path.name, read_model(path, labels=labels, rewards=rewards, reward_model=reward_model), None

    from rlkit.catalogue import layout
    from rlkit.envs.registry import exact, resolve

    given = {"--labels": labels, "--rewards": rewards, "--reward-model": reward_model}
    refuse("an environment has its own", given)
    id = resolve(model)
    return id, exact(id, **knobs), layout(id, **knobs)


def _own_limit(name: str, given: dict[str, Any]) -> int | None:
    """The time limit of an environment, for rewards that fade until then."""
    from rlkit.envs.faces import time_limit
    from rlkit.envs.registry import make, resolve

    return None if Path(name).is_file() else time_limit(make(resolve(name), **given))


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


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--target-states takes numbers like 1,4, not {text!r}") from None
