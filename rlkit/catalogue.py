"""What there is to know about an environment: its spaces, its knobs, and its optimum, computed."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import numpy as np

from rlkit.core import NoExactModel
from rlkit.envs.cells import START
from rlkit.envs.faces import ModelEnv
from rlkit.envs.grid import Grid
from rlkit.envs.registry import exact, make, resolve
from rlkit.envs.suite import ENTRIES
from rlkit.solvers import evaluate_policy, solve, uniform_policy

Record = dict[str, Any]


def describe(name: str) -> Record:
    """Everything about an environment id, short or full, as a plain record; raises `RegistryError`."""
    id = resolve(name)
    entry = next((e for e in ENTRIES if e.id == id), None)
    factory = None if entry is None else _factory(entry.factory)
    env = make(id)
    limit = None if env.spec is None else env.spec.max_episode_steps
    record: Record = {
        "id": id,
        "summary": "" if entry is None else entry.summary,
        "doc": _first_paragraph(factory or env.unwrapped),
        "knobs": {} if factory is None or entry is None else _knobs(factory, entry.kwargs),
        "observation": str(env.observation_space),
        "action_space": str(env.action_space),
        "max_episode_steps": limit,
    }
    env.close()
    try:
        mdp = exact(id)
    except NoExactModel:
        unknown = ("states", "actions", "action_names", "optimum", "optimum_in_limit", "random")
        return record | dict.fromkeys(unknown)
    return record | {
        "states": mdp.n_states,
        "actions": mdp.n_actions,
        "action_names": [mdp.action_name(a) for a in range(mdp.n_actions)],
        "optimum": solve(mdp).initial.value,
        "optimum_in_limit": None if limit is None else solve(mdp, horizon=limit).initial.value,
        "random": mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp), horizon=limit)),
    }


def listed() -> list[str]:
    """Ids that can be made without being given anything."""
    return [entry.id for entry in ENTRIES if not entry.needs]


def layout(id: str, **knobs: Any) -> Record | None:
    """How the states of a grid lie in the plane: `rows` of characters and `cells` of state numbers.

    None for what is no grid. A cell without a state is None.
    """
    env: Any = make(id, **knobs).unwrapped
    if isinstance(env, ModelEnv):
        if not isinstance(env.model, Grid):
            return None
        rows = [row.replace(START, ".") for row in env.model.rows]
        number = {(int(r), int(c)): s for s, (r, c) in enumerate(env.model.position)}
        cells = [[number.get((r, c)) for c in range(len(row))] for r, row in enumerate(rows)]
        return {"rows": rows, "cells": cells}
    if not hasattr(env, "P"):
        return None
    if hasattr(env, "desc") and np.size(env.desc) == len(env.P):  # FrozenLake
        rows = [b"".join(row).decode().replace("F", ".").replace(START, ".") for row in env.desc]
    elif len(getattr(env, "shape", ())) == 2 and np.prod(env.shape) == len(env.P):  # CliffWalking
        height, width = env.shape
        rows = ["." * width] * (height - 1) + ["." + "C" * (width - 2) + "G"]
    else:
        return None
    width = len(rows[0])
    return {"rows": rows, "cells": [[r * width + c for c in range(width)] for r in range(len(rows))]}


def _first_paragraph(documented: Any) -> str:
    paragraphs = inspect.cleandoc(documented.__doc__ or "").split("\n\n")
    return next((" ".join(p.split()) for p in paragraphs if not p.startswith("#")), "")


def _factory(path: str) -> Any:
    module, name = path.split(":")
    return getattr(import_module(f"rlkit.{module}"), name)


def _knobs(factory: Any, given: Any) -> dict[str, str]:
    parameters = inspect.signature(factory).parameters
    return {
        name: _plain(given.get(name, p.default)) for name, p in parameters.items() if p.default is not p.empty
    }


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
