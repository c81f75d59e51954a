"""`rlkit solve`: a model, its value and policy, and a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rlkit.cli.options import EnvOptions, Json, argument, count, given, option, refuse
from rlkit.cli.output import MISSED, app, say, show, terminal
from rlkit.registry import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlkit.core import MDP, POMDP
    from rlkit.core.mdp import IntArray
    from rlkit.solvers import Interval, Optimum, Solution

MOST_STATES = 100  # a model up to this size is reported state by state without being asked
MOST_CELLS = 1_600  # of a grid that is shown as a map


@app.command()
def solve(
    model: Annotated[str, argument("ID|FILE", "Solve this environment, or the model in this file.")],
    objective: Annotated[
        str | None,
        option("Optimise this: discounted, total, reach-prob, reach-reward, finite-horizon or average."),
    ] = None,
    minimize: Annotated[bool, option("Minimise instead of maximise.", flag="--minimize")] = False,
    gamma: Annotated[float | None, option("Set the discount; 1 is total reward.")] = None,
    horizon: Annotated[int | None, count("horizon", "Stop after this many steps.", least=0)] = None,
    target: Annotated[str | None, option("Reach the states with this label or name.", "LABEL")] = None,
    target_states: Annotated[str | None, option("Reach the states with these numbers.", "1,4")] = None,
    avoid: Annotated[str | None, option("Avoid the states with this label or name.", "LABEL")] = None,
    avoid_states: Annotated[str | None, option("Avoid the states with these numbers.", "2,3")] = None,
    labels: Annotated[
        Path | None, option("Read the labels of a .tra file from this .lab file.", "FILE")
    ] = None,
    rewards: Annotated[
        list[Path] | None, option("Add the rewards in this .srew or .trew file.", "FILE")
    ] = None,
    reward_model: Annotated[str | None, option("Use this reward model of a .drn file.", "NAME")] = None,
    epsilon: Annotated[float, option("Stop when upper and lower bounds are this close.")] = 1e-6,
    method: Annotated[
        str, option(f"Solve by this method: auto, {', '.join(names('method'))}, or MODULE:FUNCTION.", "NAME")
    ] = "auto",
    device: Annotated[str, option("Sweep on this device: cpu or cuda.")] = "cpu",
    plot: Annotated[Path | None, option("Draw values and policy into this file.", "FILE")] = None,
    env: EnvOptions = None,
    full_information: Annotated[
        bool, option("Assume full observability.", flag="--full-information")
    ] = False,
    all_values: Annotated[bool, option("Print every state, in JSON.", flag="--all-values")] = False,
    json: Json = False,
) -> int:
    """Solve a model, with a certificate."""
    from rlkit import report
    from rlkit.core import POMDP
    from rlkit.solvers import optimum

    goal, avoided = _chosen("target", target, target_states), _chosen("avoid", avoid, avoid_states)
    name, exact, grid = _load(model, given(env), labels, rewards or [], reward_model)
    decays = (exact.mdp if isinstance(exact, POMDP) else exact).reward_decay
    if decays and horizon is None and objective is None:
        horizon = _own_limit(model, given(env))
    options: dict[str, Any] = {"objective": objective, "minimize": minimize, "gamma": gamma}
    options |= {"horizon": horizon, "epsilon": epsilon, "method": method, "device": device}
    hidden = isinstance(exact, POMDP)
    mdp = exact.full_information if isinstance(exact, POMDP) else exact
    if not hidden:
        refuse(f"{name} is fully observable", {"--full-information": full_information or None})
    elif not full_information:
        targets = {"--target": target, "--target-states": target_states}
        targets |= {"--avoid": avoid, "--avoid-states": avoid_states}
        refuse("the states are partially observable; add --full-information", targets)
    _check_target(objective, goal)
    if objective != "reach-prob" and ".tra" in Path(name).suffixes and not mdp.reward.any():
        say(f"warning: {name} has no rewards; --rewards FILE gives those of a .tra file")
    for what, label in (("target", target), ("avoid", avoid)):
        _check_label(mdp, what, label)
    best = optimum(mdp, target=goal, avoid=avoided, **options)
    found = best.solution
    listed = all_values or mdp.n_states <= (MOST_STATES if grid is None else MOST_CELLS)
    sizes = {"states": mdp.n_states, "choices": mdp.n_choices, "transitions": mdp.n_transitions}
    record = {"model": {"name": name, **sizes}} | _answer(found)
    record |= _states(found, mdp.state_name) if listed else {}
    record["sees"] = "hidden states" if hidden else best.knows
    if isinstance(exact, POMDP) and not full_information:
        record |= _remembering(optimum(exact, enclose=True, **options), all_values=all_values)
        record["full_information"] = _interval(found.initial)
    grid = None if hidden else grid
    record["grid"] = grid if "values" in record else None
    if plot is not None:
        from rlkit.plot import draw, maps_of

        maps = [] if is_file(model) else maps_of(name, given(env), found)
        draw(found, plot, title=_title(name, record, found), maps=maps)
    show(json, record, report.solution)
    if plot is not None and not json:
        terminal().say(f"picture in {plot}")
    return 0 if record["converged"] else MISSED


def _title(name: str, record: dict[str, Any], found: Solution) -> str:
    """The title of a picture."""
    from rlkit import report

    hidden = record["sees"] in ("beliefs", "hidden states")
    sees = "\nof an agent that sees the partially observable states" if hidden else ""
    start = report.number(found.initial.value)
    return f"{name}\n{report.sought(record)}: {start} at the start{sees}"


def _check_target(objective: str | None, goal: str | list[int] | None) -> None:
    """Raise if the objective needs a target and has none, or has one and needs none."""
    reaching = ("reach-prob", "reach-reward")
    if goal is not None and objective not in reaching:
        raise typer.BadParameter(f"--target needs --objective {' or '.join(reaching)}")
    if goal is None and objective in reaching:
        raise typer.BadParameter(
            f"objective {objective} needs a target (--target LABEL or --target-states 1,4)"
        )


def _check_label(mdp: MDP, option: str, label: str | None) -> None:
    """Raise the error of a label that is missing, with what can be given instead."""
    from rlkit.core import ModelError

    try:
        if label is not None:
            mdp.states_with(label)
    except ModelError as error:
        more = "" if mdp.labels or mdp.state_names else "; --labels FILE gives those of a .tra file"
        raise typer.BadParameter(f"{error}{more}; --{option}-states takes numbers instead") from None


def _remembering(best: Optimum, *, all_values: bool) -> dict[str, Any]:
    """The record of an agent that sees observations alone, where it is not that of the states."""
    record = _answer(best.solution) | {
        "sees": best.knows,
        "converged": best.converged,
        "initial": _interval(best.initial),
        "beliefs": {"count": best.explored, "all": best.beliefs is not None},
    }
    if best.beliefs is None:
        record["method"] = "bounds"
        record["reason"] = (
            f"more beliefs than can be looked at: bounds from the first {best.explored:,} of them, and from "
            "a search among those that matter"
        )
    elif all_values or best.explored <= MOST_STATES:
        record["beliefs"] |= _states(best.when_reached(), best.beliefs.state_name)
    return record


def is_file(model: str) -> bool:
    """Whether the argument names a file rather than an environment."""
    path = Path(model)
    return path.is_file() or bool(path.suffix and ":" not in model)


def _load(
    model: str, options: dict[str, Any], labels: Path | None, rewards: list[Path], reward_model: str | None
) -> tuple[str, MDP | POMDP, dict[str, Any] | None]:
    path = Path(model)
    if is_file(model):
        refuse("a model file has no options", {"--env": options})
        from rlkit.core.files import read_model

        return path.name, read_model(path, labels=labels, rewards=rewards, reward_model=reward_model), None

    from rlkit.catalogue import layout
    from rlkit.envs.registry import exact, resolve

    of_files = {"--labels": labels, "--rewards": rewards, "--reward-model": reward_model}
    refuse("an environment has its own", of_files)
    id = resolve(model)
    return id, exact(id, **options), layout(id, **options)


def _own_limit(name: str, options: dict[str, Any]) -> int | None:
    """The time limit of an environment, until which its rewards decay."""
    from rlkit.envs.adapters.gym import time_limit
    from rlkit.envs.registry import make, resolve

    return None if Path(name).is_file() else time_limit(make(resolve(name), **options))


def _answer(found: Solution) -> dict[str, Any]:
    """The objective, the value at the start, and how it was found."""
    return {
        "objective": found.objective,
        "direction": found.direction,
        "gamma": found.gamma,
        "horizon": found.horizon,
        "avoids": found.avoid is not None,
        "method": found.method,
        "reason": found.reason,
        "converged": found.converged,
        "epsilon": found.epsilon,
        "sweeps": found.sweeps,
        "residual": found.residual,
        "seconds": found.seconds,
        "initial": _interval(found.initial),
        "fraction": None if found.fraction is None else str(found.fraction),
    }


def _states(found: Solution, name: Callable[[int], str]) -> dict[str, Any]:
    """Value, policy and Q of every state; with a horizon also the plan, [H][S].

    If values count from when a state is first reached, the plan covers the states that can occur.
    """
    mdp = found.mdp
    q: list[dict[str, Any]] = [{} for _ in range(mdp.n_states)]
    for s, a, x in zip(mdp.state_of_choice, mdp.action, found.q, strict=True):
        q[s][mdp.action_name(int(a))] = None if found.over[s] else _number(x)

    def actions(choices: IntArray) -> list[str | None]:
        return [mdp.action_name(int(mdp.action[c])) if c >= 0 else None for c in choices]

    steps: dict[str, Any] = {}
    if found.plan is not None:
        plan = found.plan
        if found.entered is not None:
            from rlkit.solvers.graph import possible

            plan = plan.copy()
            plan[~possible(mdp, len(plan))[:-1]] = -1
            steps["steps_left"] = (len(plan) - found.entered).tolist()
        steps["plan"] = [actions(choices) for choices in plan]
    return steps | {
        "values": [_number(v) for v in found.value],
        "lower": [_number(v) for v in found.lower],
        "upper": [_number(v) for v in found.upper],
        "policy": actions(found.choice),
        "q": q,
        "state_names": [name(s) for s in range(mdp.n_states)],
        "action_names": [mdp.action_name(a) for a in range(mdp.n_actions)],
    }


def _interval(initial: Interval) -> dict[str, Any]:
    return {k: _number(v) for k, v in initial._asdict().items()}


def _number(x: float) -> float | str:
    """JSON has no infinities; they are the strings "inf", "-inf" and "nan"."""
    value = float(x)
    return value if value - value == 0 else str(value)


def _chosen(option: str, label: str | None, numbers: str | None) -> str | list[int] | None:
    """A set of states, by its label or by their numbers."""
    if label is not None and numbers is not None:
        raise typer.BadParameter(f"give --{option} or --{option}-states, not both")
    try:
        return label if numbers is None else [int(part) for part in numbers.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--{option}-states takes numbers like 1,4, not {numbers!r}") from None
