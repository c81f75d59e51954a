"""Policy iteration: each policy is solved for, by one factorisation, and improved."""

from typing import NamedTuple

import numpy as np

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.evaluation import linear_solve
from rlkit.solvers.graph import surely_reaching
from rlkit.solvers.methods.values import Report, Trace, Values, begin
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.options import SolveError


def policy_iteration(
    mdp: MDP,
    *,
    gamma: float | None = None,
    max_sweeps: int = 100_000,
    start: IntArray | None = None,
    trace: Trace | None = None,
) -> Values:
    """Howard's improvements of the policy `start` [S], a choice for each state (Puterman 1994, section 6.4).

    Unless given these are choices of the largest reward, or, at gamma = 1, some that end with probability 1;
    raises `SolveError` where none do.
    """
    gamma, report = begin("policy_iteration", mdp, gamma, trace)
    choice = first_policy(mdp, gamma) if start is None else start
    found = improve(mdp, evaluated(mdp, choice, gamma), gamma=gamma, max_rounds=max_sweeps, report=report)
    return Values(found.value, found.rounds)


def first_policy(mdp: MDP, gamma: float) -> IntArray:
    """Choices [S] to begin with."""
    if gamma < 1:
        return greedy(mdp, mdp.reward)
    sure, choice = surely_reaching(mdp, mdp.terminal)
    if not sure.all():
        raise SolveError("policy iteration at gamma 1 needs a policy that ends, and this model has none")
    return choice


class Policy(NamedTuple):
    """A deterministic policy and what it is worth."""

    choice: IntArray  # [S] -1 for none
    value: FloatArray  # [S]
    steps: FloatArray  # [S] expected steps to the end at gamma = 1, which is what a bonus a step adds
    rounds: int = 0


def evaluated(mdp: MDP, choice: IntArray, gamma: float) -> Policy:
    """A policy with its value, from one factorisation; raises `SingularChain` if it never ends."""
    alive = np.flatnonzero(choice >= 0)
    rows = mdp.matrix[choice[alive]][:, alive]
    right = np.ones((len(alive), 2 if gamma == 1 else 1))
    right[:, 0] = mdp.reward[choice[alive]]
    worth = np.zeros((mdp.n_states, 2))
    worth[alive, : right.shape[1]] = linear_solve(rows, right, gamma)
    return Policy(choice, worth[:, 0], worth[:, 1])


def improve(
    mdp: MDP,
    policy: Policy,
    *,
    gamma: float,
    max_rounds: int,
    bonus: float = 0.0,
    report: Report | None = None,
) -> Policy:
    """The best policy by Howard's improvements of one that is evaluated.

    `bonus` is added to every reward, but not to the value returned. At gamma = 1 the first policy must end
    with probability 1; all later ones then do. It ends when a policy comes again, which
    rounding can cause. Source: Puterman 1994, section 6.4.
    """
    alive, seen = ~mdp.terminal, {hash(policy.choice.tobytes())}
    for rounds in range(1, max_rounds + 1):
        if report is not None:
            report(policy.value)
        v = policy.value + bonus * policy.steps
        q = q_values(mdp, v, gamma) + bonus
        inexact = np.abs(q[policy.choice[alive]] - v[alive]).max(initial=0.0)
        slack = np.minimum(1e-12 * np.maximum(1.0, np.abs(v)), bonus / 4 if bonus > 0 else np.inf)
        better = alive & (best(mdp, q) - v > slack + 2 * inexact)
        policy = policy._replace(rounds=rounds)
        choice = np.where(better, greedy(mdp, q), policy.choice)
        if (key := hash(choice.tobytes())) in seen:
            break
        seen.add(key)
        policy = evaluated(mdp, choice, gamma)
    return policy


def proper_greedy(mdp: MDP, v: FloatArray, fallback: IntArray) -> IntArray:
    """Near-greedy choices [S] that end with probability 1, from values near V*; else the fallback.

    A plain argmax can pick, among ties, choices that circle for ever.
    """
    sure, choice = surely_reaching(mdp, mdp.terminal, near_greedy(mdp, v))
    return choice if sure.all() else fallback


def near_greedy(mdp: MDP, v: FloatArray) -> BoolArray:
    """Choices [C] whose value is the best of their state, up to a little more than v is off."""
    q = q_values(mdp, v, 1.0)
    top = best(mdp, q)
    slack = 1e-9 * np.maximum(1.0, np.abs(v)) + 4 * np.abs(top - v)
    close: BoolArray = q >= (top - slack)[mdp.state_of_choice]
    return close
