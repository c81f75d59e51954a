"""What there is to know about an environment: its spaces, its options, and its optimum, computed."""

import inspect
import json
import math
import os
import re
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.spaces import Discrete

from rlkit import __version__
from rlkit.core import MDP, POMDP, ModelError, NoExactModel
from rlkit.envs.adapters.gym import ModelEnv, time_limit
from rlkit.envs.chains.deep_sea import DeepSea
from rlkit.envs.grids.grid import Grid
from rlkit.envs.grids.maps import START
from rlkit.envs.registry import entry_of, exact, factory_of, make, resolve
from rlkit.envs.suite import ENTRIES, FAMILIES
from rlkit.errors import FAILURES
from rlkit.solvers import (
    best_memoryless,
    evaluate_policy,
    optimum,
    solve,
    stochastic_memoryless,
    uniform_policy,
)

Record = dict[str, Any]

RAISES = re.compile(r"\s*\bRaises\s[^.]*\.")  # a sentence of a docstring
SLOW = 0.5  # seconds from which figures are kept
MOST_NODES = 100  # of the search for the best policy without memory
FIGURES = Path(__file__).with_name("figures.json")  # what `describe` found for every id
FIGURE_NAMES = (
    *("states", "observations", "optimum", "optimum_in_limit", "full_information", "memoryless", "random"),
)


def describe(name: str, *, anew: bool = False) -> Record:
    """Everything about an environment id, short or full, as a plain record; raises `RegistryError`.

    The figures of rlkit's own ids are read from `figures.json`; those of others are computed, and kept in the
    user's cache where that took long. `anew` computes them in any case.
    """
    id = resolve(name)
    entry = entry_of(id)
    factory = None if entry is None else factory_of(entry)
    env = make(id)
    model = env.unwrapped.model if isinstance(env.unwrapped, ModelEnv) else None
    space = env.action_space
    record: Record = {
        "id": id,
        "summary": "" if entry is None else entry.summary,
        "doc": _paragraphs(factory) if factory else _paragraphs(model or env.unwrapped)[:1],
        "options": {} if factory is None or entry is None else _options(factory, entry.kwargs),
        "observation": str(env.observation_space),
        "batch_observation": None if model is not None else _in_batches(id),
        "action_space": str(space),
        "actions": int(space.n) if isinstance(space, Discrete) else model and model.n_actions,
        "action_names": None if model is None else model.action_names,
        "signs": {} if model is None else dict(model.signs),
        "max_episode_steps": time_limit(env),
        "exact_options": {} if entry is None or entry.exact is None else dict(entry.exact),
    }
    env.close()
    record |= dict.fromkeys(FIGURE_NAMES)
    kept = None if anew else _kept().get(id)
    if kept is not None:
        return record | {name: kept[name] for name in FIGURE_NAMES}
    if entry is not None and entry.exact is None:
        return record
    try:
        options = record["exact_options"]
        computed = figures if anew else _cached_figures
        found = computed(exact(id, **options), time_limit(make(id, **options)))
        return record | {name: value for name, value in found.items() if record.get(name) is None}
    except (NoExactModel, ModelError):
        return record


def _in_batches(id: str) -> str | None:
    """What agents observe in the batches of another package; None if it has none, or if they fail."""
    if gym.spec(id.rpartition(":")[2]).vector_entry_point is None:
        return None
    try:
        batch = gym.make_vec(id, 1, vectorization_mode="vector_entry_point")
        batch.close()
    except FAILURES:
        return None
    return str(batch.single_observation_space)


def figures(model: MDP | POMDP, limit: int | None) -> Record:
    """What an exact model is worth, computed by the solvers.

    `optimum` is without a time limit, at the model's discount. `optimum_in_limit` is the undiscounted return
    within `limit` steps, as agents are graded; with a limit the other figures are of the same kind. In a
    partially observable model both optima are those of an agent with memory, `full_information` is that of an
    agent that sees the states, and `memoryless` is the best known policy that acts on the present observation
    alone. None stands for what has no value or is too large to compute.
    """
    mdp = model.mdp if isinstance(model, POMDP) else model
    episode: dict[str, Any] = {"horizon": limit, "gamma": mdp.discount if limit is None else 1.0}
    record: Record = {
        "states": mdp.n_states,
        "actions": mdp.n_actions,
        "action_names": [mdp.action_name(a) for a in range(mdp.n_actions)],
        "observations": model.n_observations if isinstance(model, POMDP) else None,
        "optimum": None if mdp.reward_decay else _optimum(model),
        "optimum_in_limit": None if limit is None else _optimum(model, **episode),
        "full_information": None,
        "memoryless": None,
        "random": _finite(mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp), **episode))),
    }
    if isinstance(model, POMDP):
        record["full_information"] = _finite(solve(model.full_information, **episode).initial.value)
        if limit is not None or mdp.discount < 1:
            fixed = best_memoryless(model, max_nodes=MOST_NODES, **episode)
            drawn = stochastic_memoryless(model, near=fixed.policy, starts=4, **episode)
            record["memoryless"] = max(fixed.value.value, drawn.value)
    return record


