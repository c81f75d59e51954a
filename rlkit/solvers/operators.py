"""The operators every solver is made of, on value functions v [S] and choice values q [C]."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray


def q_values(mdp: MDP, v: FloatArray, gamma: float, *, scale: float = 1.0) -> FloatArray:
    """Value of each choice, [C]: r(s,a) + gamma E[v(s')] (Definition 6.40), with r scaled."""
    q: FloatArray = scale * mdp.reward + gamma * (mdp.matrix @ v)
    return q


def best(mdp: MDP, q: FloatArray) -> FloatArray:
    """Largest choice value of each state, [S]; 0 at terminal states."""
    v = np.zeros(mdp.n_states)
    alive = ~mdp.terminal
    if alive.any():
        v[alive] = np.maximum.reduceat(q, mdp.state_ptr[:-1][alive])
    return v


def bellman(mdp: MDP, v: FloatArray, gamma: float) -> FloatArray:
    """One synchronous backup of every state, [S] (line 11 and 12 of Algorithm 6.41)."""
    return best(mdp, q_values(mdp, v, gamma))


class Stage(NamedTuple):
    """What choices and states are worth at one step of a horizon, if the best is done from then on."""

    step: int
    q: FloatArray  # [C]
    value: FloatArray  # [S]


def backward_induction(
    mdp: MDP, gamma: float, horizon: int, *, kept: BoolArray | None = None
) -> Iterator[Stage]:
    """The steps H, H-1, ..., 1 of a horizon; only `kept` [C] choices count (Bellman 1957, chapter 3)."""
    value = np.zeros(mdp.n_states)
    for step in range(horizon, 0, -1):
        q = q_values(mdp, value, gamma, scale=mdp.reward_scale(step))
        q = q if kept is None else np.where(kept, q, -np.inf)
        value = best(mdp, q)
        yield Stage(step, q, value)


def policy_values(
    mdp: MDP, kernel: tuple[csr_array, FloatArray], gamma: float, horizon: int
) -> Iterator[FloatArray]:
    """What a policy is worth [S] with 0, 1, ..., H steps to go; `kernel` is its `policy_kernel`."""
    transition, reward = kernel
    value = np.zeros(mdp.n_states)
    yield value
    for step in range(horizon, 0, -1):
        value = mdp.reward_scale(step) * reward + gamma * (transition @ value)
        yield value


def rounding_of(mdp: MDP, v: FloatArray) -> float:
    """How far float64 rounding can move one backup of v, and its change."""
    magnitude = np.abs(v[np.isfinite(v)]).max(initial=0.0) + np.abs(mdp.reward).max(initial=0.0)
    return float(relative_rounding(mdp) * max(magnitude, 1e-200))


def relative_rounding(mdp: MDP) -> float:
    """The same in units of the largest value and reward; rows that miss 1 by a little count as rounding."""
    longest = int(np.diff(mdp.choice_ptr).max(initial=0))
    missed = np.abs(mdp.matrix @ np.ones(mdp.n_states) - 1).max(initial=0.0)
    return float(np.finfo(np.float64).eps * (longest + 3) + missed)


def greedy(mdp: MDP, q: FloatArray) -> IntArray:
    """First choice of largest value in each state, [S]; -1 at terminal states."""
    return first_choice(mdp, q == best(mdp, q)[mdp.state_of_choice])


def first_choice(mdp: MDP, among: BoolArray) -> IntArray:
    """The first choice of each state that is `among` these [C], [S]; -1 where none is."""
    choices = np.flatnonzero(among)[::-1]
    first = np.full(mdp.n_states, -1, dtype=np.int64)
    first[mdp.state_of_choice[choices]] = choices
    return first


def policy_kernel(mdp: MDP, weight: FloatArray) -> tuple[csr_array, FloatArray]:
    """Transition matrix [S, S] and reward [S] of the policy that takes choice c with weight[c]."""
    mixed = mixing(mdp, weight)
    return mixed @ mdp.matrix, mixed @ mdp.reward


def mixing(mdp: MDP, weight: FloatArray) -> csr_array:
    """The matrix [S, C] that averages over the choices of each state, with these weights [C]."""
    return csr_array((weight, np.arange(mdp.n_choices), mdp.state_ptr), shape=(mdp.n_states, mdp.n_choices))


def action_kernel(mdp: MDP, action: int) -> tuple[csr_array, FloatArray]:
    """Transition matrix [S, S] and reward [S] of an action, wherever it is offered; nothing elsewhere."""
    choice = np.flatnonzero(mdp.action == action)
    shape = (mdp.n_states, mdp.n_choices)
    taken = csr_array((np.ones(len(choice)), (mdp.state_of_choice[choice], choice)), shape=shape)
    return taken @ mdp.matrix, taken @ mdp.reward


def choice_weights(mdp: MDP, policy: npt.ArrayLike) -> FloatArray:
    """Probability of each choice [C] under a policy: action probabilities [S, A], or actions [S].

    Rows of terminal states are not read. Raises `ValueError` naming the state where a policy gives weight
    to an action that is not offered, or where its probabilities do not sum to 1 within 1e-6.
    """
    given = np.asarray(policy)
    if given.shape == (mdp.n_states,):
        weight: FloatArray = (given[mdp.state_of_choice] == mdp.action).astype(np.float64)
    elif given.shape == (mdp.n_states, mdp.n_actions):
        weight = given[mdp.state_of_choice, mdp.action].astype(np.float64)
    else:
        raise ValueError(
            f"policy has shape {given.shape}, expected ({mdp.n_states},) or ({mdp.n_states}, {mdp.n_actions})"
        )
    total = np.bincount(mdp.state_of_choice, weights=weight, minlength=mdp.n_states)
    bad = ~mdp.terminal & ~(np.abs(total - 1) <= 1e-6)
    if bad.any() or (weight < 0).any():
        s = int(np.argmax(bad)) if bad.any() else int(mdp.state_of_choice[np.argmax(weight < 0)])
        raise ValueError(
            f"the policy in state {mdp.state_name(s)} is not a distribution over its actions: "
            f"its probabilities sum to {total[s]:.6g}"
        )
    return weight


def chosen_weights(mdp: MDP, choice: IntArray) -> FloatArray:
    """Weight [C] of the policy that takes one choice a state [S], -1 for none."""
    weight = np.zeros(mdp.n_choices)
    weight[choice[choice >= 0]] = 1.0
    return weight


def uniform_policy(mdp: MDP) -> FloatArray:
    """The policy that takes each action a state offers with equal probability, [S, A]."""
    legal = mdp.legal.astype(np.float64)
    uniform: FloatArray = legal / np.maximum(legal.sum(axis=1, keepdims=True), 1)
    return uniform
