"""Grading: sampled returns for every environment, and exact values where there is a model.

    percent of optimum = 100 (V_pi - V_rand) / (V* - V_rand)

with V_rand the value of choosing uniformly among the legal actions: 100 is optimal, 0 no better than chance,
below 0 worse. Every value is an expectation over the initial states, and belongs to an objective:

    discounted      the agent's own gamma, without a time limit
    unlimited       gamma 1, without a time limit
    time-limited    gamma 1, over the environment's maximum number of steps
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.toy_text.taxi import TaxiEnv
from numpy.typing import NDArray

from rlkit import checkpoint, exact, solvers
from rlkit.agents import Agent, Evaluation
from rlkit.core import MDP, POMDP, ModelError, NoExactModel
from rlkit.core.model import batch_size
from rlkit.envs.faces import ModelEnv, time_limit
from rlkit.envs.registry import make
from rlkit.envs.single import first
from rlkit.solvers import evaluate_policy, uniform_policy


@dataclass(frozen=True)
class Score:
    """The value of a policy under one objective, exact or `sampled`; `reason` says why a field is None."""

    objective: str
    gamma: float
    value: float | None
    optimum: float | None
    random: float | None
    percent_of_optimum: float | None
    regret: float | None
    reason: str | None = None
    sees: str = "states"  # what the optimum knows: states, past "observations", or "hidden states"
    sampled: bool = False


@dataclass(frozen=True)
class Grade:
    """Scores by objective; `headline` names the one that the environment itself asks for."""

    headline: str
    objectives: dict[str, Score]

    @property
    def exact(self) -> Score:
        """The headline score."""
        return self.objectives[self.headline]

    def to_json(self) -> dict[str, Any]:
        """`exact` and `objectives`, as `rlkit eval --json` shows them."""
        return {
            "exact": asdict(self.exact),
            "objectives": {name: asdict(score) for name, score in self.objectives.items()},
        }


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


def grade(agent: Agent | str | Path, *, stochastic: bool = False, sampled: Evaluation | None = None) -> Grade:
    """The exact value of the agent's policy, of the optimal one and of the random one.

    An agent with memory has no policy over states: where `sampled` is given, its mean return stands for the
    value under the headline objective. Raises NoExactModel where the environment has none, or where its
    states cannot be shown to the agent.
    """
    agent = _agent(agent)
    if agent.env_id is None:
        raise NoExactModel("an environment without an id has no exact model")
    model = exact(agent.env_id, **agent.env_kwargs)
    mdp = model.mdp if isinstance(model, POMDP) else model
    env = gymnasium.make(agent.env_id, **agent.env_kwargs)
    limit = time_limit(env)
    env.close()
    objectives: dict[str, tuple[float, int | None]] = {}
    if agent.config.gamma < 1 and not mdp.fade:
        objectives["discounted"] = (agent.config.gamma, None)
    if not mdp.fade:
        objectives["unlimited"] = (1.0, None)
    if limit is not None:
        objectives["time-limited"] = (1.0, limit)
    headline = "unlimited" if limit is None else "time-limited"
    if agent.initial_state(1):
        if sampled is None or sampled.cut or headline not in objectives:
            raise NoExactModel("an agent with memory has no policy over states")
        gamma, horizon = objectives[headline]
        found = score(model, sampled.mean_return, objective=headline, gamma=gamma, horizon=horizon)
        return Grade(headline=headline, objectives={headline: replace(found, sampled=True)})
    policy = exact_policy(agent, mdp, stochastic=stochastic)
    scores = {}
    for name, (gamma, horizon) in objectives.items():
        value = mdp.expectation(evaluate_policy(mdp, policy, gamma=gamma, horizon=horizon))
        scores[name] = score(model, value, objective=name, gamma=gamma, horizon=horizon)
    return Grade(headline=headline, objectives=scores)


def score(
    model: MDP | POMDP,
    value: float,
    *,
    objective: str,
    gamma: float,
    horizon: int | None,
) -> Score:
    """One objective's score of a policy that is worth `value`.

    Where states look alike the optimum is that of an agent with memory, if its beliefs can be counted, else
    that of one who sees the states; `sees` says which.
    """
    mdp = model.mdp if isinstance(model, POMDP) else model
    random = mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp), gamma=gamma, horizon=horizon))
    solution, sees = solvers.optimum(model, gamma=gamma, horizon=horizon)
    optimum = solution.initial.value if solution.converged else math.nan
    percent, regret, reason = None, None, None
    if not solution.converged:
        reason = "the solver did not converge"
    elif not math.isfinite(optimum):
        reason = f"the optimum is {optimum}"
    elif not math.isfinite(value):
        reason = f"the policy's value is {value}"
    else:
        regret = optimum - value
        gap = optimum - random
        if not math.isfinite(random):
            reason = f"the random policy's value is {random}"
        elif gap <= 1e-9 * max(1.0, abs(optimum)):
            reason = "the random policy is optimal"
        else:
            percent = 100 * (value - random) / gap
    figures = (_finite(value), _finite(optimum), _finite(random), percent, regret)
    return Score(objective, gamma, *figures, reason=reason, sees=sees)


def exact_policy(agent: Agent, mdp: MDP, *, stochastic: bool) -> NDArray[np.float64]:
    """The agent's action probabilities in every state of the model, [S, A]; zero rows at terminal states."""
    packed = torch.as_tensor(agent.encoder.pack(_observations(agent, mdp)), device=agent.device)
    assert isinstance(agent.action_space, spaces.Discrete)
    legal = np.zeros((mdp.n_states, int(agent.action_space.n)), dtype=np.bool_)
    legal[:, : mdp.n_actions] = mdp.legal
    env = make(str(agent.env_id), **agent.env_kwargs)
    base = env.unwrapped
    if isinstance(base, TaxiEnv):  # its table lets one run into walls, its info does not
        for s in np.flatnonzero(~mdp.terminal):
            legal[s, : mdp.n_actions] &= np.asarray(base.action_mask(int(s)), dtype=np.bool_)
    elif not isinstance(base, ModelEnv):
        start, info = env.reset(seed=0)
        if not np.array_equal(info.get("action_mask", legal[start]), legal[start]):
            raise NoExactModel(f"{agent.env_id} masks actions that its table P offers")
    legal[mdp.terminal] = True
    mask = torch.as_tensor(legal, device=agent.device)
    reset = torch.ones(len(packed), dtype=torch.bool, device=agent.device)
    chosen, _ = agent.policy(packed, (), reset, mask, stochastic=stochastic)
    policy = chosen.cpu().numpy()[:, : mdp.n_actions]
    policy[mdp.terminal] = 0
    # The probabilities were float32 numbers.
    return policy / np.where(mdp.terminal, 1, policy.sum(-1))[:, None]