def _cached_figures(model: MDP | POMDP, limit: int | None) -> Record:
    """The figures, kept on disk by what they depend on if they took long and the folder can be written."""
    mdp, seen = (model.mdp, (model.observation,)) if isinstance(model, POMDP) else (model, ())
    what = (__version__, limit, mdp.discount, mdp.reward_decay, mdp.zero_sum, mdp.action_names)
    digest = sha256(repr(what).encode())
    shape = (mdp.state_ptr, mdp.choice_ptr, mdp.successor, mdp.probability)
    for array in (*shape, mdp.reward, mdp.action, mdp.initial, *seen):
        digest.update(repr(array.shape).encode())
        digest.update(array)
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "rlkit" / "figures"
    path = folder / f"{digest.hexdigest()}.json"
    with suppress(OSError, ValueError):
        kept: Record = json.loads(path.read_text())
        return kept
    start = time.monotonic()
    found = figures(model, limit)
    if time.monotonic() - start >= SLOW:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(found))
            unfinished.replace(path)
    return found


def _optimum(model: MDP | POMDP, **how: Any) -> float | None:
    found = optimum(model, **how)
    known = found.converged and found.knows != "hidden states"
    return _finite(found.initial.value) if known else None


def listed() -> list[Record]:
    """What is known of each id that can be made without arguments, with its family; see `describe`."""
    kept = _kept()
    return [
        {"summary": entry.summary, **(kept.get(entry.id) or describe(entry.id)), "family": family}
        for family, entries in FAMILIES.items()
        for entry in entries
        if not entry.needs
    ]


def _kept() -> dict[str, Record]:
    kept: dict[str, Record] = json.loads(FIGURES.read_text())
    return kept


def ids() -> list[str]:
    """Ids that can be made without arguments."""
    return [entry.id for entry in ENTRIES if not entry.needs]


def layout(id: str, **options: Any) -> Record | None:
    """How the states of a grid lie in the plane: `rows` of characters and `cells` of state numbers.

    None if it is not a grid. A cell without a state is None.
    """
    env: Any = make(id, **options).unwrapped
    if isinstance(env, ModelEnv):
        if not isinstance(env.model, Grid | DeepSea):
            return None
        rows = list(env.model.rows)
        number = {(int(r), int(c)): s for s, (r, c) in enumerate(env.model.position)}
        cells = [[number.get((r, c)) for c in range(len(row))] for r, row in enumerate(rows)]
        return {"rows": rows, "cells": cells}
    if isinstance(env, FrozenLakeEnv):
        desc: Any = env.desc
        rows = [b"".join(row).decode().replace("F", ".") for row in desc]
    elif isinstance(env, CliffWalkingEnv):
        height, width = env.shape
        rows = ["." * width] * (height - 1) + [START + "C" * (width - 2) + "G"]
    else:
        return None
    width = len(rows[0])
    return {"rows": rows, "cells": [[r * width + c for c in range(width)] for r in range(len(rows))]}


def _paragraphs(documented: Any) -> list[str]:
    """The docstring without headings and without the errors that code has to expect."""
    paragraphs = RAISES.sub("", inspect.cleandoc(documented.__doc__ or "")).split("\n\n")
    return [" ".join(p.split()) for p in paragraphs if p and not p.startswith("#")]


def _options(factory: Any, given: Any) -> dict[str, str]:
    parameters = inspect.signature(factory).parameters
    return {
        name: _plain(given.get(name, p.default)) for name, p in parameters.items() if p.default is not p.empty
    }


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _plain(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return "/".join(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
