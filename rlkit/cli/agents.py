"""`rlkit agents` and `check-agent`: list agents, and check that one learns what it should."""

from typing import Annotated

from rlkit.cli.options import AgentOptions, Json, argument, count, given, option
from rlkit.cli.output import MISSED, app, show, terminal
from rlkit.registry import find, names


@app.command()
def agents(
    name: Annotated[str | None, argument("NAME", "Show the options of this agent.")] = None,
    json: Json = False,
) -> None:
    """List the agents, or the options of one."""
    from rlkit import report

    known = None if name is None else find("agent", name)
    from rlkit.agents.describe import abilities, settings, summary

    if known is None:
        records = [abilities(find("agent", name)) for name in sorted(names("agent"))]
        show(json, {"agents": records}, report.agents)
    else:
        record = {"agent": name, "summary": summary(known), "options": settings(known)}
        show(json, record, report.options)


@app.command("check-agent")
def check_agent(
    agent: Annotated[str, argument("AGENT", "Check this agent: module:Class, or one of rlkit's.")],
    everything: Annotated[
        bool, option("Run every probe in every kind of environment, or in one each.", flag="--all/--fast")
    ] = False,
    probe: Annotated[list[str] | None, option("Run only this probe.", "NAME")] = None,
    backbone: Annotated[list[str] | None, option("Use this backbone.", "NAME")] = None,
    set: AgentOptions = None,
    steps: Annotated[
        int | None, count("steps", "Train for this many steps on each probe.  [default: by probe]")
    ] = None,
    seed: Annotated[int, count("seed", "Set the random seed.", least=0)] = 0,
    json: Json = False,
) -> int:
    """Check an agent on solved problems.

    Trains it on small problems whose optimum and values are known.

    The agent is made by Class(env, seed=...) from a Gymnasium VectorEnv; gamma= and backbone= are passed if
    it takes them. It has

    train(steps), which learns for that many environment steps, and

    act(obs, state=None), which returns greedy actions [B] and the state to pass with the next observations,
    None without memory; mask= of legal actions [B, A] and reset= where episodes begin [B] are passed if it
    takes them.

    value(obs) [B] and q_values(obs) [B, A] are compared with the exact ones where it has them.

    An agent that does not support an environment, because of its spaces or of its autoreset mode
    (env.metadata["autoreset_mode"]), raises NotImplementedError: refused is not failed.
    """
    from rlkit import report
    from rlkit.check.agents import check_agent as check, find_agent

    with terminal(stderr=True).waiting(f"{agent}: training") as say:
        found = check(
            find_agent(agent),
            probes=probe or (),
            backbones=backbone or (),
            fast=not everything,
            settings=given(set),
            steps=steps,
            seed=seed,
            on_cell=lambda cell: say(f"{agent}: {cell.probe} {cell.verdict}"),
        )
    show(json, found.to_json(), report.verdicts)
    return MISSED if found.failures else 0