def report(
    agent: Agent | str | Path,
    *,
    episodes: int = 100,
    seed: int | None = None,
    stochastic: bool = False,
    max_steps: int | None = None,
) -> dict[str, Any]:
    """Sampled and exact results as one JSON record; without a model `exact` is None with a `reason`."""
    agent = _agent(agent)
    sampled = evaluate(agent, episodes=episodes, seed=seed, stochastic=stochastic, max_steps=max_steps)
    record: dict[str, Any] = {
        "env_id": agent.env_id,
        "agent": agent.name,
        "seed": agent.seed,
        "steps": agent.steps,
        "policy": "stochastic" if stochastic else "greedy",
        "mean_return": sampled.mean_return,
        "ci95": [_finite(bound) for bound in sampled.ci95],
        "episodes": sampled.episodes,
        "mean_length": sampled.mean_length,
        "cut": sampled.cut,
    }
    try:
        return record | grade(agent, stochastic=stochastic, sampled=sampled).to_json()
    except (NoExactModel, ModelError) as error:
        return record | {"exact": None, "objectives": {}, "reason": str(error)}


def _observations(agent: Agent, mdp: MDP) -> Any:
    """What the agent sees in each state of the model, [S, ...]; anything at terminal states."""
    assert agent.env_id is not None
    states = np.arange(mdp.n_states)
    env = make(agent.env_id, **agent.env_kwargs)
    base = env.unwrapped
    env.close()
    if isinstance(base, ModelEnv):
        known = batch_size(base.states())
        return first(base.observations(), np.minimum(states, known - 1))  # those behind are terminal twins
    space = agent.observation_space
    if not isinstance(space, spaces.Discrete):
        raise NoExactModel(f"{agent.env_id} does not say what is observed in each state of its model")
    if (states[~mdp.terminal] >= space.n).any():
        raise NoExactModel(f"the model has more states than {agent.env_id} has observations")
    return np.where(states < space.n, states, 0) + int(space.start)


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _agent(agent: Agent | str | Path) -> Agent:
    return agent if isinstance(agent, Agent) else checkpoint.load(agent)
