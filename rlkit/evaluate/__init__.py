"""Grading: sampled returns for every environment, and exact values where there is a model.

    percent of optimum = 100 (V_pi - V_rand) / (V* - V_rand)

with V_rand the value of choosing uniformly among the legal actions: 100 is optimal, 0 no better than chance,
below 0 worse. Every value is an expectation over the initial states, and belongs to an objective:

    discounted      the agent's own gamma, without a time limit
    unlimited       gamma 1, without a time limit
    time-limited    gamma 1, over the environment's maximum number of steps
"""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlkit import exact
from rlkit.agents import Agent, Evaluation
from rlkit.core import MDP, POMDP, ModelError, NoExactModel
from rlkit.core.mdp import BoolArray, one_player
from rlkit.envs.adapters.gym import time_limit
from rlkit.envs.registry import make
from rlkit.evaluate.pairs import chain_of_pairs
from rlkit.evaluate.regret import sampled_score
from rlkit.evaluate.scoring import Grade as Grade, Scale, Score as Score, ends, finite, noted, scale as scale
from rlkit.evaluate.shown import Shown, exact_policy as exact_policy, shown as shown
from rlkit.nn.devices import cpu_threads
from rlkit.run import checkpoint
from rlkit.solvers import evaluate_policy, uniform_policy
from rlkit.solvers.evaluation import SingularChain


def evaluate(
    agent: Agent | str | Path,
    *,
    episodes: int = 100,
    seed: int | None = None,
    stochastic: bool = False,
    max_steps: int | None = None,
) -> Evaluation:
    """Sampled returns of an agent, or of the one in a run folder; greedy unless `stochastic`.

    An episode that has not ended after `max_steps` steps is cut there and counted in `cut`.
    """
    return _agent(agent).evaluate(episodes, seed=seed, stochastic=stochastic, max_steps=max_steps)


def grade(agent: Agent | str | Path, *, stochastic: bool = False, seed: int | None = None) -> Grade:
    """The exact value of the agent's policy, of the optimal one and of the random one.

    An agent with memory is graded exactly where it reaches few pairs of a state and a memory. Elsewhere its
    regret under the headline objective is sampled, until a 95 % interval is at most 0.5 % of the distance
    between random and optimal play to each side, or a million steps are taken; `seed` is that of the
    sample. Raises NoExactModel where the environment has no model, or where its states cannot be shown to
    the agent.
    """
    agent = _agent(agent)
    if agent.env_id is None:
        raise NoExactModel("an environment without an id has no exact model")
    model = exact(agent.source.check(), **agent.env_kwargs)
    mdp = model.mdp if isinstance(model, POMDP) else model
    env = make(agent.env_id, **agent.env_kwargs)
    limit = time_limit(env)
    env.close()
    given = shown(agent, mdp)
    scales = [scale(model, **objective) for objective in _objectives(mdp, agent.config.gamma, limit)]
    if not scales:
        raise NoExactModel(f"the rewards of {agent.env_id} decay with time, and it sets no time limit")
    with cpu_threads(agent.learner.threads):
        if agent.policy.initial_state(1):
            own = agent.seed if seed is None else seed
            scores = _scores_with_memory(agent, given, scales, stochastic=stochastic, seed=own)
        else:
            policy = exact_policy(agent, given, stochastic=stochastic)
            scores = [_exact_score(one, mdp, policy, mdp.terminal) for one in scales]
    if not mdp.terminal.any():
        scores = [replace(score, ends=None) for score in scores]
    return Grade(headline=scales[-1].objective, objectives=noted({s.objective: s for s in scores}, limit))


def _objectives(mdp: MDP, gamma: float, limit: int | None) -> Iterator[dict[str, Any]]:
    """The objectives of a grade; the last one is the environment's own."""
    if gamma < 1 and not mdp.reward_decay:
        yield {"objective": "discounted", "gamma": gamma, "horizon": None}
    if not mdp.reward_decay:
        yield {"objective": "unlimited", "gamma": 1.0, "horizon": None}
    if limit is not None:
        yield {"objective": "time-limited", "gamma": 1.0, "horizon": limit}


def _exact_score(one: Scale, mdp: MDP, policy: Any, over: BoolArray) -> Score:
    try:
        value = mdp.expectation(evaluate_policy(mdp, policy, gamma=one.gamma, horizon=one.horizon))
        return one.score(value, ends=ends(mdp, policy, over, one.horizon))
    except SingularChain:
        return replace(one.score(math.nan), reason="its episodes end too rarely for floating point")


def _scores_with_memory(
    agent: Agent, given: Shown, scales: list[Scale], *, stochastic: bool, seed: int
) -> list[Score]:
    """Exact scores, and a sampled one where the headline has no exact one."""
    one_player(given.mdp)
    chains = {
        horizon: chain_of_pairs(agent, given, horizon=horizon, stochastic=stochastic)
        for horizon in {one.horizon for one in scales}
    }
    scores = []
    for one in scales:
        chain = chains[one.horizon]
        if chain is not None:
            scores.append(_exact_score(one, chain.mdp, uniform_policy(chain.mdp), chain.over))
        elif one is scales[-1]:
            scores.append(sampled_score(agent, given, one, stochastic=stochastic, seed=seed))
    return scores


def grade_record(
    agent: Agent | str | Path,
    *,
    episodes: int = 100,
    seed: int | None = None,
    stochastic: bool = False,
    max_steps: int | None = None,
) -> dict[str, Any]:
    """Sampled returns and the grade as one JSON record; a `reason` says why there is no grade.

    `env_kwargs` are the options of the environment that is graded, `evaluation_seed` is the `seed` given.
    """
    agent = _agent(agent)
    sampled = evaluate(agent, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps)
    record: dict[str, Any] = {
        "env_id": agent.env_id,
        "env_kwargs": json.loads(json.dumps(agent.source.graded_kwargs(), default=str)),
        "agent": agent.name,
        "seed": agent.seed,
        "evaluation_seed": seed,
        "steps": agent.steps,
        "policy": "stochastic" if stochastic else "greedy",
        "mean_return": sampled.mean_return,
        "ci95": [finite(bound) for bound in sampled.ci95],
        "episodes": sampled.episodes,
        "mean_length": sampled.mean_length,
        "cut": sampled.cut,
    }
    try:
        found = grade(agent, stochastic=stochastic, seed=seed)
    except (NoExactModel, ModelError) as error:
        return record | {"exact": None, "sampled": None, "objectives": {}, "reason": str(error)}
    return record | {"return_note": above(sampled, found.score.optimum), **found.to_json()}


def above(sampled: Evaluation, optimum: float | None) -> str | None:
    """Why a mean return lies above the optimum, where it does."""
    if optimum is None or sampled.mean_return <= optimum:
        return None
    cut = f"{sampled.cut:,} were cut, and there is " if sampled.cut else ""
    return f"above the optimum {optimum:.6g}: {cut}the sampling error of {sampled.episodes:,} episodes"


def _agent(agent: Agent | str | Path) -> Agent:
    return agent if isinstance(agent, Agent) else checkpoint.load(agent)
