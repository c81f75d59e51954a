"""Exact values of a given policy, and where it goes."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array, eye_array, sparray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import bicgstab, splu

from rlkit.core.graph import reached
from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray, one_player
from rlkit.solvers.graph import components
from rlkit.solvers.operators import best, choice_weights, mixing, policy_kernel, policy_values, q_values
from rlkit.solvers.options import SolveError, check_kind, discount_for
from rlkit.solvers.undiscounted.elimination import LARGEST as ELIMINATED, total_until_left


class SingularChain(ArithmeticError):
    """A Markov chain without discount that never ends, or ends too rarely for floating point."""


LARGE = 100_000  # states from which a factorisation may fill the memory
ACCURATE = 1e-11  # relative error of a factorisation above which states are eliminated instead
KRYLOV_STEPS = 300
REFINEMENTS = 6


def evaluate_policy(
    mdp: MDP, policy: npt.ArrayLike, *, gamma: float | None = None, horizon: int | None = None
) -> FloatArray:
    """Value of a policy in every state, [S] (Definition 6.39), by a linear solve or `horizon` backups.

    `policy` gives action probabilities [S, A] or one action a state [S]. `gamma` is the model's discount
    unless given. At gamma = 1 a policy that never stops collecting reward has value inf or -inf, and nan
    where its gains cancel. In a game of two players it is what the policy is worth to the player to move,
    if the other one plays best against it. Raises `ValueError` where the policy is no distribution over legal
    actions, and for a gamma or horizon out of range, and `SolveError` for a game without a horizon in which
    play can come back to a state.
    """
    check_kind("evaluate_policy", mdp, MDP)
    gamma = discount_for(mdp, gamma, horizon)
    weight = choice_weights(mdp, policy)
    if mdp.zero_sum:
        return _against_best_response(mdp, weight, gamma, horizon)
    transition, reward = policy_kernel(mdp, weight)
    if horizon is not None:
        return deque(policy_values(mdp, (transition, reward), gamma, horizon), maxlen=1)[0]
    if mdp.reward_decay:
        raise ValueError("the rewards of this model decay with time: give a horizon")
    if gamma < 1:
        return linear_solve(transition, reward, gamma)
    return _undiscounted(transition, reward, mdp.terminal)


def _against_best_response(mdp: MDP, weight: FloatArray, gamma: float, horizon: int | None) -> FloatArray:
    """Value of a policy [C] for the player to move, [S], where the other one knows and exploits it."""
    if horizon is None:
        if mdp.reward_decay or not components(mdp).acyclic:
            raise SolveError("a game of two players that can come back to a state needs a horizon")
        horizon = mdp.n_states
    mixed = mixing(mdp, weight)
    own = other = np.zeros(mdp.n_states)  # values where the policy is to move, and where the other player is
    for step in range(horizon, 0, -1):
        scale, before = mdp.reward_scale(step), (own, other)
        own = mixed @ q_values(mdp, before[1], -gamma, scale=scale)
        other = best(mdp, q_values(mdp, before[0], -gamma, scale=scale))
        if not mdp.reward_decay and all(map(np.array_equal, (own, other), before)):
            break
    return own


def state_distribution(mdp: MDP, policy: npt.ArrayLike, *, steps: int) -> FloatArray:
    """Distribution over states after a number of steps, [S] (Definition 6.38); ended episodes stay."""
    check_kind("state_distribution", mdp, MDP)
    transition, _ = policy_kernel(mdp, choice_weights(mdp, policy))
    stay = mdp.terminal.astype(np.float64)
    where = mdp.initial
    for _ in range(steps):
        where = transition.T @ where + stay * where
    return where


def linear_solve(transition: csr_array, reward: FloatArray, gamma: float) -> FloatArray:
    """Solve v = reward + gamma transition v, [S] or [S, k]; raises `SingularChain` if no v does.

    By sparse LU; large systems are first given to a Krylov method, which suits chains that mix.
    """
    system = eye_array(transition.shape[0]) - gamma * transition
    if len(reward) >= LARGE:
        found = [krylov_solve(system, right) for right in reward.reshape(len(reward), -1).T]
        columns = [x for x in found if x is not None]
        if len(columns) == len(found):
            return np.stack(columns, axis=1).reshape(reward.shape)
    return factorised_solve(system, reward)


def krylov_solve(system: csr_array, right: FloatArray) -> FloatArray | None:
    """Solve system x = right by BiCGSTAB with refinement, [S]; None if rounding is not reached soon.

    Source: van der Vorst 1992.
    """
    scaling = diags_array(1 / system.diagonal())
    x = np.zeros(len(right))
    for _ in range(REFINEMENTS):
        residual = right - system @ x
        if np.abs(residual).max() <= 1e-14 * (np.abs(right).max() + np.abs(x).max()):
            return x
        correction, failed = bicgstab(system, residual, rtol=1e-6, maxiter=KRYLOV_STEPS, M=scaling)
        if failed:
            return None
        x = x + correction
    return None


def factorised_solve(system: sparray, right: FloatArray) -> FloatArray:
    """Solve system x = right by sparse LU, [S]; raises `SingularChain` if the system is singular."""
    try:
        x: FloatArray = np.atleast_1d(splu(system.tocsc()).solve(right))
    except RuntimeError as error:
        raise SingularChain(str(error)) from error
    return x


def can_reach(transition: csr_array, target: BoolArray) -> BoolArray:
    """Which states [S] reach the target with positive probability in a Markov chain."""
    backward = transition.T.tocsr()
    return reached(np.flatnonzero(target), backward.indptr, backward.indices)


def average_reward(mdp: MDP, policy: npt.ArrayLike) -> FloatArray:
    """Long-run reward a step of a policy from every state, [S]; 0 where its episodes end.

    `policy` is given as in `evaluate_policy`. Source: Puterman 1994, section 8.2.
    """
    check_kind("average_reward", mdp, MDP)
    one_player(mdp)
    transition, reward = policy_kernel(mdp, choice_weights(mdp, policy))
    value = np.zeros(mdp.n_states)
    moving = ~mdp.terminal
    for members in closed_classes(transition, mdp.terminal):
        value[members] = irreducible_gain(transition[members][:, members], reward[members])[0]
        moving[members] = False
    rest = np.flatnonzero(moving)
    value[rest] = _until_left(transition, (transition @ value), rest)
    return value


def _undiscounted(transition: csr_array, reward: FloatArray, terminal: BoolArray) -> FloatArray:
    """Total reward of a Markov chain: closed classes are worth 0, inf or -inf, the rest is solved for."""
    moving = ~terminal
    positive, negative = (np.zeros(len(reward), np.bool_) for _ in range(2))
    for members in closed_classes(transition, terminal):
        moving[members] = False
        if not reward[members].any():
            continue
        gain, error = irreducible_gain(transition[members][:, members], reward[members])
        positive[members] = gain > -error
        negative[members] = gain < error
    upper, lower = can_reach(transition, positive), can_reach(transition, negative)
    v = np.zeros(len(reward))
    finite = np.flatnonzero(moving & ~upper & ~lower)
    v[finite] = _until_left(transition, reward, finite)
    v[upper], v[lower], v[upper & lower] = np.inf, -np.inf, np.nan
    return v


def closed_classes(transition: csr_array, terminal: BoolArray) -> Iterator[IntArray]:
    """Members of each set of states that a Markov chain never leaves, terminal states apart."""
    classes, label = connected_components(transition, directed=True, connection="strong")
    source, successor = transition.tocoo().coords
    closed = np.ones(classes, dtype=np.bool_)
    closed[label[source[label[source] != label[successor]]]] = False
    states = np.flatnonzero(closed[label] & ~terminal)
    by_class = states[np.argsort(label[states], kind="stable")]
    yield from np.split(by_class, np.flatnonzero(np.diff(label[by_class])) + 1) if len(states) else ()


def _until_left(transition: csr_array, reward: FloatArray, states: IntArray) -> FloatArray:
    """Total reward of a chain from states that it leaves, until it does, [n]."""
    rows = transition[states]
    moves, right = rows[:, states], np.stack([reward[states], np.ones(len(states))], axis=1)
    with suppress(SingularChain):
        total: FloatArray
        total, steps = linear_solve(moves, right, 1.0).T
        longest = np.abs(steps).max(initial=0.0)  # beyond float64 it may be negative
        if len(states) > ELIMINATED or np.finfo(np.float64).eps * longest < ACCURATE:
            return total
    if len(states) > ELIMINATED:
        raise SingularChain(f"episodes are too long for {len(states):,} states to be solved in float64")
    others = np.setdiff1d(np.arange(transition.shape[0]), states)
    return total_until_left(moves, np.asarray(rows[:, others].sum(axis=1)).ravel(), reward[states])[0]


def irreducible_gain(transition: csr_array, reward: FloatArray) -> tuple[float, float]:
    """Average reward a step of an irreducible chain, and how far it may be off.

    It lies between the smallest and largest change of one backup, whatever is backed up. Where rounding makes
    these a wide interval, the cycle back to a state is eliminated instead, if the chain is small.
    """
    bounds = [_gain_by_bias(transition, reward)]
    if bounds[0][1] > ACCURATE * np.abs(reward).max() and len(reward) <= ELIMINATED:
        bounds.append(_gain_by_cycle(transition, reward))
    return min(bounds, key=lambda bound: bound[1])


def gain_and_bias(transition: csr_array, reward: FloatArray, anchor: int) -> tuple[float, FloatArray]:
    """Average reward a step of a chain, and its bias [n], which is 0 in the anchor, a state it returns to."""
    system = (eye_array(len(reward)) - transition).tolil()
    system[:, anchor] = 1.0  # the gain, in place of the anchor's bias
    bias = factorised_solve(system, reward)
    gain, bias[anchor] = bias[anchor], 0.0
    return gain, bias


def _gain_by_bias(transition: csr_array, reward: FloatArray) -> tuple[float, float]:
    try:
        _, bias = gain_and_bias(transition, reward, 0)
    except SingularChain:
        bias = np.zeros(len(reward))
    change = reward + transition @ bias - bias
    longest = int(np.diff(transition.indptr).max(initial=0))
    rounding = np.finfo(np.float64).eps * (longest + 3) * float((np.abs(reward) + np.abs(bias)).max())
    return float(change.max() + change.min()) / 2, float(change.max() - change.min()) / 2 + rounding


def _gain_by_cycle(transition: csr_array, reward: FloatArray) -> tuple[float, float]:
    """Reward of a cycle that begins and ends in the first state, over its steps."""
    moves, back = transition[1:, 1:], transition[1:, [0]].toarray().ravel()
    first = transition[[0], 1:].toarray().ravel()
    (earned, off), (steps, late) = (
        tuple(float(first @ x) for x in total_until_left(moves, back, r))
        for r in (reward[1:], np.ones(len(back)))
    )
    gain = (reward[0] + earned) / (1 + steps)
    rounding = 4 * np.finfo(np.float64).eps * len(reward) * float(np.abs(reward).max())
    return gain, (off + abs(gain) * late) / (1 + steps) + rounding
