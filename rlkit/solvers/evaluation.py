"""Exact values of a given policy, and where it goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array, eye_array, sparray
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import bicgstab, splu

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.operators import choice_weights, policy_kernel


class SingularChain(ArithmeticError):
    """A Markov chain without discount that never ends, or ends too rarely for floating point."""


LARGE = 100_000  # states from which a factorisation may fill the memory
KRYLOV_STEPS = 300
REFINEMENTS = 6


def evaluate_policy(
    mdp: MDP,
    policy: npt.ArrayLike,
    *,
    gamma: float | None = None,
    horizon: int | None = None,
) -> FloatArray:
    """Value of a policy in every state, [S] (Definition 6.39), by a linear solve or `horizon` backups.

    `policy` gives action probabilities [S, A] or one action a state [S]. `gamma` is the model's discount
    unless given. At gamma = 1 a policy that never stops collecting reward has value inf or -inf, and nan
    where its gains cancel. Raises `ValueError` where the policy is no distribution over legal actions,
    and for a gamma or horizon out of range.
    """
    gamma = mdp.discount if gamma is None else gamma
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie in [0, 1], not {gamma}")
    if horizon is not None and horizon < 0:
        raise ValueError(f"horizon must not be negative, not {horizon}")
    transition, reward = policy_kernel(mdp, choice_weights(mdp, policy))
    if horizon is not None:
        v = np.zeros(mdp.n_states)
        for step in range(horizon, 0, -1):
            v = mdp.share(step) * reward + gamma * (transition @ v)
        return v
    if mdp.fade:
        raise ValueError(
            "the rewards of this model fade with time: a policy has a value under a horizon only"
        )
    if gamma < 1:
        return linear_solve(transition, reward, gamma)
    return _undiscounted(transition, reward, mdp.terminal)


def state_distribution(mdp: MDP, policy: npt.ArrayLike, *, steps: int) -> FloatArray:
    """Distribution over states after a number of steps, [S] (Definition 6.38); ended episodes stay."""
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
    n = transition.shape[0]
    source, successor = transition.tocoo().coords
    goals = np.flatnonzero(target)
    ones = np.ones(len(source) + len(goals), dtype=np.int8)
    backward = csr_array(
        (ones, (np.append(successor, np.full(len(goals), n)), np.append(source, goals))), shape=(n + 1, n + 1)
    )
    found = np.zeros(n + 1, dtype=np.bool_)
    found[breadth_first_order(backward, n, return_predecessors=False)] = True
    return found[:-1]


def average_reward(mdp: MDP, policy: npt.ArrayLike) -> FloatArray:
    """Long-run reward a step of a policy from every state, [S]; 0 where its episodes end.

    `policy` is given as in `evaluate_policy`. Source: Puterman 1994, section 8.2.
    """
    transition, reward = policy_kernel(mdp, choice_weights(mdp, policy))
    value = np.zeros(mdp.n_states)
    moving = ~mdp.terminal
    for members in closed_classes(transition, mdp.terminal):
        value[members] = irreducible_gain(transition[members][:, members], reward[members])
        moving[members] = False
    rest = np.flatnonzero(moving)
    value[rest] = linear_solve(transition[rest][:, rest], (transition @ value)[rest], 1.0)
    return value


def _undiscounted(transition: csr_array, reward: FloatArray, terminal: BoolArray) -> FloatArray:
    """Total reward of a Markov chain: closed classes are worth 0, inf or -inf, the rest is solved for."""
    moving = ~terminal
    positive, negative = (np.zeros(len(reward), np.bool_) for _ in range(2))
    for members in closed_classes(transition, terminal):
        moving[members] = False
        if not reward[members].any():
            continue
        gain = irreducible_gain(transition[members][:, members], reward[members])
        rounding = 1e-12 * np.abs(reward[members]).max()
        positive[members] = gain > -rounding
        negative[members] = gain < rounding
    upper, lower = can_reach(transition, positive), can_reach(transition, negative)
    v = np.zeros(len(reward))
    finite = np.flatnonzero(moving & ~upper & ~lower)
    v[finite] = linear_solve(transition[finite][:, finite], reward[finite], 1.0)
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


def irreducible_gain(transition: csr_array, reward: FloatArray) -> float:
    """Average reward a step of an irreducible chain: its stationary distribution times the reward."""
    n = len(reward)
    system = (eye_array(n) - transition).T.tolil()
    system[0, :] = 1.0
    stationary = factorised_solve(system, np.eye(n, 1).ravel())
    return float(stationary @ reward)
