"""What an agent is shown in each state of a model, and what it does there."""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.toy_text.taxi import TaxiEnv
from numpy.typing import NDArray
from torch import Tensor

from rlkit.agents import Agent
from rlkit.core import MDP, NoExactModel
from rlkit.core.mdp import BoolArray
from rlkit.core.model import batch_size
from rlkit.envs.adapters.episode import first
from rlkit.envs.adapters.gym import ModelEnv
from rlkit.envs.foreign import name_of
from rlkit.envs.registry import make
from rlkit.solvers import Beliefs


class Shown(NamedTuple):
    """A model, and what an agent sees in each of its states; anything in terminal ones."""

    mdp: MDP
    obs: Tensor  # [S, ...] packed
    mask: Tensor  # [S, A] bool, the legal actions
    over: BoolArray  # [S] where the episode has ended, and is not only cut


def shown(agent: Agent, mdp: MDP) -> Shown:
    """Raises NoExactModel where the environment does not tell what is seen in each state."""
    env = make(agent.source.check(), **agent.env_kwargs)
    base, states = env.unwrapped, np.arange(mdp.n_states)
    space = agent.observation_space
    if not isinstance(agent.action_space, spaces.Discrete):
        raise NoExactModel(f"policies over {agent.action_space} cannot be tabulated")
    legal = np.zeros((mdp.n_states, int(agent.action_space.n)), dtype=np.bool_)
    legal[:, : mdp.n_actions] = mdp.legal
    if isinstance(base, ModelEnv):
        known = batch_size(base.states())
        seen: Any = first(base.observations(), np.minimum(states, known - 1))  # terminal twins are behind
    elif not isinstance(space, spaces.Discrete):
        raise NoExactModel(f"{agent.env_id} does not say what is observed in each state of its model")
    elif (states[~mdp.terminal] >= space.n).any():
        raise NoExactModel(f"the model has more states than {agent.env_id} has observations")
    else:
        seen = np.where(states < space.n, states, 0) + int(space.start)
        legal &= _told(env, legal)
    env.close()
    legal[mdp.terminal] = True
    obs, mask = (torch.as_tensor(x, device=agent.device) for x in (agent.policy.encoder.pack(seen), legal))
    return Shown(mdp, obs, mask, mdp.terminal)


def in_beliefs(given: Shown, beliefs: Beliefs) -> Shown:
    """What is shown in each belief: what is in any state that it holds possible."""
    state = np.asarray(beliefs.belief.argmax(axis=1)).ravel()
    over = np.diff(beliefs.belief.indptr) == 0  # a belief at the time limit has no successors either
    return Shown(beliefs.mdp, given.obs[state], given.mask[state], over)


def _told(env: gym.Env[Any, Any], legal: BoolArray) -> BoolArray:
    """The legal actions that the info of an environment with a table tells, [S, A]."""
    base, space = env.unwrapped, env.observation_space
    told = np.ones_like(legal)
    if isinstance(base, TaxiEnv):  # its table lets one run into walls, its info does not
        for s in np.flatnonzero(legal.any(axis=1) & (np.arange(len(legal)) < len(base.P))):
            told[s] = base.action_mask(int(s))
        return told
    seen, info = env.reset(seed=0)
    here = legal[int(seen) - int(getattr(space, "start", 0))]
    if not np.array_equal(info.get("action_mask", here), here):
        raise NoExactModel(f"{name_of(env)} masks actions that its table P offers")
    return told


def exact_policy(agent: Agent, given: Shown, *, stochastic: bool) -> NDArray[np.float64]:
    """The action probabilities of an agent without memory in every state, [S, A]; 0 at terminal ones."""
    mdp = given.mdp
    reset = torch.ones(mdp.n_states, dtype=torch.bool, device=agent.device)
    policy, _ = acts(agent, given, np.arange(mdp.n_states), (), reset, stochastic=stochastic)
    policy[mdp.terminal] = 0
    return policy


def acts(
    agent: Agent,
    given: Shown,
    states: NDArray[np.integer[Any]],
    memory: tuple[Tensor, ...],
    reset: Tensor,
    *,
    stochastic: bool,
) -> tuple[NDArray[np.float64], tuple[Tensor, ...]]:
    """Action probabilities [B, A] in some states, given what is remembered, and what is remembered then."""
    chosen, memory = agent.policy.probabilities(
        given.obs[states], memory, reset, given.mask[states], stochastic=stochastic
    )
    policy = chosen.cpu().numpy()[:, : given.mdp.n_actions]
    return policy / policy.sum(-1, keepdims=True), memory  # they were float32 numbers


def choices(mdp: MDP) -> NDArray[np.int64]:
    """The choice that stands for each action in each state, [S, A]; -1 where it is not offered."""
    return mdp.table(np.arange(mdp.n_choices), fill=-1).astype(np.int64)
